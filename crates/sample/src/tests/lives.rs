//! Lives as the files tell them: who left when, after what, and what the truth says of it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;

use super::{options, read, sample, time};
use crate::calendar::{DAY, Time, midnight};
use crate::{SampleOptions, Truth, generate};

/// One spell.
#[derive(Debug, Clone, Default)]
struct Life {
    joined_at: Time,
    notice_at: Option<Time>,
    churned_at: Option<Time>,
    lost_at: Option<Time>,
    /// When something happened, and what.
    events: Vec<(Time, String)>,
}

impl Life {
    fn left_at(&self) -> Option<Time> {
        self.notice_at.or(self.churned_at)
    }

    fn lived_until(&self, end: Time) -> Time {
        self.left_at().or(self.lost_at).unwrap_or(end)
    }

    fn times(&self, event: &'static str) -> impl Iterator<Item = Time> + '_ {
        self.events.iter().filter(move |(_, word)| word == event).map(|(at, _)| *at)
    }
}

fn or_null(batch: &RecordBatch, column: &str, row: usize) -> Option<Time> {
    let values = batch[column].as_primitive::<TimestampMicrosecondType>();
    values.is_valid(row).then(|| values.value(row))
}

fn end(lake: &Path) -> Time {
    midnight(options(lake, 1, 1).end)
}

/// The spells of a lake by customer, broken rows and the second row of a changed segment left out.
fn spells(lake: &Path) -> HashMap<String, Vec<Life>> {
    let mut spells: HashMap<String, BTreeMap<Time, Life>> = HashMap::new();
    for batch in read(lake, "customers", "") {
        let customers = batch["customer_id"].as_string::<i32>();
        for row in (0..batch.num_rows()).filter(|row| customers.is_valid(*row)) {
            let life = Life {
                joined_at: time(&batch, "joined_at", row),
                notice_at: or_null(&batch, "notice_at", row),
                churned_at: or_null(&batch, "churned_at", row),
                lost_at: or_null(&batch, "lost_at", row),
                events: Vec::new(),
            };
            // Customers from 500,000,000 on belong to broken rows.
            if customers.value(row) < "C5" && customers.value(row).len() == 8 {
                spells.entry(customers.value(row).to_owned()).or_default().insert(life.joined_at, life);
            }
        }
    }
    spells.into_iter().map(|(customer, lives)| (customer, lives.into_values().collect())).collect()
}

/// Every spell with the calls, visits and messages in it, and whether any lies outside of all spells.
fn lives(lake: &Path) -> (Vec<Life>, u64) {
    let mut spells = spells(lake);
    let end = end(lake);
    let mut outside = 0;
    for (table, at, word) in [
        ("calls", "started_at", "disposition"),
        ("visits", "started_at", "outcome"),
        ("messages", "sent_at", "template"),
    ] {
        for batch in read(lake, table, "") {
            let (customers, words) = (batch["customer_id"].as_string::<i32>(), batch[word].as_string::<i32>());
            for row in (0..batch.num_rows()).filter(|row| customers.is_valid(*row)) {
                let at = time(&batch, at, row);
                let lives = spells.get_mut(customers.value(row)).into_iter().flatten();
                let mut inside = lives.filter(|life| at >= life.joined_at && at < life.lived_until(end));
                match inside.next() {
                    Some(life) => life.events.push((at, words.value(row).to_owned())),
                    None => outside += 1,
                }
            }
        }
    }
    let mut lives: Vec<Life> = spells.into_values().flatten().collect();
    for life in &mut lives {
        // Some rows are there twice.
        life.events.sort();
        life.events.dedup();
    }
    (lives, outside)
}

/// Days lived and departures between `from` and `to` days after the latest `event` before.
fn after(lives: &[Life], end: Time, event: &'static str, from: i64, to: i64) -> (f64, f64) {
    let (mut days, mut left) = (0.0, 0.0);
    for life in lives {
        let times: Vec<Time> = life.times(event).collect();
        for (index, at) in times.iter().enumerate() {
            let next = times.get(index + 1).copied().unwrap_or(Time::MAX);
            let first = at.div_euclid(DAY) * DAY + from * DAY;
            let until = (at.div_euclid(DAY) * DAY + to * DAY).min(next).min(life.lived_until(end));
            days += ((until - first) / DAY).max(0) as f64;
            left +=
                f64::from(u8::from(life.left_at().is_some_and(|left| (first..=until).contains(&left) && left < next)));
        }
    }
    (days, left)
}

fn journey<'a>(truth: &'a Truth, name: &str) -> &'a crate::JourneyTruth {
    truth.journeys.iter().find(|journey| journey.journey == name).expect("a journey")
}

