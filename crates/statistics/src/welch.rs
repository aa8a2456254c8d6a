//! The difference of two means without the assumption of equal variances (Welch 1947).

use statrs::function::{beta::checked_beta_reg, gamma::ln_gamma};

use crate::{distributions::Confidence, proportion::Estimate};

/// From these degrees of freedom on the expansion about the normal quantile has all digits that are shown.
const MANY_DEGREES: f64 = 2000.0;
/// Newton's method on a concave function.
const MOST_STEPS: usize = 200;

/// A sample by its mean, its variance (with n − 1) and its size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Mean of the values.
    pub mean: f64,
    /// Sample variance, at least 0.
    pub variance: f64,
    /// Number of values.
    pub size: f64,
}

/// first.mean − second.mean with limits from Student's t at the degrees of freedom of Welch and Satterthwaite.
///
/// `None` below two values in a sample, for figures that are not finite and for a negative variance. Two samples
/// without any variance differ by exactly what their means do.
pub fn welch_difference(first: Sample, second: Sample, confidence: Confidence) -> Option<Estimate> {
    let possible = |sample: Sample| {
        sample.mean.is_finite()
            && sample.variance >= 0.0
            && sample.variance.is_finite()
            && sample.size >= 2.0
            && sample.size.is_finite()
    };
    if !possible(first) || !possible(second) {
        return None;
    }
    let difference = first.mean - second.mean;
    let (first_error, second_error) = (first.variance / first.size, second.variance / second.size);
    let error = first_error + second_error;
    if error == 0.0 {
        return Estimate::finite(difference, difference, difference);
    }
    // As shares of the whole, since the squares of small variances vanish.
    let (first_share, second_share) = (first_error / error, second_error / error);
    let degrees = 1.0 / (first_share.powi(2) / (first.size - 1.0) + second_share.powi(2) / (second.size - 1.0));
    // Never below those of the smaller sample, though rounding may say so.
    let degrees = degrees.max(first.size.min(second.size) - 1.0);
    let reach = t_quantile(degrees, confidence)? * error.sqrt();
    Estimate::finite(difference, difference - reach, difference + reach)
}

/// t with P(|T| < t) = level for Student's t at `degrees` of freedom, which need not be whole.
///
/// `None` unless the degrees are at least 1 and finite.
pub fn t_quantile(degrees: f64, confidence: Confidence) -> Option<f64> {
    if !(degrees >= 1.0 && degrees.is_finite()) {
        return None;
    }
    let z = confidence.z();
    if degrees > MANY_DEGREES && z < 8.0 {
        return Some(expansion(z, degrees));
    }
    newton(z, degrees, confidence.tail())
}

/// Fisher's expansion about the normal quantile (Fisher and Cornish 1960).
fn expansion(z: f64, degrees: f64) -> f64 {
    let square = z * z;
    let terms = [
        (square + 1.0) / 4.0,
        ((5.0 * square + 16.0) * square + 3.0) / 96.0,
        (((3.0 * square + 19.0) * square + 17.0) * square - 15.0) / 384.0,
        ((((79.0 * square + 776.0) * square + 1482.0) * square - 1920.0) * square - 945.0) / 92_160.0,
    ];
    z + z * terms.iter().rev().fold(0.0, |sum, term| (sum + term) / degrees)
}

/// Newton's method on the logarithm of the tail over the logarithm of t.
fn newton(z: f64, degrees: f64, tail: f64) -> Option<f64> {
    // P(T > t) = I(ν/(ν + t²); ν/2, 1/2)/2; density Γ((ν+1)/2)/(Γ(ν/2)√(νπ))·(1 + t²/ν)^−(ν+1)/2.
    let constant =
        ln_gamma((degrees + 1.0) / 2.0) - ln_gamma(degrees / 2.0) - (degrees * std::f64::consts::PI).ln() / 2.0;
    if z <= 0.0 {
        return Some(0.0);
    }
    let mut log_t = z.ln();
    for _ in 0..MOST_STEPS {
        let t = log_t.exp();
        let square = t * t;
        let beyond = checked_beta_reg(degrees / 2.0, 0.5, degrees / (degrees + square)).ok()? / 2.0;
        let density = (constant - (degrees + 1.0) / 2.0 * (square / degrees).ln_1p()).exp();
        let step = ((beyond.ln() - tail.ln()) * beyond / (density * t)).clamp(-2.0, 2.0);
        if step.is_nan() {
            return None;
        }
        log_t += step;
        if step.abs() <= 1e-10 {
            break;
        }
    }
    Some(log_t.exp()).filter(|t| t.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_the_cauchy_distribution_and_between_the_two_ways() {
        let confidence = Confidence::new(0.95).unwrap();
        assert!((t_quantile(1.0, confidence).unwrap() - 12.706_204_736_174_7).abs() < 1e-11);
        let (below, above) =
            (newton(confidence.z(), MANY_DEGREES, confidence.tail()).unwrap(), expansion(confidence.z(), MANY_DEGREES));
        assert!((below - above).abs() < 1e-12, "{below} {above}");
        assert_eq!(t_quantile(0.5, confidence), None);
    }

    #[test]
    fn samples_without_variance_differ_exactly() {
        let confidence = Confidence::new(0.95).unwrap();
        let sample = |mean, variance, size| Sample { mean, variance, size };
        let difference = welch_difference(sample(3.0, 0.0, 5.0), sample(1.0, 0.0, 9.0), confidence).unwrap();
        assert_eq!((difference.lower, difference.upper), (2.0, 2.0));
        assert_eq!(welch_difference(sample(3.0, 1.0, 1.0), sample(1.0, 1.0, 9.0), confidence), None);
        assert_eq!(welch_difference(sample(3.0, -1.0, 5.0), sample(1.0, 1.0, 9.0), confidence), None);
    }
}
