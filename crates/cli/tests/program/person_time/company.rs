//! Small random companies with everything that is awkward about person-time, and their lakes.
//!
//! Most instants lie on a grid of six hours, so that joining, leaving, loss, changes of attributes and touchpoints often
//! meet at one instant, and every fourth of them at midnight.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::dice::Dice;

/// An hour and a day, in microseconds.
pub(super) const HOUR: i64 = 3_600_000_000;
pub(super) const DAY: i64 = 24 * HOUR;

/// 2024-01-01 00:00 UTC.
pub(super) const NEW_YEAR: i64 = 1_704_067_200_000_000;

const EVENTS: [&str; 7] = ["a", "b", "c", "d", "q", "x", "y"];
const CHANNELS: [&str; 6] = ["web", "phone", "phone", "chat", "email", "store"];

/// A touchpoint; without a time at which it became known it was known when it happened.
#[derive(Debug, Clone)]
pub(super) struct Touchpoint {
    pub(super) touchpoint_id: String,
    pub(super) customer_id: String,
    pub(super) order_id: Option<String>,
    pub(super) occurred_at: i64,
    pub(super) known_at: i64,
    pub(super) channel: &'static str,
    pub(super) event: &'static str,
    pub(super) topic: Option<&'static str>,
    pub(super) resolved: Option<bool>,
}

/// A customer's attributes; before the first are known the segment is unknown and the others are null.
#[derive(Debug, Clone, Default)]
pub(super) struct Attributes {
    pub(super) segment: Option<&'static str>,
    pub(super) region: Option<&'static str>,
    pub(super) promised_at: Option<i64>,
}

#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) valid_from: i64,
    pub(super) attributes: Attributes,
}

/// A membership spell.
#[derive(Debug, Clone)]
pub(super) struct Spell {
    pub(super) customer_id: String,
    pub(super) joined_at: i64,
    pub(super) notice_at: Option<i64>,
    pub(super) churned_at: Option<i64>,
    pub(super) lost_at: Option<i64>,
    pub(super) versions: Vec<Version>,
}

/// A condition on who could be on a journey, in SQL and in Rust.
#[derive(Debug, Clone, Copy)]
pub(super) struct Eligible {
    sql: &'static str,
    pub(super) holds: fn(&Attributes, i64) -> bool,
}

/// An instant from or until which somebody could be on a journey, in SQL and in Rust.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    sql: &'static str,
    pub(super) at: fn(&Attributes, i64) -> Option<i64>,
}

const ELIGIBLE: [Eligible; 5] = [
    Eligible { sql: "segment <> 'business'", holds: |of, _| of.segment != Some("business") },
    Eligible { sql: "region = 'north'", holds: |of, _| of.region == Some("north") },
    Eligible { sql: "region IS NULL", holds: |of, _| of.region.is_none() },
    Eligible {
        sql: "segment = 'unknown' OR region <> 'north'",
        holds: |of, _| of.segment.is_none() || of.region.is_some_and(|region| region != "north"),
    },
    Eligible {
        sql: "joined_at >= TIMESTAMP '2023-11-15T06:00:00Z'",
        holds: |_, joined_at| joined_at >= NEW_YEAR - 47 * DAY + 6 * HOUR,
    },
];

const BOUNDS: [Bound; 6] = [
    Bound { sql: "joined_at + INTERVAL '50 days'", at: |_, joined_at| Some(joined_at + 50 * DAY) },
    Bound { sql: "joined_at + INTERVAL '36 hours'", at: |_, joined_at| Some(joined_at + 36 * HOUR) },
    Bound { sql: "joined_at + INTERVAL '200 days'", at: |_, joined_at| Some(joined_at + 200 * DAY) },
    Bound { sql: "promised_at", at: |of, _| of.promised_at },
    Bound { sql: "promised_at + INTERVAL '30 days'", at: |of, _| of.promised_at.map(|at| at + 30 * DAY) },
    Bound { sql: "TIMESTAMP '2024-04-20T12:00:00Z'", at: |_, _| Some(NEW_YEAR + 110 * DAY + 12 * HOUR) },
];

