//! Estimates with their interval, and the Wilson interval of a proportion.

use crate::distributions::Confidence;

/// A figure with its confidence interval; all three are finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The point estimate, in the unit of the figure.
    pub estimate: f64,
    /// Lower limit of the interval, same unit.
    pub lower: f64,
    /// Upper limit of the interval, same unit.
    pub upper: f64,
}

impl Estimate {
    /// `None` when one of the three is not finite: an overflow or 0/0 is an undefined figure, not a number to show.
    pub fn finite(estimate: f64, lower: f64, upper: f64) -> Option<Self> {
        (estimate.is_finite() && lower.is_finite() && upper.is_finite()).then_some(Self { estimate, lower, upper })
    }
}

/// Whether `value` can be a count: finite and at least 0. Fractions are allowed, since weights are counts too.
pub fn is_count(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

/// A proportion in 0..1 with its score interval of Wilson (1927).
///
/// `None` without trials, with more successes than trials, or for values that cannot be counts. The interval always
/// lies within 0..1 and touches 0 exactly at no success, 1 at no failure.
pub fn wilson(successes: f64, trials: f64, confidence: Confidence) -> Option<Estimate> {
    if !is_count(successes) || !is_count(trials) || trials == 0.0 || successes > trials {
        return None;
    }
    let share = successes / trials;
    let lower = wilson_lower(share, trials, confidence.z());
    let upper = 1.0 - wilson_lower((trials - successes) / trials, trials, confidence.z());
    Estimate::finite(share, lower, upper.max(share))
}

/// The smaller root of (p − π)² = z²·π(1 − π)/n in π.
///
/// Written as the product of the roots over the larger one: the textbook difference loses all digits of a limit near 0.
fn wilson_lower(share: f64, trials: f64, z: f64) -> f64 {
    // Dividing by n first keeps counts of 1e308 from overflowing.
    let spread = z * z / trials;
    let root = (spread * (spread / 4.0 + share * (1.0 - share))).max(0.0).sqrt();
    let larger = share + spread / 2.0 + root;
    if larger > 0.0 { (share * share / larger).min(share) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence() -> Confidence {
        Confidence::new(0.95).unwrap()
    }

    #[test]
    fn limits_touch_the_ends_exactly() {
        let none = wilson(0.0, 20.0, confidence()).unwrap();
        assert_eq!((none.estimate, none.lower), (0.0, 0.0));
        let all = wilson(20.0, 20.0, confidence()).unwrap();
        assert_eq!((all.estimate, all.upper), (1.0, 1.0));
        assert!((1.0 - all.lower - none.upper).abs() < 1e-15);
    }

    #[test]
    fn what_cannot_be_a_share_has_no_figure() {
        for (successes, trials) in [(0.0, 0.0), (3.0, 2.0), (-1.0, 2.0), (f64::NAN, 2.0), (1.0, f64::INFINITY)] {
            assert_eq!(wilson(successes, trials, confidence()), None, "{successes}/{trials}");
        }
        assert!(wilson(1e307, 1e308, confidence()).is_some());
    }
}
