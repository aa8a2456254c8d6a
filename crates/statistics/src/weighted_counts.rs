//! Sums of Poisson counts with weights, and the limits of their differences.
//!
//! Excess leavers, their revenue and the parts of a change are all of this form: leavers of a stratum, times a weight
//! made of person-days, added and subtracted. Normal limits claim too much where the weights are uneven; these are
//! recovered from the exact ones of each side (MOVER, Zou and Donner 2008).

use crate::{
    distributions::{Confidence, chi_squared_upper_tail},
    proportion::Estimate,
    rates::garwood_reach,
};

/// The normal deviate beyond which a p value is 0 for a float.
const LARGEST_DEVIATE: f64 = 37.5;
/// Bracketing halves what is left at least every second step.
const MOST_STEPS: usize = 200;

/// A count with its weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedCount {
    /// What one of the count adds to the sum, at least 0.
    pub weight: f64,
    /// The count.
    pub count: f64,
    /// What the count would be expected to be; only its proportion to that of the others matters.
    pub expected: f64,
    /// Person-days it was counted over: what is expected of it when nothing else is known.
    pub days: f64,
}

/// Σ weight·count, taken as `scale` times a Poisson variable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedSum {
    /// Σ weight·count.
    pub total: f64,
    /// The larger of Σ weight²·count/Σ weight·count and the same of the expected counts.
    ///
    /// The first alone is too small just when the heavy strata happen to have no count.
    pub scale: f64,
}

impl WeightedSum {
    /// The sum of `counts`, in their order.
    pub fn new(counts: &[WeightedCount]) -> Self {
        let sums = |read: fn(&WeightedCount) -> f64| {
            counts.iter().fold((0.0, 0.0), |(first, second), count| {
                let weighted = count.weight * read(count);
                (first + weighted, second + count.weight * weighted)
            })
        };
        let ratio = |(first, second): (f64, f64)| (first > 0.0).then(|| second / first);
        let counted = sums(|count| count.count);
        let scale = match (ratio(counted), ratio(sums(|count| count.expected))) {
            (Some(raw), Some(smoothed)) => raw.max(smoothed),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => ratio(sums(|count| count.days)).unwrap_or(0.0),
        };
        Self { total: counted.0, scale }
    }

    /// The estimated variance of the sum.
    pub fn variance(self) -> f64 {
        self.scale * self.total
    }

    /// How far the limits lie below and above the sum (Garwood 1936); `None` when something overflowed.
    pub fn reach(self, confidence: Confidence) -> Option<(f64, f64)> {
        if self.scale == 0.0 {
            return (self.total == 0.0).then_some((0.0, 0.0));
        }
        let (below, above) = garwood_reach(self.total / self.scale, confidence)?;
        Some(((below * self.scale).min(self.total), above * self.scale))
    }

    /// The sum with its limits.
    pub fn estimate(self, confidence: Confidence) -> Option<Estimate> {
        let (below, above) = self.reach(confidence)?;
        Estimate::finite(self.total, self.total - below, self.total + above)
    }
}

/// `added` less `subtracted`, which are independent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The difference, given apart from the sums because it can be computed without their cancellation.
    pub estimate: f64,
    /// The counts that add.
    pub added: WeightedSum,
    /// The counts that subtract.
    pub subtracted: WeightedSum,
}

impl Difference {
    /// The standard error of the difference.
    pub fn standard_error(self) -> f64 {
        (self.added.variance() + self.subtracted.variance()).sqrt()
    }

    /// The difference with limits recovered from those of both sums.
    pub fn interval(self, confidence: Confidence) -> Option<Estimate> {
        let (added_below, added_above) = self.added.reach(confidence)?;
        let (subtracted_below, subtracted_above) = self.subtracted.reach(confidence)?;
        let below = added_below.hypot(subtracted_above);
        let above = added_above.hypot(subtracted_below);
        Estimate::finite(self.estimate, self.estimate - below, self.estimate + above)
    }

