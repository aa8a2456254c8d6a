//! Quantiles of the gamma distribution, from which the exact limits of Poisson counts are made (Garwood 1936).
//!
//! They are given as distances from the shape parameter: the limits of a difference of counts need how far each limit
//! lies from its count, and `quantile − shape` would lose the digits of that for counts around 1e9.

use std::f64::consts::PI;

use statrs::function::gamma::ln_gamma;

use crate::distributions::normal_quantile;

/// From this shape on Temme's expansion is right to 2e-12, and the series below would take thousands of terms.
const LARGE_SHAPE: f64 = 50_000.0;
/// From this shape on Stirling's series of the gamma function has all digits.
const STIRLING_SHAPE: f64 = 15.0;
/// Logarithms of values below e^-700 leave the range of a float.
const LEAST_LOG: f64 = -700.0;
/// Newton's method on a concave function takes about six steps, a few more where a tail is extreme.
const MOST_STEPS: usize = 200;
/// Change of ln x at which the quantile is found.
const SETTLED: f64 = 1e-9;

/// Which end of the distribution a probability is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// P(X ≤ x).
    Lower,
    /// P(X ≥ x).
    Upper,
}

/// x − shape for the x that leaves `probability` in the tail of a gamma variable with that shape and scale 1.
///
/// `None` for a shape that is not positive and finite, and for a probability outside (0, 1).
pub fn gamma_quantile_distance(shape: f64, tail: Tail, probability: f64) -> Option<f64> {
    if !(shape > 0.0 && shape.is_finite() && probability > 0.0 && probability < 1.0) {
        return None;
    }
    let quantile = normal_quantile(probability)?;
    let z = if tail == Tail::Lower { quantile } else { -quantile };
    let distance = if shape > LARGE_SHAPE { temme(shape, z) } else { newton(shape, tail, probability, z) };
    Some(distance).filter(|distance| distance.is_finite())
}

/// The quantile by uniform asymptotic inversion (Temme 1992): shape·λ(η) with η close to z/√shape.
fn temme(shape: f64, z: f64) -> f64 {
    /// Of λ(η) − 1, where η²/2 = λ − 1 − ln λ, from the first power on.
    const LAMBDA: [f64; 10] = [
        1.0,
        1.0 / 3.0,
        1.0 / 36.0,
        -1.0 / 270.0,
        1.0 / 4320.0,
        1.0 / 17_010.0,
        -139.0 / 5_443_200.0,
        1.0 / 204_120.0,
        -571.0 / 2_351_462_400.0,
        -281.0 / 1_515_591_000.0,
    ];
    /// Of the corrections of η by 1/shape and 1/shape².
    const FIRST: [f64; 7] =
        [-1.0 / 3.0, 1.0 / 36.0, 1.0 / 1620.0, -7.0 / 6480.0, 5.0 / 18_144.0, -11.0 / 382_725.0, -101.0 / 16_329_600.0];
    const SECOND: [f64; 6] = [
        -7.0 / 405.0,
        -7.0 / 2592.0,
        533.0 / 204_120.0,
        -1579.0 / 2_099_520.0,
        109.0 / 1_749_600.0,
        10_217.0 / 251_942_400.0,
    ];
    let series = |coefficients: &[f64], eta: f64| coefficients.iter().rev().fold(0.0, |sum, next| sum * eta + next);
    let leading = z / shape.sqrt();
    let eta = leading + (series(&FIRST, leading) + series(&SECOND, leading) / shape) / shape;
    shape * eta * series(&LAMBDA, eta)
}

/// The quantile by Newton's method on the logarithm of the tail over the logarithm of x.
///
/// The density of ln X is log-concave, so its tails are too: after one step the iterates approach from one side.
fn newton(shape: f64, tail: Tail, probability: f64, z: f64) -> f64 {
    let Some(mut log_x) = start(shape, tail, probability, z) else { return -shape };
    let target = probability.ln();
    for _ in 0..MOST_STEPS {
        let (log_tail, over_density) = log_tail(shape, log_x.exp(), tail);
        let step = match tail {
            Tail::Lower => (target - log_tail) * over_density,
            Tail::Upper => (log_tail - target) * over_density,
        };
        if !step.is_finite() {
            break;
        }
        // Far off a step may leave the range of a float; more than a factor of e² at once is never needed.
        let step = step.clamp(-2.0, 2.0);
        log_x += step;
        if log_x < LEAST_LOG {
            return -shape;
        }
        // Newton's method squares the error, so what remains after such a step is below the last digit.
        if step.abs() <= SETTLED {
            break;
        }
    }
    log_x.exp() - shape
}

/// A logarithm of x near the quantile; `None` when x itself is 0 for a float.
fn start(shape: f64, tail: Tail, probability: f64, z: f64) -> Option<f64> {
    // Wilson and Hilferty (1931): the cube root of a gamma variable is nearly normal.
    let root = 1.0 - 1.0 / (9.0 * shape) + z / (3.0 * shape.sqrt());
    if root > 0.1 {
        return Some((shape * root.powi(3)).ln());
    }
    // Near 0 the lower tail is x^shape/Γ(shape + 1).
    let lower = if tail == Tail::Lower { probability } else { 1.0 - probability };
    let log_x = (lower.ln() + ln_gamma(shape + 1.0)) / shape;
    (log_x > LEAST_LOG).then_some(log_x.min(shape.ln().max(0.0) + 1.0))
}

