//! Poisson regression on indicators, with an account of which rows have no maximum of the likelihood.

use statrs::function::gamma::ln_gamma;

use crate::linear_system::Cholesky;

/// Newton's method takes about six steps, and one more for each factor of e that a rate lies from the mean.
const MOST_STEPS: usize = 200;
/// Change of the linear predictor, relative to its size, at which a fit is done. Newton's method squares the error, so
/// what remains is far below.
const SETTLED: f64 = 1e-9;
/// How far a direction may point the wrong way, relative to its reach, and still prove separation.
const WRONG_WAY: f64 = 1e-6;
/// A row that goes down along such a direction by less than this share of its reach stays.
const STANDS_STILL: f64 = 1e-3;

/// Rows of a regression: which indicators are 1, how many left, over how many person-days.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IndicatorRows {
    /// Indicators of all rows, one row after the other.
    columns: Vec<usize>,
    /// Where the indicators of each row end.
    ends: Vec<usize>,
    /// Leavers of each row.
    leavers: Vec<f64>,
    /// Person-days of each row, above 0.
    days: Vec<f64>,
}

impl IndicatorRows {
    /// Adds a row; `columns` are the indicators that are 1.
    pub fn push(&mut self, columns: impl IntoIterator<Item = usize>, leavers: f64, days: f64) {
        self.columns.extend(columns);
        self.ends.push(self.columns.len());
        self.leavers.push(leavers);
        self.days.push(days);
    }

    /// Each row as its indicators, leavers and person-days.
    pub fn iter(&self) -> impl Iterator<Item = (&[usize], f64, f64)> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let figures = self.leavers.iter().zip(&self.days);
        starts
            .zip(&self.ends)
            .zip(figures)
            .map(|((start, end), (leavers, days))| (&self.columns[start..*end], *leavers, *days))
    }

    /// Xᵀ·X of the indicators, row-major; whole numbers, so exact.
    pub fn gram(&self, width: usize) -> Vec<f64> {
        let mut gram = vec![0.0; width * width];
        for (columns, ..) in self.iter() {
            for left in columns {
                columns.iter().for_each(|right| gram[left * width + right] += 1.0);
            }
        }
        gram
    }
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct PoissonFit {
    /// Log rate ratio of each indicator.
    pub coefficients: Vec<f64>,
    /// Their covariance, the inverse of the Fisher information; row-major.
    pub covariance: Vec<f64>,
    /// Natural log of the likelihood at its maximum.
    pub log_likelihood: f64,
    /// Twice what a model of every row's own rate gains.
    pub deviance: f64,
    /// Steps of Newton's method.
    pub steps: u64,
}

/// Why there is no fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPoissonFit {
    /// Along some direction the likelihood grows for ever while the rates of these rows, without leavers, go to 0
    /// (Correia, Guimarães and Zylkin 2019). Without them the others have the same maximum.
    Separation(Vec<usize>),
    /// Neither a maximum nor separation was found.
    NotConverged,
}

/// Fits log(leavers/person-days) to the indicators, whose columns have to be independent; the first is always 1.
///
/// By iteratively reweighted least squares, which for this link is Newton's method on the likelihood.
///
/// # Errors
/// When the likelihood has no maximum or it was not found.
pub fn fit(rows: &IndicatorRows, width: usize) -> Result<PoissonFit, NoPoissonFit> {
    let (leavers, days) = (rows.leavers.iter().sum::<f64>(), rows.days.iter().sum::<f64>());
    let mut coefficients = vec![0.0; width];
    coefficients[0] = (leavers / days).ln();
    let mut likelihood = kernel(rows, &coefficients);
    for step in 1..=MOST_STEPS {
        let (information, gradient) = equations(rows, &coefficients);
        // The columns are independent; what fails here are rates that have gone to 0.
        let Some(cholesky) = Cholesky::new(information, width, 0.0) else { return Err(NoPoissonFit::NotConverged) };
        let direction = cholesky.solve(&gradient);
        let separated = separated(rows, &direction);
        let (candidate, candidate_likelihood) = improved(rows, &coefficients, &direction, likelihood);
        let difference: Vec<f64> = candidate.iter().zip(&coefficients).map(|(new, old)| new - old).collect();
        let settled = reach(rows, &difference) <= SETTLED * reach(rows, &candidate).max(1.0);
        (coefficients, likelihood) = (candidate, candidate_likelihood);
        if settled {
            let (information, _) = equations(rows, &coefficients);
            let cholesky = Cholesky::new(information, width, 0.0).ok_or(NoPoissonFit::NotConverged)?;
            return Ok(PoissonFit {
                covariance: cholesky.inverse(),
                log_likelihood: log_likelihood(rows, &coefficients),
                deviance: deviance(rows, &coefficients),
                steps: step as u64,
                coefficients,
            });
        }
        if !separated.is_empty() {
            return Err(NoPoissonFit::Separation(separated));
        }
    }
    Err(NoPoissonFit::NotConverged)
}

/// The linear predictor of a row, without its person-days.
pub fn predictor(columns: &[usize], coefficients: &[f64]) -> f64 {
    columns.iter().fold(0.0, |sum, column| sum + coefficients[*column])
}