#[test]
fn nothing_is_lived_after_a_customer_left_or_the_sample_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let truth = sample(folder.path(), 1_500, 4);
    let (lives, outside) = lives(folder.path());
    let broken: u64 = ["calls", "visits", "messages"]
        .iter()
        .flat_map(|table| truth.tables[*table].malformed.iter())
        .filter(|(defect, _)| defect.starts_with("year_"))
        .map(|(_, rows)| rows)
        .sum();
    assert_eq!(outside, broken, "only what says 1970 or 2199 lies outside");
    assert!(lives.iter().any(|life| life.left_at().is_some()) && lives.iter().any(|life| life.lost_at.is_some()));
    let spells = spells(folder.path());
    let mut in_notice = 0;
    for batch in read(folder.path(), "invoices", "") {
        let customers = batch["customer_id"].as_string::<i32>();
        for row in (0..batch.num_rows()).filter(|row| customers.is_valid(*row)) {
            let at = time(&batch, "issued_at", row);
            let lives = spells.get(customers.value(row)).into_iter().flatten();
            let life = lives.filter(|life| at >= life.joined_at).max_by_key(|life| life.joined_at).expect("a spell");
            assert!(life.churned_at.or(life.lost_at).is_none_or(|end| at < end), "billed after the end: {life:?}");
            in_notice += u32::from(life.left_at().is_some_and(|left| at >= left));
        }
    }
    assert!(in_notice > 50, "{in_notice} bills between notice and the end");
}

#[test]
fn two_of_three_give_notice_weeks_before_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let truth = sample(folder.path(), 2_000, 5);
    let (lives, _) = lives(folder.path());
    let leaving: Vec<&Life> = lives.iter().filter(|life| life.left_at().is_some()).collect();
    assert_eq!(leaving.len() as u64, truth.left_spells);
    let told: u64 =
        truth.leavers.iter().filter(|(period, _)| period.contains('Q')).flat_map(|(_, by)| by.values()).sum();
    assert_eq!(told, truth.left_spells);
    let notices = leaving.iter().filter(|life| life.notice_at.is_some()).count() as f64;
    assert_eq!(notices as u64, truth.notices);
    assert!((notices / leaving.len() as f64 - 0.65).abs() < 0.07, "{notices} of {}", leaving.len());
    for life in leaving.iter().filter(|life| life.notice_at.is_some()) {
        let length = life.churned_at.zip(life.notice_at).map(|(end, notice)| (end - notice) / DAY);
        assert!(length.is_none_or(|days| (16..=47).contains(&days)), "{life:?}");
        assert!(life.churned_at.is_some() || life.notice_at > Some(end(folder.path()) - 48 * DAY), "{life:?}");
    }
}

#[test]
fn who_disputes_a_bill_leaves_soon_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    sample(folder.path(), 8_000, 11);
    let (lives, end) = (lives(folder.path()).0, end(folder.path()));
    let rate = |from: i64, to: i64| {
        let (days, left) = after(&lives, end, "bill_questioned", from, to);
        left / days
    };
    let (soon, later) = (rate(1, 18), rate(47, 180));
    assert!((2.4..5.0).contains(&(soon / later)), "{soon} a day at once, {later} later");
}