/// A journey definition over events; `includes: None` takes every touchpoint.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) starts: Vec<&'static str>,
    pub(super) ends: Vec<&'static str>,
    pub(super) abandons: Vec<&'static str>,
    pub(super) includes: Option<Vec<&'static str>>,
    pub(super) within: Option<i64>,
    pub(super) idle: Option<i64>,
    pub(super) splits: bool,
    /// Whether the key is `[customer_id, order_id]`.
    pub(super) by_order: bool,
    pub(super) eligible: Option<Eligible>,
    pub(super) eligible_from: Option<Bound>,
    pub(super) eligible_until: Option<Bound>,
}

/// A company, its journeys, and how its days are counted.
#[derive(Debug, Clone)]
pub(super) struct Company {
    pub(super) start: i64,
    pub(super) horizon_days: i64,
    pub(super) delay_days: i64,
    pub(super) spells: Vec<Spell>,
    pub(super) touchpoints: Vec<Touchpoint>,
    pub(super) definitions: Vec<Definition>,
}

impl Company {
    /// A company of so many customers whose last touchpoints are `days` after the new year. The attributes of some may
    /// become known weeks after they join.
    pub(super) fn random(dice: &mut Dice, customers: usize, days: i64, late_attributes: bool) -> Self {
        let mut company = Self {
            start: NEW_YEAR + if dice.chance(30) { dice.between(0, 24) * HOUR } else { 0 },
            horizon_days: dice.one_of(&[90, 90, 60, 20]),
            delay_days: dice.one_of(&[0, 0, 3, 10]),
            spells: Vec::new(),
            touchpoints: Vec::new(),
            definitions: (0..4).map(|number| definition(dice, number)).collect(),
        };
        for number in 0..customers {
            let customer_id = format!("k{number:03}");
            company.spells.extend(spells(dice, &customer_id, days, late_attributes));
            let are_known_late = dice.chance(50);
            for _ in 0..dice.below(36) {
                let number = company.touchpoints.len();
                let before = company.touchpoints.last().filter(|before| before.customer_id == customer_id);
                // Half of them come within some days of another one, so that instances have several members.
                let occurred_at = match before.map(|before| before.occurred_at) {
                    Some(before) if dice.chance(50) => before + dice.between(0, 36) * 6 * HOUR,
                    _ => instant(dice, -40, days),
                };
                company.touchpoints.push(touchpoint(dice, number, &customer_id, occurred_at, are_known_late));
            }
        }
        company
    }

    /// A customer's touchpoints that were known before `as_of`, in the order in which they became known.
    pub(super) fn known_touchpoints(&self, customer_id: &str, as_of: i64) -> Vec<Touchpoint> {
        let of_customer = self.touchpoints.iter().filter(|touchpoint| touchpoint.customer_id == customer_id);
        let mut known: Vec<Touchpoint> =
            of_customer.filter(|touchpoint| touchpoint.known_at < as_of).cloned().collect();
        known.sort_by(|one, other| {
            let order = |of: &Touchpoint| (of.known_at, of.occurred_at, of.touchpoint_id.clone());
            order(one).cmp(&order(other))
        });
        known
    }

    /// The rows of the touchpoints' source, one JSON object a line.
    pub(super) fn touchpoint_lines(&self) -> String {
        lines(self.touchpoints.iter().map(touchpoint_line))
    }

    /// The rows of the customers' source: one for each version of a spell's attributes.
    pub(super) fn customer_lines(&self) -> String {
        let rows = self.spells.iter().flat_map(|of| {
            of.versions.iter().map(|version| {
                json!({
                    "customer_id": of.customer_id, "joined_at": time(of.joined_at),
                    "valid_from": time(version.valid_from), "notice_at": of.notice_at.map(time),
                    "churned_at": of.churned_at.map(time), "lost_at": of.lost_at.map(time),
                    "segment": version.attributes.segment, "region": version.attributes.region,
                    "promised_at": version.attributes.promised_at.map(time),
                })
            })
        });
        lines(rows)
    }

