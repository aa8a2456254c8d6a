//! States of exposure against the plain reference: every day of every customer, one by one.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::instances::measured_batch;
use super::known::with_known;
use super::random::{Case, case, cases, cut, maybe};
use super::*;
use crate::reference::match_known;

const HOUR: i64 = 3_600_000_000;
/// Between two of the few times of a random case: every second one is a midnight.
const UNIT: i64 = 60 * HOUR;
/// No state lasts beyond the last touchpoint and the longest horizon.
const DAYS: i64 = 160;

/// By customer, journey and day: days since the latest member, and how its instance goes.
type Days = BTreeMap<(String, String, i64), (String, String)>;

/// The states of days before [`DAYS`], as SEMANTICS 5 says them.
fn expected(journey: &Journey, touchpoints: &[Touchpoint], known: &[Option<i64>], horizon: i64) -> Days {
    let known_of = |touchpoint: &Touchpoint| {
        let place = touchpoints.iter().position(|other| other.id == touchpoint.id).expect("one of them");
        known[place].max(touchpoint.at).expect("a member has a time")
    };
    let mut days = Days::new();
    for day in 0..DAYS {
        let t = day * DAY;
        let (rows, _) = match_known(journey, touchpoints, known, t);
        let mut latest: BTreeMap<&str, (i64, &Touchpoint, &Row)> = BTreeMap::new();
        for row in &rows {
            let touchpoint = of_row(touchpoints, row);
            let order = |one: &(i64, &Touchpoint, &Row)| (one.0, one.1.at, one.1.id.clone());
            let found = (known_of(touchpoint), touchpoint, row);
            match latest.get(row.customer.as_str()) {
                Some(before) if order(before) > order(&found) => {}
                _ => drop(latest.insert(&row.customer, found)),
            }
        }
        for (customer, (known_at, _, row)) in latest {
            let since = t - known_at;
            if since > horizon {
                continue;
            }
            let mut members: Vec<&Row> = rows.iter().filter(|other| other.journey_id == row.journey_id).collect();
            members.sort_by_key(|member| member.step);
            let members: Vec<&Touchpoint> = members.into_iter().map(|member| of_row(touchpoints, member)).collect();
            let run = match (row.status.as_str(), has_gone_wrong(&members, &known_of)) {
                ("completed", false) => "good",
                ("open", false) => "under_way",
                _ => "other",
            };
            let key = (customer.to_owned(), journey.name.clone(), day);
            days.insert(key, (band(since, horizon), run.to_owned()));
        }
    }
    days
}

fn of_row<'a>(touchpoints: &'a [Touchpoint], row: &Row) -> &'a Touchpoint {
    let is_it = |touchpoint: &&Touchpoint| touchpoint.id.as_ref().is_some_and(|id| id.to_string() == row.touchpoint);
    touchpoints.iter().find(is_it).expect("one of them")
}

fn has_gone_wrong(members: &[&Touchpoint], known_of: &dyn Fn(&Touchpoint) -> i64) -> bool {
    let is_contact = |touchpoint: &Touchpoint| {
        touchpoint.details().channel.is_some_and(|channel| ["phone", "chat", "field", "store"].contains(&channel))
    };
    let repeats = |place: usize| {
        let contact = members[place];
        let is_before = |before: &&Touchpoint| {
            is_contact(before) && before.topic == contact.topic && known_of(contact) - known_of(before) <= 7 * DAY
        };
        is_contact(contact) && contact.topic.is_some() && members[..place].iter().any(is_before)
    };
    (0..members.len()).any(|place| repeats(place) || members[place].details().resolved == Some(false))
}

fn band(since: i64, horizon: i64) -> String {
    let days =
        |time: i64| if time % DAY == 0 { (time / DAY).to_string() } else { (time as f64 / DAY as f64).to_string() };
    let (from, until) = match since {
        since if since <= 7 * DAY => (0, 7 * DAY),
        since if since <= 30 * DAY => (7 * DAY, 30 * DAY),
        _ => (30 * DAY, horizon),
    };
    format!("{}-{}", days(from), days(until.min(horizon)))
}

/// The rows of the output, day by day.
fn found(output: &[RecordBatch]) -> Days {
    let mut days = Days::new();
    let mut before: BTreeMap<(String, String), (i64, String, String)> = BTreeMap::new();
    let mut exposures = BTreeMap::new();
    for batch in output {
        let text = |name: &str| {
            cast(batch.column_by_name(name).expect(name), &DataType::Utf8).expect("text").as_string::<i32>().clone()
        };
        let (customers, journeys, bands, runs) =
            (text("customer_id"), text("journey"), text("since_touchpoint"), text("run"));
        let day = |name: &str, row: usize| {
            let time = batch.column_by_name(name).expect(name).as_primitive::<TimestampMicrosecondType>().value(row);
            assert_eq!(time % DAY, 0, "a day begins at midnight");
            time / DAY
        };
        for row in 0..batch.num_rows() {
            let key = (customers.value(row).to_owned(), journeys.value(row).to_owned());
            let (from, until) = (day("from_day", row), day("until_day", row));
            let (band, run) = (bands.value(row).to_owned(), runs.value(row).to_owned());
            assert!(from < until);
            let exposed_until = batch.column_by_name("exposed_until").expect("a column");
            exposures.insert(
                (key.0.clone(), key.1.clone(), from),
                exposed_until.is_valid(row).then(|| day("exposed_until", row)),
            );
            let last = before.insert(key.clone(), (until, band.clone(), run.clone()));
            assert_ne!(last, Some((from, band.clone(), run.clone())), "one stretch in two pieces");
            for day in from..until {
                let key = (key.0.clone(), key.1.clone(), day);
                assert_eq!(days.insert(key, (band.clone(), run.clone())), None, "a day in two states");
            }
        }
    }
    for ((customer, journey, from), until) in exposures {
        let is_exposed = |day: i64| days.contains_key(&(customer.clone(), journey.clone(), day));
        let expected = (!is_exposed(from - 1)).then(|| (from..).find(|day| !is_exposed(*day)).expect("it ends"));
        assert_eq!(until, expected, "the exposure of {customer} to {journey} that begins on day {from}");
    }
    days
}