#[test]
fn who_moves_is_lost_and_who_leaves_asks_about_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    sample(folder.path(), 8_000, 12);
    let (lives, end) = (lives(folder.path()).0, end(folder.path()));
    let mut moving = (0.0, 0.0);
    let mut others = (0.0, 0.0);
    for life in &lives {
        let days = (life.lived_until(end) - life.joined_at.max(end - 730 * DAY)) as f64 / DAY as f64;
        let lost = life.lost_at.is_some();
        let moves = life.times("move_registered").next();
        let count = if moves.is_some() { &mut moving } else { &mut others };
        count.0 += moves.map_or(days, |at| ((life.lived_until(end) - at) as f64 / DAY as f64).min(70.0));
        count.1 += f64::from(u8::from(moves.map_or(lost, |at| life.lost_at.is_some_and(|lost| lost - at < 70 * DAY))));
    }
    let ratio = moving.1 / moving.0 / (others.1 / others.0);
    assert!(ratio > 8.0, "lost {ratio} times as often: {moving:?} against {others:?}");

    let left: Vec<(&Life, Time)> = lives.iter().filter_map(|life| Some((life, life.left_at()?))).collect();
    let forms = left.iter().filter(|(life, left)| life.times("cancellation_form_sent").any(|at| left - at < 8 * DAY));
    let share = forms.count() as f64 / left.len() as f64;
    assert!((0.04..0.08).contains(&share), "{share} got the form in their last days");
    let (days, forms) = lives.iter().fold((0.0, 0.0), |(days, forms), life| {
        let stays = life.left_at().is_none();
        let lived = (life.lived_until(end) - life.joined_at.max(end - 730 * DAY)) as f64 / DAY as f64;
        let got = life.times("cancellation_form_sent").count() as f64;
        if stays { (days + lived, forms + got) } else { (days, forms) }
    });
    assert!(forms / days < 0.000_1, "of those who stay hardly anybody gets it: {forms} in {days} days");
}

#[test]
fn the_box_is_exchanged_after_a_repair() {
    let folder = tempfile::tempdir().expect("a folder");
    sample(folder.path(), 4_000, 6);
    let (lives, _) = lives(folder.path());
    let orders: Vec<(&Life, Time)> =
        lives.iter().flat_map(|life| life.times("exchange_ordered").map(move |at| (life, at))).collect();
    let follows =
        |life: &Life, at: Time| life.times("fault_reported").any(|fault| (0..7 * DAY).contains(&(at - fault)));
    let after_repair = orders.iter().filter(|(life, at)| follows(life, *at)).count() as f64;
    let share = after_repair / orders.len() as f64;
    assert!((0.6..0.9).contains(&share), "{share} of {}", orders.len());
}

#[test]
fn customers_who_left_only_because_of_a_journey_are_as_many_as_the_chances_say() {
    let folder = tempfile::tempdir().expect("a folder");
    let truth = sample(folder.path(), 8_000, 11);
    let mut harmful = 0;
    for journey in &truth.journeys {
        let all = &journey.all_periods;
        let net = all.left_only_because as f64 - all.stayed_only_because as f64;
        let spread = ((all.left_only_because + all.stayed_only_because) as f64).sqrt().max(1.0);
        assert!((net - all.excess_churners).abs() < 4.0 * spread, "{}: {net} against {all:?}", journey.journey);
        assert_eq!(journey.effect.is_some(), all.days > 0, "{}", journey.journey);
        harmful += u32::from(all.excess_churners > 20.0);
        let segments: f64 = all.by_segment.values().sum();
        assert!((segments - all.excess_churners_within_90_days).abs() < 1e-6 * segments.abs().max(1.0));
        let sum = |kind: fn(&str) -> bool| -> f64 {
            let of_kind = journey.periods.iter().filter(|period| kind(&period.period));
            of_kind.map(|period| period.excess_churners).sum()
        };
        for parts in [sum(|period| period.contains('Q')), sum(|period| !period.contains('Q'))] {
            assert!((parts - all.excess_churners).abs() < 1e-6, "months and quarters hold all: {}", journey.journey);
        }
        assert_eq!(journey.periods.len(), 24 + 8);
    }
    assert_eq!(harmful, 6, "six journeys cost customers");
    let renewal = &journey(&truth, "contract_renewal").all_periods;
    assert!(renewal.excess_churners < -20.0 && renewal.rate_ratio < Some(0.75), "{renewal:?}");
    assert!(renewal.excess_churners_within_90_days > renewal.excess_churners, "a part of it acts later: {renewal:?}");
    for (name, ratio) in [("moving_house", 3.0..5.0), ("billing_dispute", 2.4..3.5), ("technical_repair", 1.45..1.8)] {
        let found = journey(&truth, name).all_periods.rate_ratio.expect("a ratio");
        assert!(ratio.contains(&found), "{name}: {found}");
    }
}

