//! How long a customer may be silent before an episode is over, from the gaps between contacts.
//!
//! Inside an episode the next contact is near, between two it is far: the hazard of a next contact, high at first, falls
//! at some length of gap to a low background. Where it falls is found by maximum likelihood for a hazard that is
//! constant before and after one change point (Matthews and Farewell 1982), gaps without a next contact counted as
//! censored. A journey's end makes many of those, which pulls the change point to short gaps, so it is moved on for as
//! long as the hazard just beyond it is well above what comes later.

use crate::discovery::bins::{BINS, bin_of, limits};

/// Before the change point the hazard is at least this many times what it is after it; otherwise the contacts come
/// evenly and form no episodes.
const LEAST_CONTRAST: f64 = 4.0;
/// The change point moves on while the hazard beyond it is this many times what comes later.
const STILL_INSIDE: f64 = 3.0;
/// How far beyond, in bins: about a quarter longer.
const LOOKAHEAD: usize = 3;
/// Of all time waited, at least this share lies after the change point: where customers are never silent for longer, there
/// is nothing between episodes.
const LEAST_SILENCE: f64 = 0.1;
/// Gaps that say anything about a hazard.
const FEWEST: f64 = 5.0;

/// Gaps between contacts, and gaps up to the end of sight.
#[derive(Debug, Clone)]
pub(crate) struct Gaps {
    limits: [i64; BINS],
    /// Numbers and sums by bin, the last for what is longer than all limits.
    ended: [f64; BINS + 1],
    all: [f64; BINS + 1],
    length: [f64; BINS + 1],
}

impl Default for Gaps {
    fn default() -> Self {
        Self { limits: limits(), ended: [0.0; BINS + 1], all: [0.0; BINS + 1], length: [0.0; BINS + 1] }
    }
}

impl Gaps {
    /// A gap that another contact ended.
    pub(crate) fn ended(&mut self, length: i64) {
        self.ended[bin_of(&self.limits, length)] += 1.0;
        self.censored(length);
    }

    /// A gap that nothing ended in sight.
    pub(crate) fn censored(&mut self, length: i64) {
        let bin = bin_of(&self.limits, length);
        self.all[bin] += 1.0;
        self.length[bin] += length as f64;
    }

    /// The gap that ends an episode, at least `shortest`; `None` when contacts come evenly.
    pub(crate) fn idle(&self, shortest: i64) -> Option<i64> {
        let at = self.cumulated();
        let (events, risk) = at[BINS];
        let mut best: Option<(f64, usize)> = None;
        for (bin, (early, early_risk)) in at.iter().enumerate().take(BINS) {
            let (late, late_risk) = (events - early, risk - early_risk);
            if self.limits[bin] < shortest || *early < FEWEST || late_risk < LEAST_SILENCE * risk {
                continue;
            }
            if early / early_risk < LEAST_CONTRAST * late / late_risk {
                continue;
            }
            let likelihood = log_likelihood(*early, *early_risk) + log_likelihood(late, late_risk);
            if best.is_none_or(|(most, _)| likelihood > most) {
                best = Some((likelihood, bin));
            }
        }
        let (_, mut bin) = best?;
        while bin + LOOKAHEAD < BINS {
            let near = difference(at[bin], at[bin + LOOKAHEAD]);
            let far = difference(at[bin + LOOKAHEAD], at[BINS]);
            let background = if far.1 > 0.0 { (far.0 + 0.5) / far.1 } else { 0.0 };
            if near.0 < FEWEST || near.0 / near.1 < STILL_INSIDE * background {
                break;
            }
            bin += 1;
        }
        Some(self.limits[bin])
    }

    /// Contacts that came, and time waited for them, up to each limit; the last entry is all of it.
    fn cumulated(&self) -> [(f64, f64); BINS + 1] {
        let longer: f64 = self.all.iter().sum();
        let (mut events, mut length, mut shorter) = (0.0, 0.0, 0.0);
        std::array::from_fn(|bin| {
            events += self.ended[bin];
            length += self.length[bin];
            shorter += self.all[bin];
            let waiting = self.limits.get(bin).map_or(0.0, |limit| *limit as f64 * (longer - shorter));
            (events, length + waiting)
        })
    }
}

fn difference(from: (f64, f64), to: (f64, f64)) -> (f64, f64) {
    (to.0 - from.0, to.1 - from.1)
}

/// Of a constant hazard: n·ln(n/T) without the constant.
fn log_likelihood(events: f64, risk: f64) -> f64 {
    if events > 0.0 && risk > 0.0 { events * (events / risk).ln() } else { 0.0 }
}
