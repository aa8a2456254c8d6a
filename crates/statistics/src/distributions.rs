//! The few distributions the statistics need: normal quantiles and the upper tails of the normal and χ² distributions.
//!
//! Tails are computed directly, never as one minus a cumulative probability: a p value of 1e-200 is a figure here,
//! and `1 - cdf` would call it 0 from about 1e-16 on.

use std::f64::consts::SQRT_2;

use statrs::function::{erf::erfc_inv, gamma::checked_gamma_ur};

/// Beyond this many degrees of freedom the incomplete gamma function loses the promised nine digits.
pub const MOST_DEGREES_OF_FREEDOM: u64 = 100_000;

/// A confidence level strictly between 0 and 1, with the critical value of the normal distribution that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Confidence {
    level: f64,
    tail: f64,
    z: f64,
}

impl Confidence {
    /// `None` unless `level` lies strictly between 0 and 1.
    pub fn new(level: f64) -> Option<Self> {
        if !(level > 0.0 && level < 1.0) {
            return None;
        }
        // By the lower tail: (1 − level)/2 keeps its digits where (1 + level)/2 rounds to 1.
        let tail = (1.0 - level) / 2.0;
        Some(Self { level, tail, z: -normal_quantile(tail)? })
    }

    /// The confidence whose normal limits lie `z` standard errors from the estimate, also where its level rounds to 1.
    ///
    /// `None` for a negative `z` and for one so large that nothing lies beyond it.
    pub fn of_deviate(z: f64) -> Option<Self> {
        let beyond = if z >= 0.0 { chi_squared_upper_tail(z * z, 1)? } else { return None };
        (beyond > 0.0).then_some(Self { level: 1.0 - beyond, tail: beyond / 2.0, z })
    }

    /// The probability with which the interval covers the truth.
    pub fn level(self) -> f64 {
        self.level
    }

    /// The probability beyond each limit of a two-sided interval, (1 − level)/2.
    pub fn tail(self) -> f64 {
        self.tail
    }

    /// z with P(|Z| < z) = level for a standard normal Z; 1.96 at 0.95.
    pub fn z(self) -> f64 {
        self.z
    }
}

/// The p-quantile of the standard normal distribution; `None` outside (0, 1).
///
/// Right to 2e-14 from p = 1e-300 up.
pub fn normal_quantile(p: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    // 2p is exact, so neither tail loses a digit. Taken from 0 so that the median is 0 and not −0.
    Some(0.0 - SQRT_2 * erfc_inv(2.0 * p)).filter(|quantile| quantile.is_finite())
}

/// P(X ≥ statistic) for a χ² variable with `df` degrees of freedom.
///
/// `None` for a statistic that is negative or not finite, and for `df` outside 1..=[`MOST_DEGREES_OF_FREEDOM`].
pub fn chi_squared_upper_tail(statistic: f64, df: u64) -> Option<f64> {
    if !statistic.is_finite() || statistic < 0.0 || df == 0 || df > MOST_DEGREES_OF_FREEDOM {
        return None;
    }
    if statistic == 0.0 {
        return Some(1.0);
    }
    // Also for one degree of freedom, where erfc(√(x/2)) would be the same figure: statrs's erfc is off by 1e-10 of it
    // over wide stretches, its incomplete gamma function by 1e-13 down to the smallest p.
    checked_gamma_ur(df as f64 / 2.0, statistic / 2.0).ok().map(|p| p.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_outside_the_open_unit_interval_are_refused() {
        for level in [0.0, 1.0, -0.5, 1.5, f64::NAN, f64::INFINITY, 1e308] {
            assert_eq!(Confidence::new(level), None, "{level}");
        }
        assert!((Confidence::new(0.95).unwrap().z() - 1.959_963_984_540_054).abs() < 1e-14);
    }

    #[test]
    fn tails_have_no_figure_where_none_is_defined() {
        for (statistic, df) in [(-1.0, 1), (f64::NAN, 1), (f64::INFINITY, 3), (1.0, 0), (1.0, u64::MAX)] {
            assert_eq!(chi_squared_upper_tail(statistic, df), None, "{statistic} {df}");
        }
        assert_eq!(chi_squared_upper_tail(0.0, 7), Some(1.0));
    }
}
