//! Touchpoints matched as they became known (SEMANTICS 5).

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::random::{Case, case, cases, cut, maybe};
use super::*;
use crate::reference::match_known;

/// A batch of touchpoints with the time at which each became known.
pub(super) fn with_known(batch: &RecordBatch, known: &[Option<i64>]) -> RecordBatch {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = batch.schema().fields().to_vec();
    fields.push(Arc::new(Field::new("known_at", time, true)));
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(TimestampMicrosecondArray::from_iter(known.iter().copied()).with_timezone("UTC")));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("the columns fit")
}

/// What the operator says of known members, in the order of `Row`, with its counts.
async fn match_by_known(
    context: &SessionContext,
    definitions: &[JourneyDefinition],
    as_of: i64,
) -> (Vec<Vec<RecordBatch>>, Vec<DefinitionCounts>) {
    let input = context.table("touchpoints").await.expect("registered").into_unoptimized_plan();
    let plan = match_journeys(input, definitions, as_of, None, OutputRows::KnownMembers, &context.state());
    let plan = context.state().create_physical_plan(&plan.expect("the definitions fit")).await.expect("planned");
    let output = collect(context, &plan).await.expect("ran");
    (output, match_counts(plan.as_ref()))
}

/// Known times: some at once, some later, some all together as with a login, some missing or before.
fn known_times(touchpoints: &[Touchpoint], lags: &[Option<i64>]) -> Vec<Option<i64>> {
    touchpoints
        .iter()
        .zip(lags)
        .map(|(touchpoint, lag)| touchpoint.at.zip(*lag).map(|(at, lag)| (at + lag).min(23)))
        .collect()
}

#[test]
fn random_touchpoints_agree_with_the_reference() {
    let strategy = (case(), proptest::collection::vec(maybe(0.97, prop_oneof![3 => Just(0_i64), 2 => -2..12_i64]), 80));
    let mut runner = TestRunner::new(cases(1_000));
    let differs = std::cell::Cell::new(0);
    let result = runner.run(&strategy, |(case, lags)| {
        let Case { ids, touchpoints, journeys, as_of, cuts, batch_size, partitions } = &case;
        let known = known_times(touchpoints, &lags);
        let whole = with_known(&batch(*ids, touchpoints), &known);
        let context = session(config(*batch_size, *partitions));
        let mut spread = vec![Vec::new(); cuts.len().min(3)];
        for (index, batch) in cut(&whole, cuts).into_iter().enumerate() {
            let partition = index % spread.len();
            spread[partition].push(batch);
        }
        register(&context, whole.schema(), spread);
        let definitions: Vec<JourneyDefinition> = journeys.iter().map(JourneyDefinition::from).collect();
        let (output, found_counts) = block_on(match_by_known(&context, &definitions, *as_of));
        let mut found = Vec::new();
        for partition in &output {
            let rows = rows(partition);
            assert_ordered(&rows, matches!(ids, IdType::Int64));
            found.extend(rows);
        }
        found.sort();
        let (mut expected, mut counts) = (Vec::new(), Vec::new());
        for journey in journeys {
            let (rows, count) = match_known(journey, touchpoints, &known, *as_of);
            assert!(count.is_conserved());
            let (as_it_happened, _) = crate::reference::match_journey(journey, touchpoints, *as_of);
            differs.set(differs.get() + i32::from(rows != as_it_happened));
            expected.extend(rows);
            counts.push((journey.name.clone(), count));
        }
        expected.sort();
        assert_eq!(found, expected);
        let found: Vec<_> = found_counts.into_iter().map(|one| (one.journey, one.counts)).collect();
        assert_eq!(found, counts);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(differs.get() > 100, "as it became known and as it happened were the same, so the test shows nothing");
}

/// A touchpoint of customer `C`: event, day, and the day on which it became known.
fn touchpoint(number: usize, event: &'static str, day: i64) -> Touchpoint {
    Touchpoint {
        id: Some(Id::Text(format!("t{number}"))),
        customer: Some(Id::Text("C".to_owned())),
        at: Some(day * DAY),
        event: Some(event),
        topic: None,
        score: None,
        order_id: None,
    }
}

/// One line a member: instance, event's number, status, days of start and last member.
fn known_members(journey: JourneyDefinition, days: &[(&'static str, i64, i64)], as_of: i64) -> Vec<String> {
    let touchpoints: Vec<Touchpoint> =
        days.iter().enumerate().map(|(number, (event, day, _))| touchpoint(number, event, *day)).collect();
    let known: Vec<Option<i64>> = days.iter().map(|(.., day)| Some(day * DAY)).collect();
    let batch = with_known(&batch(IdType::Utf8, &touchpoints), &known);
    let context = session(config(8192, 1));
    register(&context, batch.schema(), vec![vec![batch]]);
    let (output, _) = block_on(match_by_known(&context, &[journey], as_of * DAY));
    let line = |row: &Row| {
        format!("{} {} {} {}..{}", row.journey_id, row.touchpoint, row.status, row.started_at / DAY, row.last_at / DAY)
    };
    rows(&output.concat()).iter().map(line).collect()
}

#[test]
fn what_becomes_known_together_keeps_the_order_in_which_it_happened() {
    let journey = JourneyDefinition { ends: Some(located("event = 'c'")), ..definition("j", "event = 'o'") };
    // A visitor reads on days 1 and 3 and calls on day 5, the login of day 6 says who it was.
    let days = [("c", 3, 6), ("o", 1, 6), ("x", 5, 5)];
    assert_eq!(known_members(journey.clone(), &days, 10), ["j/t1 t1 completed 6..6", "j/t1 t0 completed 6..6"]);
    assert!(known_members(journey, &days, 6).is_empty(), "on day 6 nothing of it was known yet");
}

#[test]
fn limits_run_from_when_a_touchpoint_became_known() {
    let journey = JourneyDefinition { idle: Some(Duration(4 * DAY)), ..definition("j", "event = 'o'") };
    let days = [("o", 1, 6), ("x", 9, 9)];
    assert_eq!(known_members(journey, &days, 12), ["j/t0 t0 open 6..9", "j/t0 t1 open 6..9"]);
}

#[test]
fn touchpoints_without_known_at_are_refused() {
    let context = session(config(8, 1));
    register(&context, touchpoint_schema(IdType::Utf8), vec![vec![]]);
    let errors = block_on(async {
        let input = context.table("touchpoints").await.expect("registered").into_unoptimized_plan();
        let journeys = [definition("j", "event = 'o'")];
        match_journeys(input, &journeys, 0, None, OutputRows::KnownMembers, &context.state()).expect_err("refused")
    });
    let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(messages, ["the touchpoints have no column `known_at`"]);
}