/// The logarithm of a tail at x, and the tail over the density of ln X there, x^shape·e^-x/Γ(shape).
///
/// Both are computed without the tail itself, which vanishes where Newton's method starts far out.
fn log_tail(shape: f64, x: f64, tail: Tail) -> (f64, f64) {
    let log_density = shape.ln() + log_poisson_density(shape, x);
    let (near, over_density) = if x < shape + 1.0 {
        (Tail::Lower, series(shape, x) / shape)
    } else {
        (Tail::Upper, continued_fraction(shape, x))
    };
    let log_near = (log_density + over_density.ln()).min(0.0);
    if near == tail {
        return (log_near, over_density);
    }
    let other = -log_near.exp_m1();
    (other.ln(), other / log_density.exp())
}

/// 1 + x/(a + 1) + x²/((a + 1)(a + 2)) + …
fn series(shape: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut divisor) = (1.0, 1.0, shape);
    while term > sum * f64::EPSILON / 8.0 {
        divisor += 1.0;
        term *= x / divisor;
        sum += term;
    }
    sum
}

/// 1/(x + 1 − a − 1(1 − a)/(x + 3 − a − 2(2 − a)/(x + 5 − a − …))), by Lentz's method.
fn continued_fraction(shape: f64, x: f64) -> f64 {
    let mut even = x + 1.0 - shape;
    let mut c = f64::MAX;
    let mut d = 1.0 / even;
    let mut value = d;
    for step in 1..1_000_000 {
        let step = f64::from(step);
        let numerator = -step * (step - shape);
        even += 2.0;
        d = 1.0 / (numerator * d + even);
        c = even + numerator / c;
        let factor = c * d;
        value *= factor;
        if (factor - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    value
}

/// ln(x^shape·e^-x/Γ(shape + 1)) by the saddle point (Loader 2000), which loses no digits for large shapes.
fn log_poisson_density(shape: f64, x: f64) -> f64 {
    if shape < STIRLING_SHAPE {
        return shape * x.ln() - x - ln_gamma(shape + 1.0);
    }
    let square = shape * shape;
    let stirling = (1.0 / 12.0
        - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square) / square) / square)
        / shape;
    -stirling - deviance(shape, x) - (2.0 * PI * shape).ln() / 2.0
}

/// shape·ln(shape/x) + x − shape without cancellation where both are near each other.
fn deviance(shape: f64, x: f64) -> f64 {
    let difference = shape - x;
    if difference.abs() >= 0.1 * (shape + x) {
        return shape * (shape / x).ln() - difference;
    }
    let ratio = difference / (shape + x);
    let (mut sum, mut term, mut divisor) = (difference * ratio, 2.0 * shape * ratio, 1.0);
    loop {
        term *= ratio * ratio;
        divisor += 2.0;
        let next = sum + term / divisor;
        if next == sum {
            return sum;
        }
        sum = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponential_variable_has_its_quantiles_in_closed_form() {
        for probability in [1e-300, 1e-12, 0.025, 0.5, 0.975] {
            let upper = 1.0 + gamma_quantile_distance(1.0, Tail::Upper, probability).unwrap();
            assert!((upper + probability.ln()).abs() <= 1e-13 * upper.max(1.0), "{probability}: {upper}");
            let lower = 1.0 + gamma_quantile_distance(1.0, Tail::Lower, probability).unwrap();
            assert!((lower + (-probability).ln_1p()).abs() <= 1e-15_f64.max(1e-13 * lower), "{probability}: {lower}");
        }
    }

    #[test]
    fn both_ways_to_a_quantile_meet_where_one_takes_over() {
        for probability in [1e-300, 1e-100, 1e-6, 0.025, 0.4] {
            for tail in [Tail::Lower, Tail::Upper] {
                let z = normal_quantile(probability).unwrap() * if tail == Tail::Lower { 1.0 } else { -1.0 };
                let (series, expansion) = (newton(LARGE_SHAPE, tail, probability, z), temme(LARGE_SHAPE, z));
                assert!(
                    (series - expansion).abs() < 1e-10 * series.abs().max(1.0),
                    "{probability}: {series} {expansion}"
                );
            }
        }
    }

    #[test]
    fn no_quantile_without_a_distribution() {
        for (shape, probability) in
            [(0.0, 0.5), (-1.0, 0.5), (f64::NAN, 0.5), (f64::INFINITY, 0.5), (1.0, 0.0), (1.0, 1.0)]
        {
            assert_eq!(gamma_quantile_distance(shape, Tail::Lower, probability), None);
        }
        // Shapes so small that the quantile is 0 for a float.
        assert_eq!(gamma_quantile_distance(1e-4, Tail::Lower, 0.025), Some(-1e-4));
        assert!(gamma_quantile_distance(1e300, Tail::Upper, 1e-300).unwrap().is_finite());
    }
}