    /// The journeys' file.
    pub(super) fn definitions_yaml(&self) -> String {
        let mut text = String::new();
        for of in &self.definitions {
            let _ = writeln!(text, "{}:", of.name);
            let any = |events: &[&str]| format!("\"event IN ('{}')\"", events.join("', '"));
            let mut put = |key: &str, value: Option<String>| {
                if let Some(value) = value {
                    let _ = writeln!(text, "  {key}: {value}");
                }
            };
            let hours = |limit: Option<i64>| limit.map(|limit| format!("{} hours", limit / HOUR));
            let some = |events: &[&str]| (!events.is_empty()).then(|| any(events));
            put("starts", some(&of.starts));
            put("ends", some(&of.ends));
            put("abandons", some(&of.abandons));
            put("includes", of.includes.as_deref().map(any));
            put("within", hours(of.within));
            put("idle", hours(of.idle));
            put("on_restart", of.splits.then(|| "split".to_owned()));
            put("key", of.by_order.then(|| "[customer_id, order_id]".to_owned()));
            put("eligible", of.eligible.map(|eligible| format!("\"{}\"", eligible.sql)));
            put("eligible_from", of.eligible_from.map(|from| format!("\"{}\"", from.sql)));
            put("eligible_until", of.eligible_until.map(|until| format!("\"{}\"", until.sql)));
        }
        text
    }
}

/// A row of the touchpoints' source.
pub(super) fn touchpoint_line(of: &Touchpoint) -> Value {
    json!({
        "touchpoint_id": of.touchpoint_id, "customer_id": of.customer_id, "order_id": of.order_id,
        "occurred_at": time(of.occurred_at), "known_at": time(of.known_at), "channel": of.channel,
        "event": of.event, "topic": of.topic, "resolved": of.resolved,
    })
}

/// One JSON object a line.
pub(super) fn lines(rows: impl Iterator<Item = Value>) -> String {
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(text, "{row}");
    }
    text
}