/// Known times a few hours after, or all together.
fn known_times(touchpoints: &[Touchpoint], lags: &[Option<i64>]) -> Vec<Option<i64>> {
    touchpoints.iter().zip(lags).map(|(touchpoint, lag)| touchpoint.at.zip(*lag).map(|(at, lag)| at + lag)).collect()
}

#[test]
fn random_touchpoints_agree_with_days_counted_one_by_one() {
    let lag = prop_oneof![3 => Just(0_i64), 1 => -8..8_i64, 1 => Just(24), 1 => Just(240)];
    let lags = proptest::collection::vec(maybe(0.97, lag.prop_map(|hours| hours * HOUR)), 80);
    let horizons = proptest::sample::select(vec![90 * DAY, 90 * DAY, 20 * DAY, 36 * HOUR]);
    let mut runner = TestRunner::new(cases(60));
    let seen = std::cell::RefCell::new(BTreeMap::<(String, String), usize>::new());
    let result = runner.run(&(case(), lags, horizons), |(mut case, lags, horizon)| {
        for touchpoint in &mut case.touchpoints {
            touchpoint.at = touchpoint.at.map(|at| at * UNIT);
        }
        for journey in &mut case.journeys {
            journey.within = journey.within.map(|limit| limit * UNIT);
            journey.idle = journey.idle.map(|limit| limit * UNIT);
        }
        let Case { ids, mut touchpoints, journeys, as_of, cuts, batch_size, partitions } = case;
        let as_of = as_of * UNIT;
        let mut known = known_times(&touchpoints, &lags);
        let whole = with_known(&measured_batch(ids, &touchpoints), &known);
        let context = session(config(batch_size, partitions));
        register(&context, whole.schema(), vec![cut(&whole, &cuts)]);
        let definitions: Vec<JourneyDefinition> = journeys.iter().map(JourneyDefinition::from).collect();
        let output = block_on(states(&context, &definitions, as_of, OutputRows::States { horizon, by_known: true }));
        assert!(output.iter().all(|batch| batch.num_rows() <= batch_size));
        // What is not known as of the run is not there; a touchpoint without an id is no member.
        let is_there = |place: &usize| {
            known[*place].max(touchpoints[*place].at).is_some_and(|time| time < as_of)
                && touchpoints[*place].id.is_some()
        };
        let there: Vec<usize> = (0..touchpoints.len()).filter(is_there).collect();
        known = there.iter().map(|&place| known[place]).collect();
        touchpoints = there.iter().map(|&place| touchpoints[place].clone()).collect();
        let mut days = Days::new();
        for journey in &journeys {
            days.extend(expected(journey, &touchpoints, &known, horizon));
        }
        for state in days.values() {
            *seen.borrow_mut().entry(state.clone()).or_default() += 1;
        }
        assert_eq!(found(&output), days);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    let seen = seen.into_inner();
    for band in ["0-7", "7-30", "30-90", "7-20", "0-1.5"] {
        assert!(seen.keys().any(|(found, _)| found == band), "no day in {band}: {seen:?}");
    }
    for run in ["good", "other", "under_way"] {
        assert!(seen.keys().any(|(_, found)| found == run), "no day {run}: {seen:?}");
    }
}

async fn states(
    context: &SessionContext,
    definitions: &[JourneyDefinition],
    as_of: i64,
    rows: OutputRows,
) -> Vec<RecordBatch> {
    let input = context.table("touchpoints").await.expect("registered").into_unoptimized_plan();
    let plan = match_journeys(input, definitions, as_of, None, rows, &context.state()).expect("they fit");
    let plan = context.state().create_physical_plan(&plan).await.expect("planned");
    collect(context, &plan).await.expect("ran").concat()
}

/// Without `known_at` touchpoints were known when they happened.
#[test]
fn a_member_at_midnight_is_not_known_before_the_day_that_begins_with_it() {
    let touchpoint = |number: i64, event: &'static str, at: i64| Touchpoint {
        id: Some(Id::Number(number)),
        customer: Some(Id::Number(7)),
        at: Some(at),
        event: Some(event),
        topic: None,
        score: None,
        order_id: None,
    };
    // An `a` at the midnight of day 10, a `d` two hours later on the same day, one more hour to be idle.
    let touchpoints = [touchpoint(1, "a", 10 * DAY), touchpoint(2, "d", 10 * DAY + 2 * HOUR)];
    let journey = JourneyDefinition { idle: Some(Duration(30 * HOUR)), ..definition("j", "event = 'a'") };
    let whole = measured_batch(IdType::Int64, &touchpoints);
    let context = session(config(8, 1));
    register(&context, whole.schema(), vec![vec![whole]]);
    let rows = OutputRows::States { horizon: 2 * DAY, by_known: false };
    let days = found(&block_on(states(&context, &[journey], 20 * DAY, rows)));
    let lines: Vec<String> = days.iter().map(|((.., day), (band, run))| format!("{day} {band} {run}")).collect();
    // Idle until eight o'clock of day 11, and exposed until two o'clock of day 12.
    assert_eq!(lines, ["11 0-2 under_way", "12 0-2 other"]);
}
