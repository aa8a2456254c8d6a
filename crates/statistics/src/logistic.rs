//! Logistic regression by iteratively reweighted least squares, with an account of why it has no solution.

use crate::{
    covariates::Patterns,
    distributions::chi_squared_upper_tail,
    linear_system::Cholesky,
    roc::{ScoredCount, auc},
    stratified::ChiSquaredTest,
};

/// Newton's method takes about ten steps; a group of a billion customers with one churner takes about twenty-five.
const MOST_STEPS: usize = 100;
/// Change of the linear predictor, relative to its size, at which a fit is done. Newton's method squares the error, so
/// what remains is far below.
pub(crate) const SETTLED: f64 = 1e-9;
/// A covariate of which less than this share is its own is a combination of the others.
pub(crate) const OWN_SHARE: f64 = 1e-12;
/// Linear predictor beyond which a growing fit is suspected of separation: probabilities within 1e-5 of 0 or 1.
const SUSPICIOUS: f64 = 12.0;
/// How far a direction may point the wrong way, relative to its reach, and still prove separation.
const WRONG_WAY: f64 = 1e-6;

/// How a fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FitStatus {
    /// The maximum of the likelihood was found.
    Ok,
    /// Some combination of the covariates tells (some of) the outcomes apart without error (Albert and Anderson 1984):
    /// the likelihood has no maximum, the coefficients grow without bound.
    Separation,
    /// Neither a maximum nor separation after a hundred steps.
    NotConverged,
    /// One outcome only, or no more observations than coefficients.
    Insufficient,
    /// The covariates that vary are linearly dependent.
    Singular,
}

impl FitStatus {
    /// The status as tables show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Separation => "separation",
            Self::NotConverged => "not_converged",
            Self::Insufficient => "insufficient",
            Self::Singular => "singular",
        }
    }
}

/// A fitted model; everything but `n` is `None` unless the status is ok, the null model's likelihood excepted.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticFit {
    /// Intercept, then one log odds ratio for a unit of each covariate; `None` for one that is the same in every row.
    pub coefficients: Option<Vec<Option<f64>>>,
    /// Natural log of the likelihood at the maximum.
    pub log_likelihood: Option<f64>,
    /// The same with the intercept alone; known whenever there are observations.
    pub null_log_likelihood: Option<f64>,
    /// 1 − log-likelihood / null log-likelihood (McFadden 1974).
    pub mcfadden_r2: Option<f64>,
    /// Area under the ROC curve of the fitted probabilities on the rows they were fitted to.
    pub auc: Option<f64>,
    /// Observations.
    pub n: u64,
    /// Coefficients estimated, the intercept among them; differences are the degrees of freedom of a likelihood-ratio test.
    pub parameters: Option<u64>,
    /// How the fit ended.
    pub status: FitStatus,
}

/// Fits the probability of the outcome to an intercept and `covariates` columns.
///
/// `observations` are row-major rows of an outcome (0 or 1) followed by finite covariates. A covariate that is the same
/// in every row is left out of the fit. The result has the same bits for any order of the rows.
pub fn fit(observations: &[f64], covariates: usize) -> LogisticFit {
    let patterns = Patterns::new(observations, covariates);
    let positives: u64 = patterns.positives.iter().sum();
    let negatives: u64 = patterns.negatives.iter().sum();
    let n = positives + negatives;
    let null = null_log_likelihood(positives as f64, negatives as f64);
    let without_solution = |status| LogisticFit {
        coefficients: None,
        log_likelihood: None,
        null_log_likelihood: (n > 0).then_some(null),
        mcfadden_r2: None,
        auc: None,
        n,
        parameters: None,
        status,
    };
    if positives == 0 || negatives == 0 || n <= patterns.width as u64 {
        return without_solution(FitStatus::Insufficient);
    }
    match maximize(&patterns) {
        Err(failure) => without_solution(failure.status),
        Ok(coefficients) => {
            let log_likelihood = log_likelihood(&patterns, &coefficients);
            LogisticFit {
                coefficients: Some(patterns.unscaled(&coefficients)),
                log_likelihood: Some(log_likelihood),
                mcfadden_r2: Some(1.0 - log_likelihood / null),
                auc: auc(scored(&patterns, &coefficients)),
                parameters: Some(patterns.width as u64),
                ..without_solution(FitStatus::Ok)
            }
        }
    }
}

