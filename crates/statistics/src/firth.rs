//! Logistic regression with Firth's penalty: finite coefficients also where a covariate tells the outcomes apart.
//!
//! The likelihood is multiplied by the root of the determinant of the Fisher information (Firth 1993), which takes most
//! of the small-sample bias away and always has a maximum (Heinze and Schemper 2002). Profile tests are those of R's
//! `logistf`: the coefficients under test are held at 0 under the penalty of the whole model.

use crate::{
    covariates::Patterns,
    linear_system::Cholesky,
    logistic::{self, FitStatus, OWN_SHARE, SETTLED, equations},
    roc::auc,
    stratified::ChiSquaredTest,
};

/// Newton's method takes about ten steps.
const MOST_STEPS: usize = 200;
/// The shortest share of a step that is tried.
const SHORTEST: f64 = 1e-9;

/// A model fitted with Firth's penalty; everything but `n` is `None` unless the status is ok, the null model's
/// likelihood excepted.
#[derive(Debug, Clone, PartialEq)]
pub struct FirthFit {
    /// Intercept, then one log odds ratio for a unit of each covariate; `None` for one that is the same in every row.
    pub coefficients: Option<Vec<Option<f64>>>,
    /// Natural log of the likelihood at these coefficients, without the penalty.
    pub log_likelihood: Option<f64>,
    /// With the penalty: half the log-determinant of the Fisher information, covariates in their own units.
    pub penalized_log_likelihood: Option<f64>,
    /// Log-likelihood of the intercept alone, without penalty; known whenever there are observations.
    pub null_log_likelihood: Option<f64>,
    /// 1 − log-likelihood / null log-likelihood (McFadden 1974), both without the penalty.
    pub mcfadden_r2: Option<f64>,
    /// Area under the ROC curve of the fitted probabilities on the rows they were fitted to.
    pub auc: Option<f64>,
    /// Observations.
    pub n: u64,
    /// Coefficients estimated, the intercept among them.
    pub parameters: Option<u64>,
    /// How the fit ended; never `Separation`.
    pub status: FitStatus,
}

/// A penalized likelihood-ratio test; everything is `None` unless the status is ok.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FirthTest {
    /// Twice the gain in penalized log-likelihood; `None` also when no covariate under test varies.
    pub test: Option<ChiSquaredTest>,
    /// Penalized log-likelihood of the whole model.
    pub penalized_log_likelihood: Option<f64>,
    /// The same where the coefficients under test are 0.
    pub restricted_log_likelihood: Option<f64>,
    /// How the two fits ended.
    pub status: FitStatus,
}

/// Fits the probability of the outcome to an intercept and `covariates` columns with Firth's penalty.
///
/// `observations` are row-major rows of an outcome (0 or 1) followed by finite covariates. A covariate that is the same
/// in every row is left out of the fit. The result has the same bits for any order of the rows.
pub fn fit(observations: &[f64], covariates: usize) -> FirthFit {
    let patterns = Patterns::new(observations, covariates);
    let (positives, negatives) = outcomes(&patterns);
    let n = positives + negatives;
    let null = logistic::null_log_likelihood(positives as f64, negatives as f64);
    let without_solution = |status| FirthFit {
        coefficients: None,
        log_likelihood: None,
        penalized_log_likelihood: None,
        null_log_likelihood: (n > 0).then_some(null),
        mcfadden_r2: None,
        auc: None,
        n,
        parameters: None,
        status,
    };
    match maximize(&patterns, &vec![false; patterns.width]) {
        Err(status) => without_solution(status),
        Ok((coefficients, penalized)) => {
            let log_likelihood = logistic::log_likelihood(&patterns, &coefficients);
            FirthFit {
                coefficients: Some(patterns.unscaled(&coefficients)),
                log_likelihood: Some(log_likelihood),
                penalized_log_likelihood: Some(penalized + 0.5 * patterns.log_determinant_of_units()),
                mcfadden_r2: Some(1.0 - log_likelihood / null),
                auc: auc(logistic::scored(&patterns, &coefficients)),
                parameters: Some(patterns.width as u64),
                ..without_solution(FitStatus::Ok)
            }
        }
    }
}

/// Whether the last `tested` of the covariates add anything to the others: the profile penalized likelihood-ratio test.
///
/// Both likelihoods carry the penalty of the whole model, so that they can be compared. The degrees of freedom are the
/// covariates under test that vary.
pub fn test(observations: &[f64], covariates: usize, tested: usize) -> FirthTest {
    let patterns = Patterns::new(observations, covariates);
    let of_test = |place: &usize| place + tested >= covariates;
    let held: Vec<bool> = std::iter::once(false).chain(patterns.varying().iter().map(of_test)).collect();
    let df = held.iter().filter(|held| **held).count() as u64;
    let whole = maximize(&patterns, &vec![false; patterns.width]);
    let restricted = whole.as_ref().map_err(|status| *status).and_then(|_| maximize(&patterns, &held));
    match (whole, restricted) {
        (Ok((_, whole)), Ok((_, restricted))) => {
            let units = 0.5 * patterns.log_determinant_of_units();
            let statistic = (2.0 * (whole - restricted)).max(0.0);
            FirthTest {
                test: if df > 0 { ChiSquaredTest::new(statistic, df) } else { None },
                penalized_log_likelihood: Some(whole + units),
                restricted_log_likelihood: Some(restricted + units),
                status: FitStatus::Ok,
            }
        }
        (Err(status), _) | (_, Err(status)) => {
            FirthTest { test: None, penalized_log_likelihood: None, restricted_log_likelihood: None, status }
        }
    }
}