    /// One less the confidence level at which the limit on the other side of the estimate just holds 0.
    ///
    /// The same statement as the interval: below 0.05 exactly when the 95 % interval leaves out 0. It is 1 for an
    /// estimate so small that every interval holds 0, and 0 below about 1e-307. `None` when something overflowed.
    pub fn p_value(self) -> Option<f64> {
        // How far an interval of deviate z reaches beyond 0.
        let beyond = |z: f64| -> Option<f64> {
            let confidence = Confidence::of_deviate(z)?;
            let (added_below, added_above) = self.added.reach(confidence)?;
            let (subtracted_below, subtracted_above) = self.subtracted.reach(confidence)?;
            let reach = if self.estimate > 0.0 {
                added_below.hypot(subtracted_above)
            } else {
                added_above.hypot(subtracted_below)
            };
            Some(reach - self.estimate.abs()).filter(|beyond| beyond.is_finite())
        };
        let least = beyond(0.0)?;
        if least >= 0.0 {
            return Some(1.0);
        }
        let most = beyond(LARGEST_DEVIATE)?;
        if most < 0.0 {
            return Some(0.0);
        }
        // The reach of an interval is nearly proportional to z, so the chord nearly hits the root.
        let (mut low, mut high) = ((0.0, least), (LARGEST_DEVIATE, most));
        let start = self.estimate.abs() / self.standard_error();
        let mut next = if start > 0.0 && start < LARGEST_DEVIATE { start } else { crossing(low, high) };
        let mut last_side = 0.0;
        for _ in 0..MOST_STEPS {
            let value = beyond(next)?;
            if value == 0.0 {
                break;
            }
            // Illinois: an end that stays twice is given half its weight, so that both ends close in.
            if value < 0.0 {
                high.1 = if last_side < 0.0 { high.1 / 2.0 } else { high.1 };
                low = (next, value);
            } else {
                low.1 = if last_side > 0.0 { low.1 / 2.0 } else { low.1 };
                high = (next, value);
            }
            last_side = value;
            let candidate = crossing(low, high);
            let settled = (candidate - next).abs() <= 1e-15 * next || high.0 - low.0 <= 1e-15 * next;
            next = candidate;
            if settled {
                break;
            }
        }
        chi_squared_upper_tail(next * next, 1)
    }
}

/// Where the chord between two points of different sign crosses 0.
fn crossing(low: (f64, f64), high: (f64, f64)) -> f64 {
    let crossing = low.0 + (high.0 - low.0) * (low.1 / (low.1 - high.1));
    crossing.clamp(low.0, high.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence() -> Confidence {
        Confidence::new(0.95).unwrap()
    }

    fn counted(weight: f64, count: f64, expected: f64) -> WeightedCount {
        WeightedCount { weight, count, expected, days: 1.0 }
    }

    #[test]
    fn the_scale_is_the_larger_one() {
        let sum = WeightedSum::new(&[counted(1.0, 10.0, 5.0), counted(9.0, 0.0, 5.0)]);
        assert_eq!((sum.total, sum.scale), (10.0, 82.0 / 10.0));
        let nothing = WeightedSum::new(&[counted(1.0, 0.0, 0.0), counted(3.0, 0.0, 0.0)]);
        assert_eq!((nothing.total, nothing.scale), (0.0, 2.5));
        assert_eq!(WeightedSum::new(&[]).estimate(confidence()).unwrap().upper, 0.0);
    }

    #[test]
    fn the_p_value_is_the_level_at_which_the_limit_is_0() {
        for (added, subtracted) in [(40.0, 25.0), (12.0, 30.0), (3000.0, 2800.0), (0.0, 5.0), (8.0, 0.0)] {
            let difference = Difference {
                estimate: added - subtracted,
                added: WeightedSum { total: added, scale: 1.0 },
                subtracted: WeightedSum { total: subtracted, scale: 1.3 },
            };
            let p_value = difference.p_value().unwrap();
            let interval = difference.interval(Confidence::new(1.0 - p_value).unwrap()).unwrap();
            let limit = if added > subtracted { interval.lower } else { interval.upper };
            assert!(limit.abs() < 1e-9 * added.max(subtracted), "{added} {subtracted}: {limit} at {p_value}");
        }
        let equal = WeightedSum { total: 7.0, scale: 1.0 };
        assert_eq!(Difference { estimate: 0.0, added: equal, subtracted: equal }.p_value(), Some(1.0));
    }
}
