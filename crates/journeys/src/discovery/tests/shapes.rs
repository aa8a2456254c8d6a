//! Planted logs of other shapes than a company's contacts: no topics, one channel, cases, loops, noise.

use super::{BEGIN, CUSTOMERS, Chance, OPTIONS, Row, YEARS, found, log, only};
use crate::discovery::lengths::{DAY, HOUR, MINUTE};
use crate::discovery::{DiscoveryOptions, Found, TouchpointLog, discover};

fn found_in_cases(mut log: TouchpointLog) -> Found {
    discover(&mut log, &DiscoveryOptions { units_are_cases: true, ..OPTIONS })
}

fn row(at: i64, event: &'static str) -> Row {
    (at, "", event, None)
}

/// Minutes at a desk, a night, or weeks until somebody answers: gaps of one case, from 2 minutes to 40 days.
fn wait(chance: &mut Chance) -> i64 {
    match chance.unit() {
        quick if quick < 0.6 => chance.between(2 * MINUTE, HOUR),
        night if night < 0.9 => chance.between(10 * HOUR, 3 * DAY),
        _ => chance.between(5 * DAY, 40 * DAY),
    }
}

/// A claim: nearly all begin with a registration, and end with a payment, a refusal or, seldom, a withdrawal.
fn claim(chance: &mut Chance, rows: &mut Vec<Row>, mut at: i64) -> i64 {
    if chance.unit() < 0.05 {
        rows.push(row(at, "claim_forwarded"));
        at += wait(chance);
    }
    rows.push(row(at, "claim_registered"));
    let steps: &[&str] = if chance.unit() < 0.3 { &["documents_asked", "documents_received"] } else { &[] };
    for event in [steps, &["claim_assessed"]].concat() {
        at += wait(chance);
        rows.push(row(at, event));
    }
    at += wait(chance);
    let end = match chance.unit() {
        paid if paid < 0.55 => "claim_paid",
        refused if refused < 0.9 => "claim_refused",
        _ => "claim_withdrawn",
    };
    rows.push(row(at, end));
    at
}

fn assert_claims(found: &Found) {
    let candidate = only(found);
    assert_eq!(candidate.starts, "event = 'claim_registered'", "{found:#?}");
    assert_eq!(candidate.end_events, ["claim_paid", "claim_refused"]);
    assert_eq!(candidate.abandons.as_deref(), Some("event = 'claim_withdrawn'"));
    assert!(candidate.includes.contains("'documents_asked'"), "{candidate:#?}");
}

#[test]
fn a_case_is_an_episode_whatever_its_gaps() {
    let found = found_in_cases(log(|chance, rows| {
        let at = BEGIN + chance.between(0, 600 * DAY);
        claim(chance, rows, at);
    }));
    assert_claims(&found);
    let candidate = only(&found);
    assert_eq!(candidate.idle, None);
    assert_eq!(candidate.episodes, CUSTOMERS);
    assert!(found.tried[0].starts_with("each case as one episode"), "{found:#?}");
}

#[test]
fn a_customer_with_one_case_is_not_cut_at_its_nights() {
    let found = found(log(|chance, rows| {
        let at = BEGIN + chance.between(0, 600 * DAY);
        claim(chance, rows, at);
    }));
    assert_claims(&found);
    assert!(found.tried[0].starts_with("all touchpoints of a customer as one episode"), "{found:#?}");
}

fn several_claims(chance: &mut Chance, rows: &mut Vec<Row>) {
    let mut at = BEGIN + chance.between(0, 100 * DAY);
    for _ in 0..3 {
        at = claim(chance, rows, at) + chance.between(150 * DAY, 400 * DAY);
    }
}

#[test]
fn the_silence_between_cases_is_told_from_the_waits_inside() {
    let found = found(log(several_claims));
    assert_claims(&found);
    let idle = only(&found).idle.expect("a silence");
    assert!((40 * DAY..=150 * DAY).contains(&idle), "{} days", idle / DAY);
    assert!(found.tried[0].contains("a mixture of two log-normal distributions"), "{found:#?}");
}

#[test]
fn a_given_silence_is_taken() {
    let given = |silence| {
        let mut log = log(several_claims);
        discover(&mut log, &DiscoveryOptions { silence: Some(silence), ..OPTIONS })
    };
    let found = given(60 * DAY);
    assert_claims(&found);
    assert!(found.tried[0].contains("a silence of 60.0 days as one episode (as given)"), "{found:#?}");
    let cut_inside = given(2 * HOUR);
    assert!(cut_inside.candidates.iter().all(|candidate| candidate.end_events != ["claim_paid", "claim_refused"]));
}

#[test]
fn steps_that_are_repeated_are_steps() {
    let found = found_in_cases(log(|chance, rows| {
        let mut at = BEGIN + chance.between(0, 600 * DAY);
        rows.push(row(at, "registered"));
        loop {
            for event in ["analysed", "repaired", "tested"] {
                at += wait(chance);
                rows.push(row(at, event));
            }
            if chance.unit() < 0.5 {
                break;
            }
        }
        at += wait(chance);
        rows.push(row(at, "returned"));
    }));
    let candidate = only(&found);
    assert_eq!((candidate.starts.as_str(), candidate.ends.as_str()), ("event = 'registered'", "event = 'returned'"));
    assert_eq!(candidate.milestones, ["registered", "analysed", "repaired", "tested", "returned"]);
    assert_eq!((candidate.episodes, candidate.completed), (CUSTOMERS, CUSTOMERS));
}