fn outcomes(patterns: &Patterns) -> (u64, u64) {
    (patterns.positives.iter().sum(), patterns.negatives.iter().sum())
}

/// The coefficients, in scaled columns, at which the penalized likelihood is largest among those that are 0 where
/// `held`, and that likelihood with the determinant of the scaled columns.
fn maximize(patterns: &Patterns, held: &[bool]) -> Result<(Vec<f64>, f64), FitStatus> {
    let width = patterns.width;
    let (positives, negatives) = outcomes(patterns);
    if positives == 0 || negatives == 0 || positives + negatives <= width as u64 {
        return Err(FitStatus::Insufficient);
    }
    let mut coefficients = vec![0.0; width];
    coefficients[0] = (positives as f64 / negatives as f64).ln();
    let start = equations(patterns, &coefficients).0;
    if Cholesky::new(start, width, OWN_SHARE).is_none() {
        return Err(FitStatus::Singular);
    }
    let free: Vec<usize> = (0..width).filter(|column| !held[*column]).collect();
    let mut likelihood = penalized(patterns, &coefficients).ok_or(FitStatus::NotConverged)?;
    for _ in 0..MOST_STEPS {
        let step = step(patterns, &coefficients, &free).ok_or(FitStatus::NotConverged)?;
        let (candidate, candidate_likelihood) = improved(patterns, &coefficients, &step, likelihood);
        let change = logistic::distance(patterns, &candidate, &coefficients);
        coefficients = candidate;
        likelihood = candidate_likelihood;
        if change <= SETTLED * logistic::reach(patterns, &coefficients).max(1.0) {
            return Ok((coefficients, likelihood));
        }
    }
    Err(FitStatus::NotConverged)
}

/// The log-likelihood plus half the log-determinant of the Fisher information; `None` where its weights have vanished.
fn penalized(patterns: &Patterns, coefficients: &[f64]) -> Option<f64> {
    let (information, _) = equations(patterns, coefficients);
    let cholesky = Cholesky::new(information, patterns.width, 0.0)?;
    let penalized = logistic::log_likelihood(patterns, coefficients) + 0.5 * cholesky.log_determinant();
    penalized.is_finite().then_some(penalized)
}

/// The step of Newton's method over the free columns; 0 in the others.
///
/// Where the penalized likelihood is not concave the Fisher information takes the place of its second derivatives,
/// which always leads upwards.
fn step(patterns: &Patterns, coefficients: &[f64], free: &[usize]) -> Option<Vec<f64>> {
    let width = patterns.width;
    let (information, curvature, gradient) = derivatives(patterns, coefficients)?;
    let of_free = |matrix: &[f64]| -> Vec<f64> {
        free.iter().flat_map(|row| free.iter().map(move |column| matrix[row * width + column])).collect()
    };
    let right: Vec<f64> = free.iter().map(|column| gradient[*column]).collect();
    let cholesky = Cholesky::new(of_free(&curvature), free.len(), OWN_SHARE)
        .or_else(|| Cholesky::new(of_free(&information), free.len(), 0.0))?;
    let mut step = vec![0.0; width];
    for (column, value) in free.iter().zip(cholesky.solve(&right)) {
        step[*column] = value;
    }
    Some(step)
}