#[test]
fn without_effects_like_customers_leave_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let options = SampleOptions { effects: false, ..options(&lake, 8_000, 11) };
    let truth = generate(&options, &mut |_| ()).expect("a sample");
    assert!(!truth.effects);
    for journey in &truth.journeys {
        assert!(journey.effect.is_none() && journey.all_periods.days == 0, "{}", journey.journey);
        assert_eq!(journey.all_periods.excess_churners, 0.0);
    }
    let (lives, end) = (lives(&lake).0, end(&lake));
    let rate = |event: &'static str, from: i64, to: i64| {
        let (days, left) = after(&lives, end, event, from, to);
        (left / days, (1.0 / left).sqrt())
    };
    let ((soon, soon_error), (later, later_error)) = (rate("bill_questioned", 1, 40), rate("bill_questioned", 47, 180));
    let error = 3.5 * (soon_error * soon_error + later_error * later_error).sqrt();
    assert!((soon / later - 1.0).abs() < error, "{soon} against {later}");
    let last_days = |life: &&Life| {
        let left = life.left_at();
        left.is_some_and(|left| life.times("cancellation_form_sent").any(|at| left - at < 8 * DAY))
    };
    assert!(lives.iter().filter(last_days).count() < 5, "leaving makes nobody ask");
}

#[test]
fn searches_without_a_login_stay_unknown_where_no_login_follows() {
    let folder = tempfile::tempdir().expect("a folder");
    let truth = sample(folder.path(), 4_000, 8);
    let mut searches: Vec<(String, Time)> = Vec::new();
    let mut logins: HashMap<String, Vec<(Time, String)>> = HashMap::new();
    for batch in read(folder.path(), "web_events", "") {
        let (visitors, customers) = (batch["visitor_id"].as_string::<i32>(), batch["customer_id"].as_string::<i32>());
        let actions = batch["action"].as_string::<i32>();
        for row in (0..batch.num_rows()).filter(|row| visitors.is_valid(*row)) {
            let (visitor, at) = (visitors.value(row).to_owned(), time(&batch, "occurred_at", row));
            match actions.value(row) {
                "help_searched" => searches.push((visitor, at)),
                "login" if customers.is_valid(row) => {
                    logins.entry(visitor).or_default().push((at, customers.value(row).to_owned()));
                }
                _ => {}
            }
        }
    }
    searches.sort();
    searches.dedup();
    let login_after = |(visitor, at): &(String, Time)| {
        let logins = logins.get(visitor).into_iter().flatten().filter(|(login, _)| login >= at);
        logins.min().map(|(login, customer)| (login - at, customer))
    };
    let unknown = searches.iter().filter(|search| login_after(search).is_none_or(|(wait, _)| wait > 30 * DAY)).count();
    let late =
        searches.iter().filter(|s| login_after(s).is_some_and(|(wait, _)| wait > DAY && wait <= 30 * DAY)).count();
    let (unknown, late) = (unknown as f64 / searches.len() as f64, late as f64 / searches.len() as f64);
    assert!(unknown > 0.05 && late > 0.08, "{unknown} unknown, {late} known later");
    let known = journey(&truth, "finding_help").instances as f64;
    let found = searches.len() as f64 * (1.0 - unknown);
    // Broken and contradicting rows are among the searches counted here.
    assert!((known / found - 1.0).abs() < 0.02, "{known} instances, {found} searches of somebody known");
}