/// Twice the gain in log-likelihood of the bigger of two nested models, as χ² with `df` degrees of freedom (Wilks 1938).
///
/// Both have to be fitted to the same rows. `None` when the bigger model fits worse by more than rounding can explain,
/// for log-likelihoods that are not finite or above 0, and without degrees of freedom.
pub fn likelihood_ratio_test(small: f64, big: f64, df: u64) -> Option<ChiSquaredTest> {
    if !small.is_finite() || !big.is_finite() || small > 0.0 || big > 0.0 {
        return None;
    }
    let statistic = 2.0 * (big - small);
    let rounding = 1e-9 * small.abs().max(1.0);
    if statistic < -rounding {
        return None;
    }
    let statistic = statistic.max(0.0);
    Some(ChiSquaredTest { statistic, df, p_value: chi_squared_upper_tail(statistic, df)? })
}

/// The direction, intercept first and in the units of the covariates, along which the likelihood grows for ever; `None`
/// where it has a maximum or none was found. Rows that a separated fit says nothing of stand still along it.
pub(crate) fn separating_direction(observations: &[f64], covariates: usize) -> Option<Vec<Option<f64>>> {
    let patterns = Patterns::new(observations, covariates);
    let failure = maximize(&patterns).err()?;
    (failure.status == FitStatus::Separation).then(|| patterns.unscaled(&failure.direction))
}

/// Why there is no maximum; the direction, in scaled columns, is one of growth where the status is separation.
struct NoMaximum {
    status: FitStatus,
    direction: Vec<f64>,
}

impl NoMaximum {
    fn new(status: FitStatus) -> Self {
        Self { status, direction: vec![] }
    }
}

/// The coefficients, in scaled columns, at which the likelihood is largest.
fn maximize(patterns: &Patterns) -> Result<Vec<f64>, NoMaximum> {
    let width = patterns.width;
    let (positives, negatives): (u64, u64) = (patterns.positives.iter().sum(), patterns.negatives.iter().sum());
    let mut coefficients = vec![0.0; width];
    coefficients[0] = (positives as f64 / negatives as f64).ln();
    if Cholesky::new(equations(patterns, &coefficients).0, width, OWN_SHARE).is_none() {
        return Err(NoMaximum::new(FitStatus::Singular));
    }
    let mut likelihood = log_likelihood(patterns, &coefficients);
    let mut direction = vec![0.0; width];
    for _ in 0..MOST_STEPS {
        let (information, gradient) = equations(patterns, &coefficients);
        let Some(cholesky) = Cholesky::new(information, width, 0.0) else {
            // The columns are independent, so the weights have vanished: probabilities of 0 and 1.
            return Err(if proves_separation(patterns, &direction) {
                NoMaximum { status: FitStatus::Separation, direction }
            } else {
                NoMaximum::new(FitStatus::NotConverged)
            });
        };
        direction = cholesky.solve(&gradient);
        let (candidate, candidate_likelihood) = improved(patterns, &coefficients, &direction, likelihood);
        let reach = reach(patterns, &candidate);
        let change = distance(patterns, &candidate, &coefficients);
        coefficients = candidate;
        likelihood = candidate_likelihood;
        if change <= SETTLED * reach.max(1.0) {
            return Ok(coefficients);
        }
        if let Some(middle) = gap(patterns, &coefficients) {
            coefficients[0] -= middle;
            return Err(NoMaximum { status: FitStatus::Separation, direction: coefficients });
        }
        if reach > SUSPICIOUS && proves_separation(patterns, &direction) {
            return Err(NoMaximum { status: FitStatus::Separation, direction });
        }
    }
    Err(NoMaximum::new(FitStatus::NotConverged))
}

/// The Fisher information (row-major) and the gradient of the log-likelihood.
pub(crate) fn equations(patterns: &Patterns, coefficients: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let width = patterns.width;
    let (mut information, mut gradient) = (vec![0.0; width * width], vec![0.0; width]);
    for (row, positives, negatives) in patterns.iter() {
        let predictor = dot(row, coefficients);
        // Both probabilities by their own exponential: 1 − p loses every digit when p is near 1.
        let (yes, no) = (logistic(predictor), logistic(-predictor));
        let residual = positives * no - negatives * yes;
        let weight = (positives + negatives) * yes * no;
        for left in 0..width {
            gradient[left] += residual * row[left];
            let weighted = weight * row[left];
            for right in 0..=left {
                information[left * width + right] += weighted * row[right];
            }
        }
    }
    (information, gradient)
}