#[test]
fn steps_that_come_side_by_side_are_one_journey() {
    let found = found(log(|chance, rows| {
        let mut at = BEGIN + chance.between(0, 90 * DAY);
        while at < BEGIN + YEARS {
            rows.push(row(at, "ordered"));
            let (paid, packed) = (at + chance.between(HOUR, 6 * DAY), at + chance.between(HOUR, 6 * DAY));
            rows.extend([row(paid, "paid"), row(packed, "packed")]);
            at = paid.max(packed) + chance.between(HOUR, 2 * DAY);
            rows.push(row(at, "delivered"));
            at += chance.between(60 * DAY, 200 * DAY);
        }
    }));
    let candidate = only(&found);
    assert_eq!((candidate.starts.as_str(), candidate.ends.as_str()), ("event = 'ordered'", "event = 'delivered'"));
    let second: Vec<&str> = candidate.variants[..2].iter().map(|variant| variant.events[1].as_str()).collect();
    assert!(second.contains(&"paid") && second.contains(&"packed"), "{candidate:#?}");
    assert_eq!(candidate.milestones.len(), 4, "{candidate:#?}");
}

#[test]
fn a_rare_long_journey_is_found_among_noise() {
    let found = found(log(|chance, rows| {
        let mut at = BEGIN;
        while at < BEGIN + YEARS {
            at += chance.between(HOUR, 14 * DAY);
            let kinds = ["page_viewed", "mail_opened", "logged_in", "app_used", "offer_seen"];
            rows.push(row(at, kinds[(chance.unit() * 5.0) as usize]));
        }
        if chance.unit() < 0.15 {
            let mut at = BEGIN + chance.between(30 * DAY, 550 * DAY);
            for event in ["moving_announced", "address_checked", "technician_came", "line_moved"] {
                rows.push(row(at, event));
                at += chance.between(15 * DAY, 40 * DAY);
            }
        }
    }));
    let candidate = only(&found);
    assert_eq!(candidate.starts, "event = 'moving_announced'");
    assert_eq!(candidate.ends, "event = 'line_moved'");
    assert_eq!(candidate.milestones, ["moving_announced", "address_checked", "technician_came", "line_moved"]);
    assert!((100 * DAY..=180 * DAY).contains(&candidate.within), "{} days", candidate.within / DAY);
}

/// Where only the day is known, several steps on one day are no silence between two episodes.
#[test]
fn days_without_a_time_are_cut_between_days() {
    let found = found(log(|chance, rows| {
        let mut day = chance.between(0, 30);
        while day < YEARS / DAY {
            rows.push(row((BEGIN / DAY + day) * DAY, "asked"));
            day += chance.between(1, 4);
            // Which of the two came first on that day, nobody knows.
            rows.push(row((BEGIN / DAY + day) * DAY, "answered"));
            rows.push(row((BEGIN / DAY + day) * DAY, "solved"));
            day += chance.between(30, 80);
        }
    }));
    assert!(!found.tried.iter().any(|tried| tried.contains("seconds") || tried.contains("minutes")), "{found:#?}");
    assert_eq!(only(&found).start_events, ["asked"]);
}

#[test]
fn two_journeys_that_overlap_are_told_apart() {
    let found = found(log(|chance, rows| {
        for events in [["bill_asked", "bill_checked", "bill_settled"], ["fault_reported", "line_checked", "repaired"]] {
            let mut at = BEGIN + chance.between(0, 60 * DAY);
            while at < BEGIN + YEARS {
                for event in events {
                    rows.push(row(at, event));
                    at += chance.between(DAY, 9 * DAY);
                }
                at += chance.between(20 * DAY, 90 * DAY);
            }
        }
    }));
    let mut ways: Vec<(&str, &str)> = found
        .candidates
        .iter()
        .map(|candidate| (candidate.start_events[0].as_str(), candidate.end_events[0].as_str()))
        .collect();
    ways.sort_unstable();
    assert_eq!(ways, [("bill_asked", "bill_settled"), ("fault_reported", "repaired")], "{found:#?}");
    assert!(found.candidates.iter().all(|candidate| candidate.start_events.len() == 1 && candidate.variants.len() < 4));
}

/// Every December a handful of contacts of any kind in any order, and hardly one in between.
#[test]
fn a_season_without_order_is_no_journey() {
    let season = |chance: &mut Chance, rows: &mut Vec<Row>| {
        let kinds = ["gift_bought", "card_sent", "page_viewed", "shop_visited"];
        for year in 0..2 {
            let from = BEGIN + year * 365 * DAY + 200 * DAY;
            for _ in 0..chance.between(2, 7) {
                rows.push(row(chance.between(from, from + 24 * DAY), kinds[(chance.unit() * 4.0) as usize]));
            }
        }
    };
    let by_silence = found(log(season));
    assert!(by_silence.candidates.is_empty(), "{by_silence:#?}");
    let in_cases = found_in_cases(log(season));
    assert!(in_cases.candidates.is_empty(), "{in_cases:#?}");
    assert!(in_cases.everyday[0].reason.contains("if they came in any order"), "{in_cases:#?}");
}

/// Two kinds of cases are two journeys, though both are opened by the same department's log.
#[test]
fn two_kinds_of_cases_are_two_journeys() {
    let found = found_in_cases(log(|chance, rows| {
        let mut at = BEGIN + chance.between(0, 600 * DAY);
        let loan = ["loan_asked", "loan_checked", "loan_granted"];
        let card = ["card_ordered", "card_printed", "card_sent"];
        for event in if chance.unit() < 0.6 { loan } else { card } {
            rows.push(row(at, event));
            at += wait(chance);
        }
    }));
    let starts: Vec<&str> = found.candidates.iter().map(|candidate| candidate.start_events[0].as_str()).collect();
    assert_eq!(starts, ["loan_asked", "card_ordered"], "{found:#?}");
}
