//! Random choices of one block, from a stream of its own.
//!
//! Only uniform numbers and the four basic operations: logarithms and normal deviates differ in their last bit from
//! one C library to the next.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::calendar::{DAY, HOUR, Time};

/// The dice of one block of customers.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// Stream `block` of `seed`: independent of how many blocks there are and of who draws them.
    pub(crate) fn new(seed: u64, block: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(block);
        Dice(rng)
    }

    /// Uniform on [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform on `low..=high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..=high)
    }

    /// Uniform on [low, high).
    pub(crate) fn amount(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Any 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.random()
    }

    /// A length of `low..high` days, to the microsecond.
    pub(crate) fn days(&mut self, low: f64, high: f64) -> Time {
        (self.amount(low, high) * DAY as f64) as Time
    }

    /// One of several, equally likely.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.between(0, of.len() as i64 - 1) as usize]
    }

    /// An index with the given weights, which sum to one.
    pub(crate) fn weighted(&mut self, weights: impl IntoIterator<Item = f64>) -> usize {
        let mut left = self.unit();
        let mut last = 0;
        for (index, weight) in weights.into_iter().enumerate() {
            last = index;
            if left < weight {
                break;
            }
            left -= weight;
        }
        last
    }

    /// A bell-shaped deviate with mean 0 and standard deviation 1: the sum of twelve uniforms less six.
    pub(crate) fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// A number of [0, 1) for one day of one spell, the same whenever it is asked for.
pub(crate) fn number_of_day(seed: u64, day: Time) -> f64 {
    // The upper 53 bits, as many as a double holds.
    (scramble(seed ^ scramble(day as u64)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Steele, Lea and Flood's SplitMix64 finalizer (2014): neighbouring numbers become unlike ones.
pub(crate) fn scramble(bits: u64) -> u64 {
    let mut z = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The instant's place in the day, squeezed into 8 to 21 o'clock; strictly monotone.
///
/// Nobody calls at night; and what starts before 21 o'clock never crosses midnight, where customers leave.
/// Instants are planned on the full day and squeezed once, when a row is written.
pub(crate) fn daytime(planned: Time) -> Time {
    let day = planned.div_euclid(DAY) * DAY;
    day + 8 * HOUR + planned.rem_euclid(DAY) * 13 / 24
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn daytime_keeps_the_order() {
        let times: Vec<Time> = (0..48 * 60).map(|minute| daytime(minute * 60_000_000)).collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(times.iter().all(|time| (8 * HOUR..21 * HOUR).contains(&time.rem_euclid(DAY))));
    }

    #[test]
    fn blocks_draw_from_streams_of_their_own() {
        assert_ne!(Dice::new(7, 0).bits(), Dice::new(7, 1).bits());
        assert_eq!(Dice::new(7, 3).bits(), Dice::new(7, 3).bits());
    }

    #[test]
    fn days_have_numbers_of_their_own() {
        let numbers: Vec<f64> = (0..20_000).map(|day| number_of_day(11, day * DAY)).collect();
        let share = |of: &dyn Fn(&[f64]) -> bool| numbers.windows(2).filter(|pair| of(pair)).count();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        assert!((4_700..5_300).contains(&share(&|pair| pair[0] < 0.5 && pair[1] < 0.5)), "days are independent");
        assert_eq!(number_of_day(11, 5 * DAY), numbers[5]);
        assert_ne!(number_of_day(12, 5 * DAY), numbers[5]);
    }

    #[test]
    fn weights_are_kept() {
        let mut dice = Dice::new(3, 0);
        let first = (0..10_000).filter(|_| dice.weighted([0.25, 0.75]) == 0).count();
        assert!((2_350..2_650).contains(&first), "{first}");
    }
}
