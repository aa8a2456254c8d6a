//! Rates of leaving over person-time, and what one pair of them says: with everybody in one stratum.
//!
//! ```text
//!             leavers   person-days
//! exposed        a          n1
//! unexposed      c          n0
//!                m1         N
//! ```

use crate::{
    distributions::Confidence,
    gamma_quantile::{Tail, gamma_quantile_distance},
    proportion::{Estimate, is_count},
    two_by_two::ratio,
};

/// Leavers and person-days of a stratum, each finite and at least 0; nobody leaves without a day at risk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PersonTime {
    /// Leavers while exposed.
    pub a: f64,
    /// Person-days exposed.
    pub n1: f64,
    /// Leavers while unexposed.
    pub c: f64,
    /// Person-days unexposed.
    pub n0: f64,
}

impl PersonTime {
    /// `None` when a value is negative or not finite, or when somebody left without a day at risk.
    pub fn new(a: f64, n1: f64, c: f64, n0: f64) -> Option<Self> {
        let possible = [a, n1, c, n0].into_iter().all(is_count) && (n1 > 0.0 || a == 0.0) && (n0 > 0.0 || c == 0.0);
        possible.then_some(Self { a, n1, c, n0 })
    }

    /// m1 = a + c.
    pub fn leavers(&self) -> f64 {
        self.a + self.c
    }

    /// N = n1 + n0.
    pub fn days(&self) -> f64 {
        self.n1 + self.n0
    }

    /// a·n0 − c·n1 without cancellation.
    pub fn cross_difference(&self) -> f64 {
        // Kahan's difference of products: the rounding error of c·n1 is recovered by a fused multiply-add.
        let product = self.c * self.n1;
        let error = (-self.c).mul_add(self.n1, product);
        self.a.mul_add(self.n0, -product) + error
    }
}

/// How far the exact limits of a Poisson mean lie below and above the count it was seen by (Garwood 1936).
///
/// Lower limit: the mean at which the count or more has probability (1 − level)/2, 0 for a count of 0; upper limit:
/// that at which the count or fewer has. The count need not be whole. `None` unless it is finite and at least 0.
pub fn garwood_reach(count: f64, confidence: Confidence) -> Option<(f64, f64)> {
    if !is_count(count) {
        return None;
    }
    let tail = confidence.tail();
    let below = if count > 0.0 { -gamma_quantile_distance(count, Tail::Lower, tail)? } else { 0.0 };
    let above = 1.0 + gamma_quantile_distance(count + 1.0, Tail::Upper, tail)?;
    Some((below.clamp(0.0, count), above.max(0.0)))
}

/// Events a unit of time at risk, with exact Poisson limits (Garwood 1936).
///
/// `None` without time at risk or for values that cannot be counts.
pub fn poisson_rate(events: f64, time: f64, confidence: Confidence) -> Option<Estimate> {
    if !is_count(time) || time == 0.0 {
        return None;
    }
    let (below, above) = garwood_reach(events, confidence)?;
    let rate = events / time;
    Estimate::finite(rate, ((events - below) / time).min(rate), ((events + above) / time).max(rate))
}

/// (a/n1)/(c/n0) with the Wald interval on the log scale, SE √(1/a + 1/c).
///
/// `None` when nobody left in one of the arms: the ratio is then 0, infinite or undefined.
pub fn rate_ratio(arms: &PersonTime, confidence: Confidence) -> Option<Estimate> {
    if arms.a == 0.0 || arms.c == 0.0 {
        return None;
    }
    ratio((arms.a / arms.n1) / (arms.c / arms.n0), (1.0 / arms.a + 1.0 / arms.c).sqrt(), confidence)
}

/// a/n1 − c/n0 with limits recovered from the exact ones of both rates (MOVER, Zou and Donner 2008).
///
/// `None` when an arm has no day at risk.
pub fn rate_difference(arms: &PersonTime, confidence: Confidence) -> Option<Estimate> {
    let exposed = poisson_rate(arms.a, arms.n1, confidence)?;
    let unexposed = poisson_rate(arms.c, arms.n0, confidence)?;
    let difference = arms.cross_difference() / arms.n0 / arms.n1;
    let below = (exposed.estimate - exposed.lower).hypot(unexposed.upper - unexposed.estimate);
    let above = (exposed.upper - exposed.estimate).hypot(unexposed.estimate - unexposed.lower);
    Estimate::finite(difference, difference - below, difference + above)
}

