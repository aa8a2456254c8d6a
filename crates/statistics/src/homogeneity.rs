//! Whether estimates of one figure from independent groups could be the same.

use crate::stratified::ChiSquaredTest;

/// Cochran's Q of independent estimates with their standard errors: Σ (y − ȳ)²/se², ȳ weighted by 1/se², χ² with one
/// degree of freedom less than there are estimates (Cochran 1954).
///
/// `None` below two estimates, for a value that is not finite and for a standard error that is not positive.
pub fn cochran_q(estimates: &[(f64, f64)]) -> Option<ChiSquaredTest> {
    let possible = |(estimate, error): &(f64, f64)| estimate.is_finite() && *error > 0.0 && error.is_finite();
    if estimates.len() < 2 || !estimates.iter().all(possible) {
        return None;
    }
    let mut estimates = estimates.to_vec();
    estimates.sort_by(|left, right| left.0.total_cmp(&right.0).then(left.1.total_cmp(&right.1)));
    // Relative to the smallest error, so that the weights neither overflow nor vanish.
    let smallest = estimates.iter().fold(f64::INFINITY, |smallest, (_, error)| smallest.min(*error));
    let weight = |error: f64| (smallest / error).powi(2);
    // About the first estimate, since the mean of nearly equal ones would lose their difference.
    let origin = estimates[0].0;
    let (weights, sum) = estimates.iter().fold((0.0, 0.0), |(weights, sum), (estimate, error)| {
        (weights + weight(*error), sum + weight(*error) * (estimate - origin))
    });
    let mean = sum / weights;
    let statistic: f64 = estimates.iter().map(|(estimate, error)| ((estimate - origin - mean) / error).powi(2)).sum();
    ChiSquaredTest::new(statistic, estimates.len() as u64 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_estimates_are_compared_by_their_difference() {
        let test = cochran_q(&[(1.0, 3.0), (6.0, 4.0)]).unwrap();
        assert!((test.statistic - 1.0).abs() < 1e-15);
        assert_eq!(test.df, 1);
        assert_eq!(cochran_q(&[(0.25, 1e-200), (0.25, 1e200)]).unwrap().statistic, 0.0);
    }

    #[test]
    fn one_estimate_has_nothing_to_agree_with() {
        assert_eq!(cochran_q(&[(1.0, 3.0)]), None);
        assert_eq!(cochran_q(&[(1.0, 3.0), (2.0, 0.0)]), None);
        assert_eq!(cochran_q(&[(1.0, 3.0), (f64::NAN, 1.0)]), None);
    }
}