/// The Fisher information (row-major) and the gradient of the log-likelihood.
fn equations(rows: &IndicatorRows, coefficients: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let width = coefficients.len();
    let (mut information, mut gradient) = (vec![0.0; width * width], vec![0.0; width]);
    for (columns, leavers, days) in rows.iter() {
        let expected = days * predictor(columns, coefficients).exp();
        for left in columns {
            gradient[*left] += leavers - expected;
            columns.iter().for_each(|right| information[left * width + right] += expected);
        }
    }
    (information, gradient)
}

/// The step along `direction`, halved until the likelihood does not fall, and the likelihood there.
fn improved(rows: &IndicatorRows, from: &[f64], direction: &[f64], likelihood: f64) -> (Vec<f64>, f64) {
    let mut length = 1.0;
    loop {
        let candidate: Vec<f64> = from.iter().zip(direction).map(|(from, step)| from + length * step).collect();
        let candidate_likelihood = kernel(rows, &candidate);
        // Near the maximum the likelihood moves by less than its rounding error.
        if candidate_likelihood >= likelihood - 1e-12 * likelihood.abs() || length < 1e-9 {
            return (candidate, candidate_likelihood);
        }
        length /= 2.0;
    }
}

/// The rows whose rates go to 0 along `direction`, if the likelihood grows for ever along it; else none.
///
/// It does when no row with leavers moves and none without goes up. Far out in a separated fit every Newton step points
/// this way; the finite part of the coefficients has settled.
fn separated(rows: &IndicatorRows, direction: &[f64]) -> Vec<usize> {
    let reach = reach(rows, direction);
    let wrong = |(columns, leavers, _): (&[usize], f64, f64)| {
        let moved = predictor(columns, direction);
        moved > WRONG_WAY * reach || (leavers > 0.0 && moved < -WRONG_WAY * reach)
    };
    // At a maximum the steps are rounding errors, which prove nothing.
    if reach < SETTLED || rows.iter().any(wrong) {
        return vec![];
    }
    let sinks = |(columns, ..): (&[usize], f64, f64)| predictor(columns, direction) < -STANDS_STILL * reach;
    rows.iter().enumerate().filter(|(_, row)| sinks(*row)).map(|(index, _)| index).collect()
}

/// The largest linear predictor in size.
fn reach(rows: &IndicatorRows, coefficients: &[f64]) -> f64 {
    rows.iter().fold(0.0, |reach: f64, (columns, ..)| reach.max(predictor(columns, coefficients).abs()))
}

/// The part of the log-likelihood that depends on the coefficients.
fn kernel(rows: &IndicatorRows, coefficients: &[f64]) -> f64 {
    rows.iter().fold(0.0, |sum, (columns, leavers, days)| {
        let predictor = predictor(columns, coefficients);
        sum + leavers * predictor - days * predictor.exp()
    })
}

fn log_likelihood(rows: &IndicatorRows, coefficients: &[f64]) -> f64 {
    rows.iter().fold(0.0, |sum, (columns, leavers, days)| {
        let expected = days * predictor(columns, coefficients).exp();
        let of_count = if leavers > 0.0 { leavers * expected.ln() } else { 0.0 };
        sum + of_count - expected - ln_gamma(leavers + 1.0)
    })
}

fn deviance(rows: &IndicatorRows, coefficients: &[f64]) -> f64 {
    2.0 * rows.iter().fold(0.0, |sum, (columns, leavers, days)| {
        let expected = days * predictor(columns, coefficients).exp();
        let of_count = if leavers > 0.0 { leavers * (leavers / expected).ln() } else { 0.0 };
        sum + of_count - (leavers - expected)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_indicator_gives_the_log_rate_ratio() {
        let mut rows = IndicatorRows::default();
        rows.push([0], 40.0, 2000.0);
        rows.push([0, 1], 30.0, 1000.0);
        let fit = fit(&rows, 2).unwrap();
        assert!((fit.coefficients[0] - 0.02_f64.ln()).abs() < 1e-13);
        assert!((fit.coefficients[1] - 1.5_f64.ln()).abs() < 1e-13);
        assert!((fit.covariance[3] - (1.0 / 40.0 + 1.0 / 30.0)).abs() < 1e-14);
        assert!(fit.deviance.abs() < 1e-12);
    }

    #[test]
    fn rates_far_apart_are_reached() {
        let mut rows = IndicatorRows::default();
        rows.push([0], 1.0, 1e9);
        rows.push([0, 1], 1e6, 1e6);
        let fit = fit(&rows, 2).unwrap();
        assert!((fit.coefficients[1] - 1e9_f64.ln()).abs() < 1e-9);
    }

    #[test]
    fn rows_without_a_maximum_are_named() {
        let mut rows = IndicatorRows::default();
        rows.push([0], 5.0, 100.0);
        rows.push([0, 1], 4.0, 100.0);
        rows.push([0, 2], 3.0, 100.0);
        rows.push([0, 1, 2, 3], 0.0, 100.0);
        assert_eq!(fit(&rows, 4), Err(NoPoissonFit::Separation(vec![3])));
    }
}