/// The step along `direction`, halved until the likelihood does not fall, and the likelihood there.
fn improved(patterns: &Patterns, from: &[f64], direction: &[f64], likelihood: f64) -> (Vec<f64>, f64) {
    let mut length = 1.0;
    loop {
        let candidate: Vec<f64> = from.iter().zip(direction).map(|(from, step)| from + length * step).collect();
        let candidate_likelihood = log_likelihood(patterns, &candidate);
        // Near the maximum the likelihood moves by less than its rounding error.
        if candidate_likelihood >= likelihood - 1e-12 * likelihood.abs() || length < 1e-6 {
            return (candidate, candidate_likelihood);
        }
        length /= 2.0;
    }
}

/// The middle between positives and negatives where every positive has a larger linear predictor than every negative.
fn gap(patterns: &Patterns, coefficients: &[f64]) -> Option<f64> {
    let (mut lowest_positive, mut highest_negative) = (f64::INFINITY, f64::NEG_INFINITY);
    for (row, positives, negatives) in patterns.iter() {
        let predictor = dot(row, coefficients);
        if positives > 0.0 {
            lowest_positive = lowest_positive.min(predictor);
        }
        if negatives > 0.0 {
            highest_negative = highest_negative.max(predictor);
        }
    }
    (lowest_positive > highest_negative).then_some(0.5 * lowest_positive + 0.5 * highest_negative)
}

/// Whether the likelihood grows for ever along `direction`: no positive goes down along it and no negative up.
///
/// Far out in a separated fit every Newton step points this way; the finite part of the coefficients has settled.
fn proves_separation(patterns: &Patterns, direction: &[f64]) -> bool {
    let reach = reach(patterns, direction);
    reach > 0.0
        && patterns.iter().all(|(row, positives, negatives)| {
            let moved = dot(row, direction);
            (positives == 0.0 || moved >= -WRONG_WAY * reach) && (negatives == 0.0 || moved <= WRONG_WAY * reach)
        })
}

/// The largest linear predictor in size.
pub(crate) fn reach(patterns: &Patterns, coefficients: &[f64]) -> f64 {
    patterns.iter().fold(0.0, |reach: f64, (row, _, _)| reach.max(dot(row, coefficients).abs()))
}

/// The largest change of the linear predictor between two sets of coefficients.
pub(crate) fn distance(patterns: &Patterns, left: &[f64], right: &[f64]) -> f64 {
    let difference: Vec<f64> = left.iter().zip(right).map(|(left, right)| left - right).collect();
    reach(patterns, &difference)
}

pub(crate) fn log_likelihood(patterns: &Patterns, coefficients: &[f64]) -> f64 {
    patterns.iter().fold(0.0, |sum, (row, positives, negatives)| {
        let predictor = dot(row, coefficients);
        sum - positives * softplus(-predictor) - negatives * softplus(predictor)
    })
}

pub(crate) fn null_log_likelihood(positives: f64, negatives: f64) -> f64 {
    let n = positives + negatives;
    let term = |count: f64| if count > 0.0 { count * (count / n).ln() } else { 0.0 };
    term(positives) + term(negatives)
}

pub(crate) fn scored(patterns: &Patterns, coefficients: &[f64]) -> Vec<ScoredCount> {
    let counts = patterns.positives.iter().zip(&patterns.negatives);
    patterns
        .rows
        .chunks_exact(patterns.width)
        .zip(counts)
        .map(|(row, (yes, no))| ScoredCount { score: dot(row, coefficients), positives: *yes, negatives: *no })
        .collect()
}

pub(crate) fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).fold(0.0, |sum, (left, right)| sum + left * right)
}

