//! Who the customers are: what stays the same over a customer's spells.

use crate::calendar::{DAY, Time};
use crate::catalogue::{ANNUAL_BILLING, SEGMENTS, UNKNOWN, WITH_TELEVISION};
use crate::dice::{Dice, scramble};

const REGIONS: [&str; 5] = ["north", "east", "south", "west", "centre"];
const ACQUISITION: [&str; 5] = ["store", "web", "phone", "partner", "door_to_door"];
const PRICES: [f64; 5] = [24.0, 39.0, 69.0, 99.0, 35.0];
/// Share of the spells in which the customer's segment changes.
const MOVES: f64 = 0.04;
/// A browser's cookie and an app's installation live this long; then the visitor is another one.
const VISITOR_LIFE_DAYS: i64 = 180;

/// One customer.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) number: u64,
    pub(crate) segment: usize,
    pub(crate) region: &'static str,
    pub(crate) acquisition_channel: &'static str,
    pub(crate) birth_year: Option<i32>,
    /// Billed once a year.
    pub(crate) annual: bool,
    pub(crate) monthly_price: f64,
    pub(crate) device: &'static str,
    /// Has channels that can change.
    pub(crate) television: bool,
    /// From when on the register counts the customer to another segment, and to which.
    pub(crate) moved: Option<(Time, usize)>,
    secret: u64,
}

impl Person {
    pub(crate) fn draw(number: u64, dice: &mut Dice) -> Self {
        let segment = dice.weighted(SEGMENTS.map(|(_, share)| share));
        Person {
            number,
            segment,
            region: dice.pick(&REGIONS),
            acquisition_channel: dice.pick(&ACQUISITION),
            birth_year: dice.chance(0.93).then_some(()).map(|()| dice.between(1940, 2004) as i32),
            annual: dice.chance(ANNUAL_BILLING[segment]),
            monthly_price: PRICES[segment] + dice.between(0, 4) as f64 * 2.5,
            device: if dice.chance(0.55) { "web" } else { "app" },
            television: dice.chance(WITH_TELEVISION),
            moved: None,
            secret: dice.bits(),
        }
    }

    /// The same customer with, perhaps, another segment from some day after `from` and before `until` on.
    pub(crate) fn living(&self, from: Time, until: Time, dice: &mut Dice) -> Self {
        let days = (until - from) / DAY;
        let moves = dice.chance(MOVES) && days > 2 && self.segment != UNKNOWN;
        let moved = moves.then(|| {
            let others: Vec<usize> = (0..UNKNOWN).filter(|other| *other != self.segment).collect();
            ((from.div_euclid(DAY) + dice.between(1, days - 1)) * DAY, dice.pick(&others))
        });
        Person { moved, ..self.clone() }
    }

    /// Months that a bill covers.
    pub(crate) fn months_billed(&self) -> f64 {
        // A year costs eleven months.
        if self.annual { 11.0 } else { 1.0 }
    }

    /// The segment at `time`.
    pub(crate) fn segment_at(&self, time: Time) -> usize {
        match self.moved {
            Some((from, segment)) if from <= time => segment,
            _ => self.segment,
        }
    }

    /// The visitor the web site sees on a device at a time.
    pub(crate) fn visitor(&self, device: &str, time: Time) -> u64 {
        let life = time.div_euclid(VISITOR_LIFE_DAYS * DAY) as u64;
        scramble(self.secret ^ (life << 1) ^ u64::from(device == "app"))
    }
}
