//! Edge cases of SEMANTICS 2, each by hand.

use super::*;
use crate::{Instances, MatchCounts, SetAside};

/// Touchpoints of customer `C` with an event and a day each; ids follow the order given.
fn customer(touchpoints: &[(&'static str, i64)]) -> Vec<Touchpoint> {
    let touchpoint = |(number, (event, day)): (usize, &(&'static str, i64))| Touchpoint {
        id: Some(Id::Text(format!("t{number:02}"))),
        customer: Some(Id::Text("C".to_owned())),
        at: Some(day * DAY),
        event: Some(event),
        topic: None,
        score: None,
        order_id: None,
    };
    touchpoints.iter().enumerate().map(touchpoint).collect()
}

fn full(ends: Option<&str>, abandons: Option<&str>) -> JourneyDefinition {
    JourneyDefinition { ends: ends.map(located), abandons: abandons.map(located), ..definition("j", "event = 'o'") }
}

/// One line an instance: id, status, days of start, last member and end, number of members.
fn instances(rows: &[Row]) -> Vec<String> {
    let first = rows.iter().filter(|row| row.step == 1);
    first
        .map(|row| {
            let members = rows.iter().filter(|other| other.journey_id == row.journey_id).count();
            let ended = row.ended_at.map_or("-".to_owned(), |at| (at / DAY).to_string());
            let days = format!("{}..{}", row.started_at / DAY, row.last_at / DAY);
            format!("{} {} {days} ended {ended} members {members}", row.journey_id, row.status)
        })
        .collect()
}

fn instances_of(definition: JourneyDefinition, touchpoints: &[(&'static str, i64)], as_of: i64) -> Vec<String> {
    instances(&run(&[definition], &customer(touchpoints), as_of * DAY).0)
}

#[test]
fn the_worked_example() {
    let journey = JourneyDefinition {
        within: Some(Duration(10 * DAY)),
        idle: Some(Duration(4 * DAY)),
        ..full(Some("event = 'c'"), None)
    };
    let touchpoints =
        [("o", 1), ("x", 2), ("x", 5), ("x", 10), ("o", 12), ("c", 13), ("x", 14), ("o", 20), ("x", 31), ("o", 38)];
    assert_eq!(
        instances_of(journey, &touchpoints, 40),
        [
            "j/t00 expired 1..5 ended 5 members 3",
            "j/t04 completed 12..13 ended 13 members 2",
            "j/t07 expired 20..20 ended 20 members 1",
            "j/t09 open 38..38 ended - members 1",
        ]
    );
}

#[test]
fn a_touchpoint_that_starts_and_ends_is_a_journey_of_its_own() {
    let journey = || full(Some("event IN ('o', 'c')"), Some("event = 'o'"));
    assert_eq!(
        instances_of(journey(), &[("o", 1), ("c", 2), ("o", 3)], 10),
        ["j/t00 completed 1..1 ended 1 members 1", "j/t02 completed 3..3 ended 3 members 1"]
    );
    let abandoned = full(Some("event = 'c'"), Some("event = 'o'"));
    assert_eq!(instances_of(abandoned, &[("o", 1)], 10), ["j/t00 abandoned 1..1 ended 1 members 1"]);
}

#[test]
fn an_end_wins_over_an_abandon_and_both_over_a_start() {
    let split = |ends, abandons| JourneyDefinition { on_restart: OnRestart::Split, ..full(ends, abandons) };
    assert_eq!(
        instances_of(split(Some("event = 'c'"), Some("event = 'c'")), &[("o", 1), ("c", 2)], 10),
        ["j/t00 completed 1..2 ended 2 members 2"]
    );
    // The second `o` ends the first instance, and does not open another.
    let ends_on_second =
        JourneyDefinition { ends: Some(located("event = 'o' AND topic IS NULL AND score = 1")), ..split(None, None) };
    let mut touchpoints = customer(&[("o", 1), ("o", 2), ("x", 3)]);
    touchpoints[1].score = Some(1);
    assert_eq!(
        instances(&run(&[ends_on_second], &touchpoints, 10 * DAY).0),
        ["j/t00 completed 1..2 ended 2 members 2"]
    );
}

#[test]
fn abandoning_closes_and_what_follows_belongs_to_nobody() {
    let journey = full(Some("event = 'c'"), Some("event = 'a'"));
    assert_eq!(
        instances_of(journey, &[("o", 1), ("a", 2), ("x", 3), ("c", 4)], 10),
        ["j/t00 abandoned 1..2 ended 2 members 2"]
    );
}

#[test]
fn a_restart_is_absorbed_or_splits() {
    let touchpoints = [("o", 1), ("x", 2), ("o", 3), ("x", 4)];
    assert_eq!(instances_of(full(None, None), &touchpoints, 10), ["j/t00 open 1..4 ended - members 4"]);
    let split = JourneyDefinition { on_restart: OnRestart::Split, ..full(None, None) };
    assert_eq!(
        instances_of(split, &touchpoints, 10),
        ["j/t00 restarted 1..2 ended 2 members 2", "j/t02 open 3..4 ended - members 2"]
    );
}

#[test]
fn limits_are_strict() {
    let within = |days| JourneyDefinition { within: Some(Duration(days * DAY)), ..full(None, None) };
    let idle = |days| JourneyDefinition { idle: Some(Duration(days * DAY)), ..full(None, None) };
    let touchpoints = [("o", 1), ("x", 4), ("x", 7)];
    assert_eq!(instances_of(within(6), &touchpoints, 7 + 1), ["j/t00 expired 1..7 ended 7 members 3"]);
    assert_eq!(instances_of(within(7), &touchpoints, 7 + 1), ["j/t00 open 1..7 ended - members 3"]);
    assert_eq!(instances_of(within(5), &touchpoints, 7 + 1), ["j/t00 expired 1..4 ended 4 members 2"]);
    assert_eq!(instances_of(idle(3), &touchpoints, 10), ["j/t00 open 1..7 ended - members 3"]);
    assert_eq!(instances_of(idle(3), &touchpoints, 11), ["j/t00 expired 1..7 ended 7 members 3"]);
    assert_eq!(instances_of(idle(2), &touchpoints, 10), ["j/t00 expired 1..1 ended 1 members 1"]);
    // One microsecond more than the limit.
    let just = |limit| JourneyDefinition { within: Some(Duration(limit)), ..full(None, None) };
    assert_eq!(instances_of(just(3 * DAY - 1), &touchpoints[..2], 5), ["j/t00 expired 1..1 ended 1 members 1"]);
    assert_eq!(instances_of(just(3 * DAY), &touchpoints[..2], 5), ["j/t00 expired 1..4 ended 4 members 2"]);
    assert_eq!(instances_of(just(3 * DAY), &touchpoints[..1], 4), ["j/t00 open 1..1 ended - members 1"]);
}

#[test]
fn a_touchpoint_that_is_no_member_does_not_prolong() {
    let journey =
        JourneyDefinition { includes: Some(located("event = 'x'")), idle: Some(Duration(3 * DAY)), ..full(None, None) };
    assert_eq!(
        instances_of(journey, &[("o", 1), ("z", 3), ("x", 5)], 20),
        ["j/t00 expired 1..1 ended 1 members 1"],
        "z@3 is no member, and x@5 comes 4 days after o@1"
    );
}

#[test]
fn equal_times_go_by_touchpoint_id() {
    let mut touchpoints = customer(&[("c", 1), ("o", 1)]);
    let journey = || full(Some("event = 'c'"), None);
    assert_eq!(instances(&run(&[journey()], &touchpoints, 9 * DAY).0), ["j/t01 open 1..1 ended - members 1"]);
    touchpoints[0].id = Some(Id::Text("t2".to_owned()));
    assert_eq!(instances(&run(&[journey()], &touchpoints, 9 * DAY).0), ["j/t01 completed 1..1 ended 1 members 2"]);
}

#[test]
fn nulls_and_the_future_are_counted_and_left_out() {
    let mut touchpoints = customer(&[("o", 1), ("x", 2), ("x", 3), ("x", 4), ("x", 10), ("x", 11), ("o", 3)]);
    touchpoints[1].customer = None;
    touchpoints[2].id = None;
    touchpoints[3].at = None;
    // Several reasons: the first counts.
    touchpoints[6] = Touchpoint { id: None, at: None, customer: None, ..touchpoints[6].clone() };
    let by_order =
        JourneyDefinition { key: vec![located("order_id"), located("customer_id")], ..definition("k", "event = 'o'") };
    let (rows, counts) = run(&[full(None, None), by_order], &touchpoints, 10 * DAY);
    assert_eq!(instances(&rows), ["j/t00 open 1..1 ended - members 1"]);
    let set_aside = SetAside { null_key: 2, null_id: 1, null_time: 1 };
    let open = Instances { open: 1, ..Instances::default() };
    assert_eq!(
        counts[0].counts,
        MatchCounts { read: 7, members: 1, non_members: 0, set_aside, after_as_of: 2, instances: open }
    );
    // Every order_id is null.
    let set_aside = SetAside { null_key: 7, ..SetAside::default() };
    assert_eq!(counts[1].counts, MatchCounts { read: 7, set_aside, ..MatchCounts::default() });
}

#[test]
fn a_null_condition_is_false() {
    let journey = JourneyDefinition {
        ends: Some(located("topic = 'done'")),
        includes: Some(located("topic <> 'spam'")),
        ..full(None, None)
    };
    assert_eq!(instances_of(journey, &[("o", 1), ("x", 2)], 9), ["j/t00 open 1..1 ended - members 1"]);
}

#[test]
fn further_key_columns_keep_instances_apart() {
    let mut touchpoints = customer(&[("o", 1), ("o", 2), ("c", 3), ("x", 4), ("c", 5)]);
    for (touchpoint, order) in touchpoints.iter_mut().zip([1, 2, 2, 1, 1]) {
        touchpoint.order_id = Some(order);
    }
    let journey =
        JourneyDefinition { key: vec![located("customer_id"), located("order_id")], ..full(Some("event = 'c'"), None) };
    assert_eq!(
        instances(&run(&[journey], &touchpoints, 9 * DAY).0),
        ["j/t00 completed 1..5 ended 5 members 3", "j/t01 completed 2..3 ended 3 members 2"]
    );
}

#[test]
fn times_at_the_ends_of_the_range_do_not_overflow() {
    let mut touchpoints = customer(&[("o", 0), ("x", 0)]);
    touchpoints[0].at = Some(i64::MIN);
    touchpoints[1].at = Some(i64::MAX - 1);
    let journey = JourneyDefinition { within: Some(Duration(DAY)), ..full(None, None) };
    let (rows, _) = run(&[journey], &touchpoints, i64::MAX);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].status, "expired");
}

#[test]
fn no_definitions_and_no_touchpoints_give_no_rows() {
    assert_eq!(run(&[], &customer(&[("o", 1)]), DAY), (vec![], vec![]));
    let (rows, counts) = run(&[full(None, None)], &[], DAY);
    assert!(rows.is_empty());
    assert_eq!(counts[0].counts, MatchCounts::default());
}
