//! One customer's chance of leaving on one day, and what it would be without each journey that acts on it.

use crate::catalogue::{HIGHEST_CHANCE, JOURNEY_COUNT};

/// What one journey does to a day.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Part {
    /// Index of the journey.
    pub(crate) journey: usize,
    /// The chance without its effect; all others stay.
    pub(crate) without: f64,
    /// Days since its latest touchpoint.
    pub(crate) days_since: f64,
    factor: f64,
}

/// The chance of a day. The journeys that act on it are few, so they stand in a short list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chance {
    pub(crate) of_leaving: f64,
    parts: [Part; JOURNEY_COUNT],
    count: usize,
}

impl Chance {
    pub(crate) fn without_journeys(quiet: f64) -> Self {
        Chance { of_leaving: quiet, parts: [Part::default(); JOURNEY_COUNT], count: 0 }
    }

    /// Lets an instance act. Two of one journey are no worse than the worse of them.
    pub(crate) fn act(&mut self, journey: usize, factor: f64, days_since: f64) {
        let same = self.parts[..self.count].iter().position(|part| part.journey == journey);
        let part = &mut self.parts[same.unwrap_or(self.count)];
        if same.is_none() {
            *part = Part { journey, without: 0.0, days_since, factor };
            self.count += 1;
            return;
        }
        part.days_since = part.days_since.min(days_since);
        if (factor - 1.0).abs() > (part.factor - 1.0).abs() {
            part.factor = factor;
        }
    }

    /// Multiplies it all, on a day that would have a chance of `quiet` without any journey.
    pub(crate) fn settle(&mut self, quiet: f64) {
        if self.count == 0 {
            return;
        }
        let factors = |but: usize| {
            let others = self.parts[..self.count].iter().enumerate().filter(move |(index, _)| *index != but);
            others.map(|(_, part)| part.factor).product::<f64>()
        };
        let of_leaving = (quiet * factors(self.count)).min(HIGHEST_CHANCE);
        let mut without = [0.0; JOURNEY_COUNT];
        for (index, without) in without.iter_mut().enumerate().take(self.count) {
            *without = (quiet * factors(index)).min(HIGHEST_CHANCE);
        }
        self.of_leaving = of_leaving;
        for (part, without) in self.parts.iter_mut().zip(without).take(self.count) {
            part.without = without;
        }
    }

    /// The journeys whose effect changes the day.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts[..self.count].iter().filter(|part| part.factor != 1.0)
    }

    /// What one journey does to it, where it does anything.
    #[cfg(test)]
    pub(crate) fn of_journey(&self, journey: usize) -> Option<&Part> {
        self.parts().find(|part| part.journey == journey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stronger_of_two_instances_acts() {
        let mut chance = Chance::without_journeys(0.01);
        chance.act(3, 1.5, 20.0);
        chance.act(3, 3.0, 40.0);
        chance.act(5, 0.5, 7.0);
        chance.act(7, 1.0, 1.0);
        chance.settle(0.01);
        assert!((chance.of_leaving - 0.015).abs() < 1e-15);
        let parts: Vec<(usize, f64)> = chance.parts().map(|part| (part.journey, part.days_since)).collect();
        assert_eq!(parts, [(3, 20.0), (5, 7.0)], "one without effect is no part");
        let without = |journey| chance.of_journey(journey).expect("it acts").without;
        assert!((without(3) - 0.005).abs() < 1e-15 && (without(5) - 0.03).abs() < 1e-15);
    }

    #[test]
    fn no_day_is_beyond_the_highest_chance() {
        let mut chance = Chance::without_journeys(0.1);
        chance.act(3, 9.0, 1.0);
        chance.settle(0.1);
        assert_eq!(chance.of_leaving, HIGHEST_CHANCE);
    }
}
