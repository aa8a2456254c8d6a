//! The few distributions the statistics need: normal quantiles and the upper tails of the normal and χ² distributions.
//!
//! Tails are computed directly, never as one minus a cumulative probability: a p value of 1e-200 is a figure here,
//! and `1 - cdf` would call it 0 from about 1e-16 on.

use statrs::function::{erf::erfc, gamma::checked_gamma_ur};

/// Beyond this many degrees of freedom the incomplete gamma function loses the promised nine digits.
pub const MOST_DEGREES_OF_FREEDOM: u64 = 100_000;

/// A confidence level strictly between 0 and 1, with the critical value of the normal distribution that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Confidence {
    level: f64,
    z: f64,
}

impl Confidence {
    /// `None` unless `level` lies strictly between 0 and 1.
    pub fn new(level: f64) -> Option<Self> {
        if !(level > 0.0 && level < 1.0) {
            return None;
        }
        // By the lower tail: (1 − level)/2 keeps its digits where (1 + level)/2 rounds to 1.
        let z = -normal_quantile((1.0 - level) / 2.0)?;
        Some(Self { level, z })
    }

    /// The probability with which the interval covers the truth.
    pub fn level(self) -> f64 {
        self.level
    }

    /// z with P(|Z| < z) = level for a standard normal Z; 1.96 at 0.95.
    pub fn z(self) -> f64 {
        self.z
    }
}

/// The p-quantile of the standard normal distribution; `None` outside (0, 1).
///
/// Wichura (1988), Algorithm AS 241, PPND16: about sixteen digits for every p down to 1e-316. statrs inverts the
/// complementary error function with rational approximations too, but of the argument `1 - p`, and so runs out of
/// digits in the tails that a strict level needs.
pub fn normal_quantile(p: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180625 - q * q;
        return Some(q * polynomial(&CENTRE_ABOVE, r) / polynomial(&CENTRE_BELOW, r));
    }
    let r = (-(if q < 0.0 { p } else { 1.0 - p }).ln()).sqrt();
    let size = if r <= 5.0 {
        polynomial(&MIDDLE_ABOVE, r - 1.6) / polynomial(&MIDDLE_BELOW, r - 1.6)
    } else {
        polynomial(&TAIL_ABOVE, r - 5.0) / polynomial(&TAIL_BELOW, r - 5.0)
    };
    Some(if q < 0.0 { -size } else { size })
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
    match df {
        // The normal tail itself: relative accuracy down to the smallest p, where the incomplete gamma function of
        // statrs would pass through `1 - gamma_lr` for small statistics and stop early for large ones.
        1 => Some(erfc((statistic / 2.0).sqrt())),
        2 => Some((-statistic / 2.0).exp()),
        _ => checked_gamma_ur(df as f64 / 2.0, statistic / 2.0).ok().map(|p| p.clamp(0.0, 1.0)),
    }
}

/// Coefficients from the constant term upwards.
fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

// Wichura (1988), table of PPND16: |p − ½| ≤ 0.425, then √(−ln p) ≤ 5, then beyond.
const CENTRE_ABOVE: [f64; 8] = [
    3.387_132_872_796_366_5,
    1.331_416_678_917_843_8e2,
    1.971_590_950_306_551_3e3,
    1.373_169_376_550_946e4,
    4.592_195_393_154_987e4,
    6.726_577_092_700_87e4,
    3.343_057_558_358_813e4,
    2.509_080_928_730_122_7e3,
];
const CENTRE_BELOW: [f64; 8] = [
    1.0,
    4.231_333_070_160_091e1,
    6.871_870_074_920_579e2,
    5.394_196_021_424_751e3,
    2.121_379_430_158_659_7e4,
    3.930_789_580_009_271e4,
    2.872_908_573_572_194_3e4,
    5.226_495_278_852_545e3,
];
const MIDDLE_ABOVE: [f64; 8] = [
    1.423_437_110_749_683_5,
    4.630_337_846_156_546,
    5.769_497_221_460_691,
    3.647_848_324_763_204_5,
    1.270_458_252_452_368_4,
    2.417_807_251_774_506e-1,
    2.272_384_498_926_918_4e-2,
    7.745_450_142_783_414e-4,
];
const MIDDLE_BELOW: [f64; 8] = [
    1.0,
    2.053_191_626_637_759,
    1.676_384_830_183_803_8,
    6.897_673_349_851e-1,
    1.481_039_764_274_800_8e-1,
    1.519_866_656_361_645_7e-2,
    5.475_938_084_995_345e-4,
    1.050_750_071_644_416_9e-9,
];
const TAIL_ABOVE: [f64; 8] = [
    6.657_904_643_501_103,
    5.463_784_911_164_114,
    1.784_826_539_917_291_3,
    2.965_605_718_285_048_7e-1,
    2.653_218_952_657_612_4e-2,
    1.242_660_947_388_078_4e-3,
    2.711_555_568_743_487_6e-5,
    2.010_334_399_292_288_1e-7,
];
const TAIL_BELOW: [f64; 8] = [
    1.0,
    5.998_322_065_558_88e-1,
    1.369_298_809_227_358e-1,
    1.487_536_129_085_061_5e-2,
    7.868_691_311_456_133e-4,
    1.846_318_317_510_054_8e-5,
    1.421_511_758_316_446e-7,
    2.044_263_103_389_939_8e-15,
];

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
