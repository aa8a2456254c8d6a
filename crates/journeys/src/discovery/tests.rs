//! What is planted in small logs is found, and nothing else.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};

use super::{Candidate, DiscoveryOptions, Found, TouchpointLog, discover};
use crate::discovery::lengths::{DAY, HOUR};

mod shapes;

/// An arbitrary instant; a log lasts two years from there.
const BEGIN: i64 = 1_700_000_000_000_000;
const YEARS: i64 = 730 * DAY;
const CUSTOMERS: usize = 400;

/// A small generator (Knuth's constants), so that the logs are the same on every machine.
struct Chance(u64);

impl Chance {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.unit() * (high - low) as f64) as i64
    }
}

type Row = (i64, &'static str, &'static str, Option<&'static str>);

/// A log of customers whose rows (time, channel, event, topic) `live` writes.
fn log(mut live: impl FnMut(&mut Chance, &mut Vec<Row>)) -> TouchpointLog {
    let mut log = TouchpointLog::default();
    let mut chance = Chance(7);
    for customer in 0..CUSTOMERS {
        let mut rows = Vec::new();
        live(&mut chance, &mut rows);
        rows.retain(|row| (BEGIN..BEGIN + YEARS).contains(&row.0));
        rows.sort();
        let text = |pick: fn(&Row) -> Option<&'static str>| -> ArrayRef {
            Arc::new(rows.iter().map(pick).collect::<StringArray>())
        };
        let units: StringArray = rows.iter().map(|_| Some(format!("c{customer}"))).collect();
        let batch = RecordBatch::try_from_iter([
            ("unit", Arc::new(units) as ArrayRef),
            ("at", Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.0))) as ArrayRef),
            ("channel", text(|row| Some(row.1))),
            ("event", text(|row| Some(row.2))),
            ("topic", text(|row| row.3)),
        ]);
        log.push(&batch.expect("columns of one length")).expect("the five columns");
    }
    log
}

const OPTIONS: DiscoveryOptions =
    DiscoveryOptions { as_of: BEGIN + YEARS, minimum_episodes: 30, units_are_cases: false, silence: None };

fn found(mut log: TouchpointLog) -> Found {
    discover(&mut log, &OPTIONS)
}

/// Newsletters and page views at any time, a session of several pages now and then.
fn everyday(chance: &mut Chance, rows: &mut Vec<Row>) {
    let mut at = BEGIN;
    while at < BEGIN + YEARS {
        at += chance.between(HOUR, 40 * DAY);
        rows.push((at, "email", "newsletter", Some("programme")));
        let seen = at + chance.between(HOUR, 20 * DAY);
        rows.push((seen, "web", "page_viewed", Some("programme")));
        rows.push((seen + 60_000_000, "web", "page_viewed", Some("programme")));
    }
}

/// An order, an installation some days later and a bill; one in ten is cancelled.
fn ordering(chance: &mut Chance, rows: &mut Vec<Row>) {
    let mut at = BEGIN + chance.between(20 * DAY, 500 * DAY);
    rows.push((at, "phone", "ordered", Some("order")));
    if chance.unit() < 0.1 {
        at += chance.between(DAY, 6 * DAY);
        return rows.push((at, "phone", "cancelled", Some("order")));
    }
    for _ in 0..2 {
        at += chance.between(DAY, 5 * DAY);
        rows.push((at, "email", "hint_sent", Some("order")));
    }
    at += chance.between(DAY, 6 * DAY);
    rows.push((at, "field", "installed", Some("installation")));
    at += chance.between(HOUR, 3 * DAY);
    rows.push((at, "email", "asked_how_it_was", Some("installation")));
}

fn only(found: &Found) -> &Candidate {
    assert_eq!(found.candidates.len(), 1, "{found:#?}");
    &found.candidates[0]
}

#[test]
fn everyday_contact_is_no_journey() {
    let found = found(log(everyday));
    assert!(found.candidates.is_empty(), "{found:#?}");
    // One topic tells nothing apart, so each event is named.
    assert_eq!(found.everyday.len(), 2, "{found:#?}");
}

#[test]
fn a_journey_over_two_topics_is_found_among_everyday_contact() {
    let log = log(|chance, rows| {
        everyday(chance, rows);
        ordering(chance, rows);
    });
    let found = found(log);
    let candidate = only(&found);
    assert_eq!(candidate.starts, "event = 'ordered'");
    assert_eq!(candidate.ends, "event = 'asked_how_it_was'");
    assert_eq!(candidate.abandons.as_deref(), Some("event = 'cancelled'"));
    assert_eq!(candidate.includes, "topic IN ('order', 'installation')");
    assert!(!candidate.split);
    // Gaps of at most six days, a course of at most nineteen.
    let idle = candidate.idle.expect("a silence");
    assert!((5 * DAY..=7 * DAY).contains(&idle), "idle {} days", idle / DAY);
    assert!((14 * DAY..=21 * DAY).contains(&candidate.within), "within {} days", candidate.within / DAY);
    assert_eq!(candidate.milestones, ["ordered", "hint_sent", "installed", "asked_how_it_was"]);
}

#[test]
fn a_monthly_bill_and_its_payment_are_a_journey_though_nobody_is_ever_silent() {
    let log = log(|chance, rows| {
        everyday(chance, rows);
        let mut at = BEGIN + chance.between(0, 30 * DAY);
        while at < BEGIN + YEARS {
            rows.push((at, "mail", "bill_issued", Some("bill")));
            rows.push((at + chance.between(DAY, 15 * DAY), "web", "bill_paid", Some("payment")));
            at += 30 * DAY;
        }
    });
    let found = found(log);
    let candidate = only(&found);
    assert_eq!((candidate.starts.as_str(), candidate.ends.as_str()), ("event = 'bill_issued'", "event = 'bill_paid'"));
    assert_eq!(candidate.includes, "topic IN ('bill', 'payment')");
}

#[test]
fn a_fault_reported_again_begins_anew_and_touchpoints_without_topic_are_told_apart_by_event() {
    let log = log(|chance, rows| {
        let mut at = BEGIN + chance.between(0, 60 * DAY);
        while at < BEGIN + YEARS {
            rows.push((at, "phone", "fault_reported", None));
            if chance.unit() < 0.2 {
                at += chance.between(DAY, 3 * DAY);
                rows.push((at, "phone", "fault_reported", None));
            }
            at += chance.between(2 * DAY, 6 * DAY);
            rows.push((at, "field", "repaired", None));
            at += chance.between(90 * DAY, 200 * DAY);
        }
    });
    let found = found(log);
    let candidate = only(&found);
    assert_eq!(candidate.starts, "event = 'fault_reported'");
    assert_eq!(candidate.ends, "event = 'repaired'");
    assert_eq!(candidate.includes, "event IN ('fault_reported', 'repaired')");
    assert!(candidate.split, "a second report begins another repair");
}

#[test]
fn an_event_with_other_topics_too_is_narrowed_to_its_own() {
    let log = log(|chance, rows| {
        let mut at = BEGIN + chance.between(10 * DAY, 60 * DAY);
        while at < BEGIN + YEARS {
            rows.push((at, "phone", "asked", Some("move")));
            rows.push((at + chance.between(DAY, 4 * DAY), "mail", "moved", Some("move")));
            rows.push((BEGIN + chance.between(0, YEARS), "phone", "asked", Some("anything")));
            at += chance.between(90 * DAY, 200 * DAY);
        }
    });
    let found = found(log);
    let candidate = only(&found);
    assert_eq!(candidate.starts, "event = 'asked' AND (topic = 'move')");
    assert_eq!(candidate.ends, "event = 'moved'");
}