/// The Fisher information, minus the second derivatives of the penalized log-likelihood (both row-major), and its first.
///
/// With z = L⁻¹·x, L·Lᵀ the information, a row's leverage is w·z·z. The derivatives of half the log-determinant are
/// those of the weights w = n·p(1 − p), once Σ w(1 − 2p)·x·(z·z)/2, and twice
/// Σ w(1 − 6p(1 − p))·x·xᵀ·(z·z)/2 − Σ E_j·E_k/2 with E_j = Σ w(1 − 2p)·x_j·z·zᵀ.
fn derivatives(patterns: &Patterns, coefficients: &[f64]) -> Option<(Vec<f64>, Vec<f64>, Vec<f64>)> {
    let width = patterns.width;
    let (mut information, mut gradient) = equations(patterns, coefficients);
    for left in 0..width {
        for right in 0..left {
            information[right * width + left] = information[left * width + right];
        }
    }
    let cholesky = Cholesky::new(information.clone(), width, 0.0)?;
    let pairs = width * (width + 1) / 2;
    let mut products = vec![0.0; pairs];
    let (mut curvature, mut tensor) = (information.clone(), vec![0.0; width * pairs]);
    for (row, positives, negatives) in patterns.iter() {
        let predictor = logistic::dot(row, coefficients);
        let (yes, no) = (logistic::logistic(predictor), logistic::logistic(-predictor));
        let (weight, slope) = ((positives + negatives) * yes * no, no - yes);
        let whitened = cholesky.forward(row);
        let leverage = logistic::dot(&whitened, &whitened);
        let second = 0.5 * weight * (1.0 - 6.0 * yes * no) * leverage;
        let mut pair = 0;
        for left in 0..width {
            for right in 0..=left {
                // A product off the diagonal stands for two.
                let both = if left == right { 1.0 } else { std::f64::consts::SQRT_2 };
                products[pair] = both * whitened[left] * whitened[right];
                pair += 1;
            }
        }
        for left in 0..width {
            gradient[left] += 0.5 * weight * slope * leverage * row[left];
            for right in 0..width {
                curvature[left * width + right] -= second * row[left] * row[right];
            }
            let share = weight * slope * row[left];
            let sums = &mut tensor[left * pairs..(left + 1) * pairs];
            sums.iter_mut().zip(&products).for_each(|(sum, product)| *sum += share * product);
        }
    }
    for left in 0..width {
        for right in 0..width {
            let of = |column: usize| &tensor[column * pairs..(column + 1) * pairs];
            curvature[left * width + right] += 0.5 * logistic::dot(of(left), of(right));
        }
    }
    Some((information, curvature, gradient))
}

/// The step, halved until the penalized likelihood does not fall, and that likelihood.
fn improved(patterns: &Patterns, from: &[f64], step: &[f64], likelihood: f64) -> (Vec<f64>, f64) {
    let mut length = 1.0;
    while length >= SHORTEST {
        let candidate: Vec<f64> = from.iter().zip(step).map(|(from, step)| from + length * step).collect();
        // Near the maximum the likelihood moves by less than its rounding error.
        if let Some(reached) = penalized(patterns, &candidate)
            && reached >= likelihood - 1e-12 * likelihood.abs().max(1.0)
        {
            return (candidate, reached);
        }
        length /= 2.0;
    }
    (from.to_vec(), likelihood)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_gets_half_a_customer_more_in_each_cell() {
        // With one dummy the penalty adds one half to each cell (Heinze and Schemper 2002).
        let mut observations = vec![];
        for (count, outcome, x) in [(12, 1.0, 1.0), (28, 0.0, 0.0), (9, 0.0, 1.0)] {
            (0..count).for_each(|_| observations.extend([outcome, x]));
        }
        let fit = fit(&observations, 1);
        let coefficients = fit.coefficients.unwrap();
        assert!((coefficients[0].unwrap() - (0.5_f64 / 28.5).ln()).abs() < 1e-10);
        assert!((coefficients[1].unwrap() - (12.5_f64 * 28.5 / (0.5 * 9.5)).ln()).abs() < 1e-10);
        assert_eq!((fit.status, fit.parameters), (FitStatus::Ok, Some(2)));
    }

    #[test]
    fn the_step_leads_to_where_the_penalized_likelihood_is_flat() {
        let observations: Vec<f64> = (0..24)
            .flat_map(|i| [f64::from(i > 11), f64::from(i) + f64::from(i * 5 % 7), f64::from(i * 11 % 5)])
            .collect();
        let patterns = Patterns::new(&observations, 2);
        let (coefficients, largest) = maximize(&patterns, &[false; 3]).unwrap();
        for column in 0..3 {
            for change in [-1e-3, 1e-3] {
                let mut near = coefficients.clone();
                near[column] += change;
                assert!(penalized(&patterns, &near).unwrap() < largest);
            }
        }
        // The second derivatives are those of the first.
        let (_, curvature, _) = derivatives(&patterns, &coefficients).unwrap();
        for column in 0..3 {
            let gradient = |change: f64| {
                let mut near = coefficients.clone();
                near[column] += change;
                derivatives(&patterns, &near).unwrap().2
            };
            let (above, below) = (gradient(1e-5), gradient(-1e-5));
            for row in 0..3 {
                let slope = (above[row] - below[row]) / 2e-5;
                assert!((slope + curvature[row * 3 + column]).abs() < 1e-6 * curvature[row * 3 + row].abs().max(1.0));
            }
        }
    }

    #[test]
    fn what_is_held_costs_likelihood_and_what_does_not_vary_is_no_test() {
        let complete: Vec<f64> =
            (0..20).flat_map(|i| [f64::from(i >= 10), f64::from(i % 3), f64::from(i), 4.0]).collect();
        let tested = test(&complete, 3, 2);
        assert_eq!((tested.status, tested.test.unwrap().df), (FitStatus::Ok, 1));
        assert!(tested.test.unwrap().p_value < 1e-3);
        assert!(tested.penalized_log_likelihood > tested.restricted_log_likelihood);
        assert_eq!(test(&complete, 3, 1).test, None);
        assert_eq!(test(&[1.0, 2.0], 1, 1).status, FitStatus::Insufficient);
    }
}
