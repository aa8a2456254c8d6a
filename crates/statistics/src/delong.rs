//! Which of two scores of the same observations tells an outcome better (DeLong, DeLong and Clarke-Pearson 1988).

use crate::{
    distributions::{Confidence, chi_squared_upper_tail},
    proportion::Estimate,
};

/// An observation with two scores of it; neither is NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoScores {
    /// The first score, in any unit.
    pub first: f64,
    /// The second score, in any unit.
    pub second: f64,
    /// Whether the outcome occurred.
    pub outcome: bool,
}

/// Two areas under ROC curves from the same observations; a part that is undefined is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AucDifference {
    /// Area of the first less that of the second, with normal limits.
    pub difference: Option<Estimate>,
    /// Standard error of the difference.
    pub standard_error: Option<f64>,
    /// Probability of a difference at least this large when the areas are equal; `None` where the standard error is 0.
    pub p_value: Option<f64>,
    /// Area of the first score with normal limits cut at 0 and 1.
    pub first: Option<Estimate>,
    /// The same of the second score.
    pub second: Option<Estimate>,
    /// Observations with the outcome.
    pub positives: u64,
    /// Observations without it.
    pub negatives: u64,
}

/// How many observations of the other outcome each observation is on the right side of, in halves: a tie counts one.
struct Placements {
    positives: Vec<i64>,
    negatives: Vec<i64>,
}

/// The difference of two areas with the variance of DeLong, DeLong and Clarke-Pearson.
///
/// Counted in whole halves of pairs, so it does not depend on the order. Undefined without a positive or a negative;
/// limits need two of each.
pub fn auc_difference(observations: &[TwoScores], confidence: Confidence) -> AucDifference {
    let first = placements(observations, |observation| observation.first);
    let second = placements(observations, |observation| observation.second);
    let subtract = |left: &[i64], right: &[i64]| left.iter().zip(right).map(|(left, right)| left - right).collect();
    let difference = Placements {
        positives: subtract(&first.positives, &second.positives),
        negatives: subtract(&first.negatives, &second.negatives),
    };
    let moments = area(&difference);
    let estimate = moments.and_then(|(area, error)| interval(area, error?, confidence));
    let standard_error = moments.and_then(|(_, error)| error);
    let cut = |placements: &Placements| {
        let (area, error) = area(placements)?;
        let interval = interval(area, error?, confidence)?;
        Estimate::finite(area, interval.lower.max(0.0), interval.upper.min(1.0))
    };
    AucDifference {
        difference: estimate,
        standard_error,
        p_value: estimate
            .zip(standard_error)
            .filter(|(_, error)| *error > 0.0)
            .and_then(|(difference, error)| chi_squared_upper_tail((difference.estimate / error).powi(2), 1)),
        first: cut(&first),
        second: cut(&second),
        positives: first.positives.len() as u64,
        negatives: first.negatives.len() as u64,
    }
}

/// Placements in the order of `observations`, so that those of two scores belong together.
fn placements(observations: &[TwoScores], score: fn(&TwoScores) -> f64) -> Placements {
    let mut order: Vec<usize> = (0..observations.len()).collect();
    order.sort_by(|left, right| score(&observations[*left]).total_cmp(&score(&observations[*right])));
    let all_positives = observations.iter().filter(|observation| observation.outcome).count() as i64;
    let (mut positives_below, mut negatives_below) = (0_i64, 0_i64);
    let mut placed = vec![0_i64; observations.len()];
    // 0.0 and −0.0 are apart in the order but are one score.
    for tied in order.chunk_by(|left, right| score(&observations[*left]) == score(&observations[*right])) {
        let positives = tied.iter().filter(|index| observations[**index].outcome).count() as i64;
        let negatives = tied.len() as i64 - positives;
        for index in tied {
            placed[*index] = if observations[*index].outcome {
                2 * negatives_below + negatives
            } else {
                2 * (all_positives - positives_below - positives) + positives
            };
        }
        positives_below += positives;
        negatives_below += negatives;
    }
    let of = |outcome: bool| {
        let of_outcome = observations.iter().zip(&placed).filter(|(observation, _)| observation.outcome == outcome);
        of_outcome.map(|(_, placed)| *placed).collect()
    };
    Placements { positives: of(true), negatives: of(false) }
}

/// The area that placements add up to and its standard error; the latter is `None` below two of an outcome.
fn area(placements: &Placements) -> Option<(f64, Option<f64>)> {
    let (positives, negatives) = (placements.positives.len() as f64, placements.negatives.len() as f64);
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let sum: i128 = placements.positives.iter().map(|placed| i128::from(*placed)).sum();
    let area = sum as f64 / 2.0 / positives / negatives;
    let variance = spread(&placements.positives)
        .zip(spread(&placements.negatives))
        .map(|(first, second)| first / negatives / negatives / positives + second / positives / positives / negatives);
    Some((area, variance.map(|variance| variance.sqrt() / 2.0)))
}

/// The sample variance of whole numbers, exact up to its last division; `None` below two.
fn spread(values: &[i64]) -> Option<f64> {
    let n = values.len() as i128;
    let sum: i128 = values.iter().map(|value| i128::from(*value)).sum();
    let squares: i128 = values.iter().map(|value| i128::from(*value) * i128::from(*value)).sum();
    (n >= 2).then(|| (n * squares - sum * sum) as f64 / (n as f64 * (n - 1) as f64))
}

fn interval(area: f64, error: f64, confidence: Confidence) -> Option<Estimate> {
    let reach = confidence.z() * error;
    Estimate::finite(area, area - reach, area + reach)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(rows: &[(f64, f64, bool)]) -> AucDifference {
        let observations: Vec<TwoScores> = rows
            .iter()
            .map(|(first, second, outcome)| TwoScores { first: *first, second: *second, outcome: *outcome })
            .collect();
        auc_difference(&observations, Confidence::new(0.95).unwrap())
    }

    #[test]
    fn equal_scores_differ_by_nothing() {
        let result = difference(&[(1.0, 2.0, true), (2.0, 4.0, true), (0.0, -0.0, false), (1.0, 2.0, false)]);
        assert_eq!(result.difference.unwrap(), Estimate { estimate: 0.0, lower: 0.0, upper: 0.0 });
        assert_eq!((result.p_value, result.first.unwrap().estimate), (None, 0.875));
    }

    #[test]
    fn a_single_positive_has_no_limits() {
        let result = difference(&[(1.0, 2.0, true), (0.0, 3.0, false), (0.5, 1.0, false)]);
        assert_eq!((result.difference, result.first, result.positives), (None, None, 1));
        assert_eq!(difference(&[]).standard_error, None);
    }
}