/// 1/(1 + e^−x).
pub(crate) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// ln(1 + eˣ) without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(observations: &[f64], covariates: usize) -> FitStatus {
        fit(observations, covariates).status
    }

    #[test]
    fn one_dummy_gives_the_log_odds_ratio() {
        let mut observations = vec![];
        for (count, outcome, x) in [(10, 1.0, 1.0), (20, 0.0, 1.0), (5, 1.0, 0.0), (40, 0.0, 0.0)] {
            (0..count).for_each(|_| observations.extend([outcome, x]));
        }
        let fit = fit(&observations, 1);
        let coefficients = fit.coefficients.unwrap();
        assert!((coefficients[0].unwrap() - (5.0_f64 / 40.0).ln()).abs() < 1e-12);
        assert!((coefficients[1].unwrap() - 4.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn separation_is_seen_whether_complete_or_in_one_group() {
        let complete: Vec<f64> = (0..20).flat_map(|i| [f64::from(i >= 10), f64::from(i)]).collect();
        assert_eq!(status(&complete, 1), FitStatus::Separation);
        // The third column marks ten customers of whom nobody churned.
        let one_group: Vec<f64> = (0..60)
            .flat_map(|i| [f64::from(i >= 10 && i % 3 == 0), f64::from(i * 7 % 11), f64::from(i < 10)])
            .collect();
        assert_eq!(status(&one_group, 2), FitStatus::Separation);
        let touching = [0.0, 1.0, 0.0, 2.0, 0.0, 3.0, 1.0, 3.0, 1.0, 4.0, 1.0, 5.0];
        assert_eq!(status(&touching, 1), FitStatus::Separation);
    }

    #[test]
    fn a_separating_direction_moves_the_rows_it_tells_apart_and_no_other() {
        // Nobody of the group left; the second column has nothing to do with it.
        let one_group: Vec<f64> = (0..60)
            .flat_map(|i| [f64::from(i >= 10 && i % 3 == 0), f64::from(i < 10), f64::from(i * 7 % 11)])
            .collect();
        let direction = separating_direction(&one_group, 2).unwrap();
        let [intercept, group, score] = direction.as_slice() else { panic!("{direction:?}") };
        let (intercept, group, score) = (intercept.unwrap(), group.unwrap(), score.unwrap());
        assert!(group < 0.0 && intercept.abs() < 1e-3 * group.abs() && score.abs() < 1e-3 * group.abs());
        let complete: Vec<f64> = (0..20).flat_map(|i| [f64::from(i >= 10), f64::from(i)]).collect();
        let direction = separating_direction(&complete, 1).unwrap();
        let predictor = |x: f64| direction[0].unwrap() + x * direction[1].unwrap();
        assert!(predictor(9.0) < 0.0 && predictor(10.0) > 0.0);
        assert_eq!(separating_direction(&[0.0, 1.0, 1.0, 1.0, 0.0, 2.0, 1.0, 2.0], 1), None);
    }

    #[test]
    fn one_churner_in_a_large_group_is_rare_not_separated() {
        let mut observations = vec![1.0, 1.0];
        (0..200_000).for_each(|_| observations.extend([0.0, 1.0]));
        (0..50).for_each(|i| observations.extend([f64::from(i % 2), 0.0]));
        assert_eq!(status(&observations, 1), FitStatus::Ok);
    }

    #[test]
    fn what_cannot_be_fitted_says_why() {
        assert_eq!(status(&[], 3), FitStatus::Insufficient);
        assert_eq!(status(&[1.0, 2.0, 1.0, 3.0, 1.0, 4.0], 1), FitStatus::Insufficient);
        let twice: Vec<f64> =
            (0..30).flat_map(|i| [f64::from(i % 2), f64::from(i % 7), f64::from(i % 7) * 3.0 + 1.0]).collect();
        assert_eq!(status(&twice, 2), FitStatus::Singular);
        let constant: Vec<f64> = (0..30).flat_map(|i| [f64::from(i % 2), f64::from(i % 7), 5.0]).collect();
        let fit = fit(&constant, 2);
        assert_eq!((fit.status, fit.parameters), (FitStatus::Ok, Some(2)));
        assert_eq!(fit.coefficients.unwrap()[2], None);
    }

    #[test]
    fn extreme_covariates_do_not_overflow() {
        for size in [1e308, 1e-300, 1.0] {
            let rows: Vec<f64> =
                (0..40).flat_map(|i| [f64::from(i % 3 == 0), f64::from(i % 8 - 4) / 4.0 * size]).collect();
            assert_eq!(status(&rows, 1), FitStatus::Ok, "{size}");
        }
    }

    #[test]
    fn a_bigger_model_cannot_fit_worse() {
        assert_eq!(likelihood_ratio_test(-100.0, -101.0, 1), None);
        assert_eq!(likelihood_ratio_test(-100.0, -100.0, 2).unwrap().p_value, 1.0);
        assert_eq!(likelihood_ratio_test(f64::NAN, -1.0, 2), None);
        assert_eq!(likelihood_ratio_test(-2.0, -1.0, 0), None);
    }
}