/// The correlation of being exposed with leaving within `horizon` days at these rates, −1..1.
///
/// With p = 1 − exp(−horizon·rate), π = n1/N and p̄ = π·p1 + (1 − π)·p0: (p1 − p0)·√(π(1 − π)/(p̄(1 − p̄))), and the
/// limits of p1 − p0, recovered from the exact ones of both rates (MOVER), times the same factor; they may reach beyond
/// ±1. `None` when an arm has no day at risk, when nobody left, for a horizon that is not positive and finite, and where
/// everybody is as good as certain to leave within it.
pub fn churn_correlation(arms: &PersonTime, horizon: f64, confidence: Confidence) -> Option<Estimate> {
    if !(horizon > 0.0 && horizon.is_finite()) || arms.leavers() == 0.0 {
        return None;
    }
    let exposed = poisson_rate(arms.a, arms.n1, confidence)?;
    let unexposed = poisson_rate(arms.c, arms.n0, confidence)?;
    let stays = |rate: f64| (-horizon * rate).exp();
    let leaves = |rate: f64| -(-horizon * rate).exp_m1();
    // e^-x − e^-y = e^-x·(1 − e^-(y − x)), which keeps its digits when x and y are small or close to each other.
    let between = |low: f64, high: f64| stays(low) * leaves(high - low);
    let rates = arms.cross_difference() / arms.n0 / arms.n1;
    let difference = if rates >= 0.0 {
        stays(unexposed.estimate) * leaves(rates)
    } else {
        -stays(exposed.estimate) * leaves(-rates)
    };
    let below = between(exposed.lower, exposed.estimate).hypot(between(unexposed.estimate, unexposed.upper));
    let above = between(exposed.estimate, exposed.upper).hypot(between(unexposed.lower, unexposed.estimate));
    let (share, other_share) = (arms.n1 / arms.days(), arms.n0 / arms.days());
    let left = share * leaves(exposed.estimate) + other_share * leaves(unexposed.estimate);
    let stayed = share * stays(exposed.estimate) + other_share * stays(unexposed.estimate);
    let factor = (share / left).sqrt() * (other_share / stayed).sqrt();
    let correlation = (difference * factor).clamp(-1.0, 1.0);
    let (lower, upper) = ((difference - below) * factor, (difference + above) * factor);
    Estimate::finite(correlation, lower.min(correlation), upper.max(correlation))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence() -> Confidence {
        Confidence::new(0.95).unwrap()
    }

    #[test]
    fn no_event_has_the_rule_of_three() {
        let rate = poisson_rate(0.0, 1000.0, confidence()).unwrap();
        assert_eq!((rate.estimate, rate.lower), (0.0, 0.0));
        assert!((rate.upper - 3.688_879_454_113_936e-3).abs() < 1e-16);
    }

    #[test]
    fn huge_counts_have_nearly_normal_limits() {
        for count in [1e9, 1e15, 1e300] {
            let (below, above) = garwood_reach(count, confidence()).unwrap();
            let reach = confidence().z() * f64::sqrt(count);
            assert!((below / reach - 1.0).abs() < 1e-4 && (above / reach - 1.0).abs() < 1e-4, "{count}");
        }
    }

    #[test]
    fn what_cannot_be_has_no_rate() {
        assert_eq!(poisson_rate(3.0, 0.0, confidence()), None);
        assert_eq!(poisson_rate(f64::NAN, 1.0, confidence()), None);
        assert_eq!(poisson_rate(1.0, f64::INFINITY, confidence()), None);
        assert_eq!(PersonTime::new(1.0, 0.0, 0.0, 5.0), None);
        assert_eq!(PersonTime::new(0.0, 5.0, -1.0, 5.0), None);
        let nobody_unexposed = PersonTime::new(3.0, 100.0, 0.0, 0.0).unwrap();
        assert_eq!(rate_difference(&nobody_unexposed, confidence()), None);
        assert_eq!(churn_correlation(&nobody_unexposed, 90.0, confidence()), None);
        let nobody_left = PersonTime::new(0.0, 100.0, 0.0, 100.0).unwrap();
        assert_eq!(rate_ratio(&nobody_left, confidence()), None);
        assert_eq!(churn_correlation(&nobody_left, 90.0, confidence()), None);
        assert!(rate_difference(&nobody_left, confidence()).is_some());
    }
}
