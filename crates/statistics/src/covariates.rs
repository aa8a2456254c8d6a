//! The rows of a regression, brought into the one form in which they are fitted.

/// Observations with equal covariates as one row, columns scaled to mean 0 and variance 1.
///
/// Grouping makes models of dummies small, and the order of the rows and their split over partial results invisible.
/// Scaling keeps the normal equations well conditioned whatever the units of the columns.
#[derive(Debug)]
pub struct Patterns {
    /// Columns of a row: 1 for the intercept, then the covariates that vary.
    pub width: usize,
    /// Row-major scaled rows.
    pub rows: Vec<f64>,
    /// Observations with the outcome, for each row.
    pub positives: Vec<u64>,
    /// Observations without it, for each row.
    pub negatives: Vec<u64>,
    columns: Vec<Scale>,
}

/// How a covariate was scaled: (value / unit − mean) / deviation; `None` for one that is the same in every row.
type Scale = Option<ColumnScale>;

#[derive(Debug, Clone, Copy)]
struct ColumnScale {
    unit: f64,
    mean: f64,
    deviation: f64,
}

impl Patterns {
    /// Groups `observations`, row-major rows of an outcome (0 or 1) and `covariates` finite values.
    pub fn new(observations: &[f64], covariates: usize) -> Self {
        let (values, positives, negatives) = grouped(observations, covariates + 1);
        let groups = positives.len();
        let weights: Vec<f64> = positives.iter().zip(&negatives).map(|(yes, no)| (yes + no) as f64).collect();
        let columns: Vec<Scale> =
            (0..covariates).map(|column| scale_of(&values, covariates, column, &weights)).collect();

        let width = 1 + columns.iter().flatten().count();
        let mut rows = Vec::with_capacity(groups * width);
        for group in 0..groups {
            rows.push(1.0);
            for (column, scale) in columns.iter().enumerate() {
                if let Some(scale) = scale {
                    rows.push((values[group * covariates + column] / scale.unit - scale.mean) / scale.deviation);
                }
            }
        }
        Self { width, rows, positives, negatives, columns }
    }

    /// The scaled rows with their observations with and without the outcome.
    pub fn iter(&self) -> impl Iterator<Item = (&[f64], f64, f64)> {
        let counts = self.positives.iter().zip(&self.negatives);
        self.rows.chunks_exact(self.width).zip(counts).map(|(row, (yes, no))| (row, *yes as f64, *no as f64))
    }

    /// The covariates that vary, each by its place among all, in the order of the columns after the intercept.
    pub fn varying(&self) -> Vec<usize> {
        self.columns.iter().enumerate().filter_map(|(place, scale)| scale.map(|_| place)).collect()
    }

    /// What a log-determinant of XᵀWX gains by the units of the covariates over that of the scaled columns.
    pub fn log_determinant_of_units(&self) -> f64 {
        self.columns.iter().flatten().map(|scale| 2.0 * (scale.unit.ln() + scale.deviation.ln())).sum()
    }

    /// Coefficients in the units of the covariates, intercept first; `None` for a covariate that does not vary, since
    /// its effect cannot be separated from the intercept.
    pub fn unscaled(&self, coefficients: &[f64]) -> Vec<Option<f64>> {
        let mut intercept = coefficients[0];
        let mut scaled = coefficients[1..].iter();
        let mut unscaled = vec![None];
        for scale in &self.columns {
            unscaled.push(scale.and_then(|scale| {
                let slope = scaled.next()? / scale.deviation;
                intercept -= slope * scale.mean;
                Some(slope / scale.unit).filter(|slope| slope.is_finite())
            }));
        }
        unscaled[0] = Some(intercept).filter(|intercept| intercept.is_finite());
        unscaled
    }
}

/// The distinct covariate rows in order, with their observations with and without the outcome.
fn grouped(observations: &[f64], width: usize) -> (Vec<f64>, Vec<u64>, Vec<u64>) {
    let mut order: Vec<&[f64]> = observations.chunks_exact(width).collect();
    order.sort_by(|left, right| {
        let differing = left[1..].iter().zip(&right[1..]).find(|(left, right)| left != right);
        differing.map_or(std::cmp::Ordering::Equal, |(left, right)| left.total_cmp(right))
    });
    let (mut values, mut positives, mut negatives) = (vec![], vec![], vec![]);
    for group in order.chunk_by(|left, right| left[1..] == right[1..]) {
        // −0 equals 0, so which of them leads a group depends on the order of the rows; adding 0 leaves only 0.
        values.extend(group[0][1..].iter().map(|value| value + 0.0));
        let yes = group.iter().filter(|observation| observation[0] != 0.0).count() as u64;
        positives.push(yes);
        negatives.push(group.len() as u64 - yes);
    }
    (values, positives, negatives)
}

/// The scale of one column over the groups, each counting `weights` times; `None` when the column is constant.
fn scale_of(values: &[f64], covariates: usize, column: usize, weights: &[f64]) -> Scale {
    let column = || values.iter().skip(column).step_by(covariates).copied();
    let first = column().next()?;
    if column().all(|value| value == first) {
        return None;
    }
    // In units of the largest value, so that neither 1e308 nor 1e-308 leaves the range of a float when squared.
    let unit = column().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let total: f64 = weights.iter().sum();
    let mean = column().zip(weights).map(|(value, weight)| value / unit * weight).sum::<f64>() / total;
    let variance =
        column().zip(weights).map(|(value, weight)| (value / unit - mean).powi(2) * weight).sum::<f64>() / total;
    let deviation = variance.sqrt();
    (deviation > 0.0).then_some(ColumnScale { unit, mean, deviation })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_are_one_pattern_in_any_order() {
        let forward = [1.0, 0.0, 3.0, 0.0, -0.0, 3.0, 1.0, 2.0, 3.0];
        let backward = [1.0, 2.0, 3.0, 0.0, -0.0, 3.0, 1.0, 0.0, 3.0];
        let (left, right) = (Patterns::new(&forward, 2), Patterns::new(&backward, 2));
        assert_eq!((left.width, left.positives.clone(), left.negatives.clone()), (2, vec![1, 1], vec![1, 0]));
        assert_eq!(left.rows, right.rows);
        assert_eq!(left.unscaled(&[0.0, 1.0])[2], None);
        assert_eq!(left.varying(), [0]);
    }
}
