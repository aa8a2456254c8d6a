//! Whether events stand where they stand more often than a shuffled order would put them there.
//!
//! Without any order every arrangement of an episode's touchpoints is as likely, so of an episode with `n` touchpoints,
//! `k` of which are of a set of events, one of the set is first (or last) with probability `k / n`, independently of
//! other episodes. The sum is compared with what is seen: a permutation test in closed form (Good 2005, §3.1). Events
//! that come at random, each in any order, open and close nothing by this test, however often they come.

/// So many standard deviations above what a shuffled order gives.
const LEAST_DEVIATIONS: f64 = 4.0;
/// And of the episodes in which order could put the event elsewhere, at least this share is not left to chance.
const LEAST_BEYOND: f64 = 0.2;

/// How often a place is taken, and how often a shuffled order would have it taken.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    pub(crate) seen: f64,
    expected: f64,
    variance: f64,
    occurred: f64,
}

impl Place {
    /// An episode of `n` touchpoints, `k` of which are of the set; `seen` says whether one of them has the place.
    pub(crate) fn add(&mut self, k: usize, n: usize, seen: bool) {
        if k == 0 || n == 0 {
            return;
        }
        let share = k as f64 / n as f64;
        self.seen += f64::from(u8::from(seen));
        self.expected += share;
        self.variance += share * (1.0 - share);
        self.occurred += 1.0;
    }

    /// Whether order shows: the place is taken clearly more often than by chance.
    pub(crate) fn beats_chance(&self) -> bool {
        let beyond = self.seen - self.expected;
        // What always has the place because nothing else is there says nothing about order.
        self.variance > 0.0
            && beyond >= LEAST_DEVIATIONS * self.variance.sqrt()
            && beyond >= LEAST_BEYOND * (self.occurred - self.expected)
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn what_always_comes_first_is_told_from_what_comes_anywhere() {
        let (mut first, mut anywhere, mut alone) = (Place::default(), Place::default(), Place::default());
        for episode in 0..200 {
            first.add(1, 4, true);
            anywhere.add(1, 4, episode % 4 == 0);
            alone.add(1, 1, true);
        }
        assert!(first.beats_chance());
        assert!(!anywhere.beats_chance());
        assert!(!alone.beats_chance());
    }
}