/// RFC 3339 to the microsecond.
pub(super) fn time(at: i64) -> String {
    let at = chrono::DateTime::from_timestamp_micros(at).expect("a time of our time");
    at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// An instant so many days after the new year, mostly on the grid of six hours.
fn instant(dice: &mut Dice, from_day: i64, until_day: i64) -> i64 {
    let day = NEW_YEAR + dice.between(from_day, until_day) * DAY;
    match dice.below(10) {
        0..4 => day + dice.between(0, 4) * 6 * HOUR,
        4..7 => day,
        7 => day + DAY - 1,
        _ => day + dice.between(0, DAY),
    }
}

/// One to three spells of a customer one after the other, sometimes at one instant, sometimes the next before the one
/// before has ended, and rarely one that ends before it begins.
fn spells(dice: &mut Dice, customer_id: &str, days: i64, late_attributes: bool) -> Vec<Spell> {
    let mut spells: Vec<Spell> = Vec::new();
    let first_day = dice.one_of(&[-1200, -420, -200, -60, 0, 40, days - 60]);
    let mut joined_at = instant(dice, first_day, first_day + 40);
    for _ in 0..1 + dice.below(3) {
        let is_over = dice.chance(70);
        let left_at = joined_at + dice.between(0, 200) * DAY + dice.between(0, 5) * 6 * HOUR;
        let near = |dice: &mut Dice| left_at + dice.one_of(&[0, 0, 6 * HOUR, DAY, 12 * DAY]);
        let mut spell = Spell {
            customer_id: customer_id.to_owned(),
            joined_at,
            notice_at: None,
            churned_at: None,
            lost_at: None,
            versions: versions(dice, joined_at, late_attributes),
        };
        if is_over {
            match dice.below(10) {
                0..4 => spell.churned_at = Some(left_at),
                4..6 => spell.lost_at = Some(left_at),
                6 => (spell.notice_at, spell.churned_at) = (Some(left_at), Some(near(dice))),
                7 => (spell.churned_at, spell.lost_at) = (Some(left_at), Some(near(dice))),
                8 => (spell.lost_at, spell.churned_at) = (Some(left_at), Some(near(dice))),
                _ => {
                    (spell.notice_at, spell.lost_at) = (Some(left_at), Some(near(dice)));
                    spell.churned_at = Some(near(dice));
                }
            }
            if dice.chance(3) {
                spell.churned_at = Some(joined_at - DAY);
            }
        }
        spells.push(spell);
        if !is_over {
            break;
        }
        let gap = dice.one_of(&[0, 0, DAY, 30 * DAY, 100 * DAY + 7 * HOUR, -9 * DAY]);
        joined_at = (left_at + gap).max(joined_at + 1);
    }
    spells
}

/// One to four versions of a spell's attributes, the first at or after its beginning.
fn versions(dice: &mut Dice, joined_at: i64, late_attributes: bool) -> Vec<Version> {
    let mut valid_from = joined_at + dice.one_of(&[0, 0, 0, 6 * HOUR, if late_attributes { 40 * DAY } else { 0 }]);
    let mut versions = Vec::new();
    for _ in 0..1 + dice.below(4) {
        let attributes = Attributes {
            segment: dice.one_of(&[Some("consumer"), Some("consumer"), Some("business"), None]),
            region: dice.one_of(&[Some("north"), Some("south"), None]),
            promised_at: dice
                .chance(60)
                .then(|| joined_at + dice.between(-20, 120) * DAY + dice.one_of(&[0, 5 * HOUR])),
        };
        versions.push(Version { valid_from, attributes });
        valid_from += dice.one_of(&[6 * HOUR, DAY, 9 * DAY, 45 * DAY]);
    }
    versions
}

fn touchpoint(dice: &mut Dice, number: usize, customer_id: &str, occurred_at: i64, may_be_late: bool) -> Touchpoint {
    let late = if may_be_late && dice.chance(40) {
        dice.one_of(&[1, HOUR, 6 * HOUR, DAY, 5 * DAY, 19 * DAY + 3 * HOUR])
    } else {
        0
    };
    Touchpoint {
        touchpoint_id: format!("t{number:05}"),
        customer_id: customer_id.to_owned(),
        order_id: dice.one_of(&[Some("o1"), Some("o2"), None]).map(str::to_owned),
        occurred_at,
        known_at: occurred_at + late,
        channel: dice.one_of(&CHANNELS),
        event: dice.one_of(&EVENTS),
        topic: dice.one_of(&[Some("bill"), Some("fault"), Some("move"), None, None]),
        resolved: dice.one_of(&[Some(true), Some(true), None, None, None, None, None, Some(false)]),
    }
}

fn definition(dice: &mut Dice, number: usize) -> Definition {
    let some = |dice: &mut Dice, most: usize| -> Vec<&'static str> {
        let mut events: Vec<&str> = (0..1 + dice.below(most)).map(|_| dice.one_of(&EVENTS)).collect();
        events.sort_unstable();
        events.dedup();
        events
    };
    let limit = |dice: &mut Dice, hours: &[i64]| dice.chance(60).then(|| dice.one_of(hours) * HOUR);
    Definition {
        name: format!("journey_{number}"),
        starts: some(dice, 2),
        ends: if dice.chance(70) { some(dice, 2) } else { Vec::new() },
        abandons: if dice.chance(40) { some(dice, 1) } else { Vec::new() },
        includes: dice.chance(60).then(|| some(dice, 4)),
        within: limit(dice, &[24, 240, 720]),
        idle: limit(dice, &[6, 96, 480]),
        splits: dice.chance(40),
        by_order: dice.chance(25),
        eligible: dice.chance(40).then(|| dice.one_of(&ELIGIBLE)),
        eligible_from: dice.chance(30).then(|| dice.one_of(&BOUNDS)),
        eligible_until: dice.chance(30).then(|| dice.one_of(&BOUNDS)),
    }
}
