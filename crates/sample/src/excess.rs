//! How many more customers left because of each journey, summed over the days on which it acts.

use crate::catalogue::{JOURNEY_COUNT, SEGMENTS};
use crate::chance::Chance;

/// Effects that last longer are counted apart from the days soon after a touchpoint.
pub(crate) const SOON_DAYS: f64 = 90.0;

/// One journey in one month.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Excess {
    /// Days of customers on which the effect acts.
    pub(crate) days: u64,
    /// Σ of the chance of leaving over those days.
    pub(crate) with_effect: f64,
    /// Σ of what the chance would have been without this journey's effect.
    pub(crate) without_effect: f64,
    /// Σ of the difference over the days soon after a touchpoint of the journey, by segment.
    pub(crate) soon: [f64; SEGMENTS.len()],
    /// Who left and would not have left that day without the effect.
    pub(crate) left_only_because: u64,
    /// Days on which a customer stayed who would have left without the effect.
    pub(crate) stayed_only_because: u64,
}

impl Excess {
    pub(crate) fn add(&mut self, other: &Excess) {
        self.days += other.days;
        self.with_effect += other.with_effect;
        self.without_effect += other.without_effect;
        for (sum, part) in self.soon.iter_mut().zip(other.soon) {
            *sum += part;
        }
        self.left_only_because += other.left_only_because;
        self.stayed_only_because += other.stayed_only_because;
    }
}

/// Sums over all customers: by month, then journey.
#[derive(Debug, Clone)]
pub(crate) struct ExcessTally {
    pub(crate) months: Vec<[Excess; JOURNEY_COUNT]>,
    /// Who left, by month and segment.
    pub(crate) leavers: Vec<[u64; SEGMENTS.len()]>,
}

impl ExcessTally {
    pub(crate) fn new(months: usize) -> Self {
        ExcessTally {
            months: vec![[Excess::default(); JOURNEY_COUNT]; months],
            leavers: vec![[0; SEGMENTS.len()]; months],
        }
    }

    /// Counts a customer's day: `number` is the day's, and whoever leaves has one below the chance.
    pub(crate) fn day(&mut self, month: usize, segment: usize, number: f64, chance: &Chance) {
        let leaves = number < chance.of_leaving;
        for part in chance.parts() {
            let excess = &mut self.months[month][part.journey];
            excess.days += 1;
            excess.with_effect += chance.of_leaving;
            excess.without_effect += part.without;
            if part.days_since < SOON_DAYS {
                excess.soon[segment] += chance.of_leaving - part.without;
            }
            let would_leave = number < part.without;
            excess.left_only_because += u64::from(leaves && !would_leave);
            excess.stayed_only_because += u64::from(would_leave && !leaves);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chance(factor: f64, days_since: f64) -> Chance {
        let mut chance = Chance::without_journeys(0.02);
        chance.act(1, factor, days_since);
        chance.settle(0.02);
        chance
    }

    #[test]
    fn the_same_number_decides_with_and_without() {
        let mut tally = ExcessTally::new(1);
        for number in [0.01, 0.05, 0.09] {
            tally.day(0, 2, number, &chance(3.0, 10.0));
        }
        tally.day(0, 2, 0.015, &chance(0.5, 95.0));
        let excess = tally.months[0][1];
        assert_eq!((excess.days, excess.left_only_because, excess.stayed_only_because), (4, 1, 1));
        assert!((excess.with_effect - excess.without_effect - 0.11).abs() < 1e-12);
        assert!((excess.soon[2] - 0.12).abs() < 1e-12, "what acts later is left out: {}", excess.soon[2]);
        assert_eq!(tally.months[0][0], Excess::default());
    }
}
