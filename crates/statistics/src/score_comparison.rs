//! Which of two sides' scores explains an outcome better, others held fixed.
//!
//! Four logistic models on the same rows: the controls, with the first side's scores, with the second's, with both.
//! What would make their likelihoods grow for ever is taken care of by two rules. A level of a control that tells
//! outcomes apart without error says nothing of the scores: it is dropped with its rows, as Stata's `logit` does, which
//! changes no likelihood ratio. Where scores tell them apart, Firth's penalty keeps all four models finite.

use std::collections::BTreeMap;

use crate::{
    covariates::Patterns,
    delong::{TwoScores, auc_difference},
    distributions::Confidence,
    exact_sum::ExactSum,
    firth,
    linear_system::independent_columns,
    logistic::{self, FitStatus, OWN_SHARE},
    proportion::Estimate,
    score_rows::{ScoreRow, ScoreRows},
    stratified::ChiSquaredTest,
};

/// A row that moves along a separating direction by less than this share of the farthest stands still.
const STANDS_STILL: f64 = 1e-3;

/// How well a model explains the outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Explained {
    /// McFadden's R².
    pub r2: Option<f64>,
    /// Area under the ROC curve on the rows the model was fitted to.
    pub auc: Option<f64>,
}

/// Four models and what one side adds to the other; figures are `None` unless the status is ok.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreComparison {
    /// `Separation`: the controls alone tell every outcome. `Singular`: a side's scores are combinations of the rest.
    pub status: FitStatus,
    /// Whether scores separate, so that all models carry Firth's penalty and the tests are profile tests.
    pub penalized: bool,
    /// Rows that the models were fitted to.
    pub n: u64,
    /// Of them with the outcome.
    pub positives: u64,
    /// Rows of the levels that were dropped.
    pub left_out: u64,
    /// Of them with the outcome.
    pub left_out_positives: u64,
    /// Names of those levels, in order.
    pub dropped_controls: Vec<String>,
    /// The controls alone.
    pub controls: Explained,
    /// With the first side's scores.
    pub first: Explained,
    /// With the second side's scores.
    pub second: Explained,
    /// With both.
    pub both: Explained,
    /// What the second side adds to the first.
    pub second_beyond_first: Option<ChiSquaredTest>,
    /// What the first side adds to the second.
    pub first_beyond_second: Option<ChiSquaredTest>,
    /// Area of the second side's model less that of the first's (DeLong).
    pub auc_difference: Option<Estimate>,
    /// Probability of a difference at least this large when the areas are equal.
    pub auc_difference_p_value: Option<f64>,
}

/// Compares the two sides. A score that was not given counts as the mean of the others; whether it was belongs into a
/// control. The result has the same bits for any order of the rows.
pub fn compare_scores(rows: &ScoreRows, confidence: Confidence) -> ScoreComparison {
    let (names, mut kept) = rows.sorted();
    let all = count(&kept);
    let dropped = drop_separating_levels(&mut kept);
    let (n, positives) = count(&kept);
    let result = ScoreComparison {
        status: FitStatus::Insufficient,
        penalized: false,
        n,
        positives,
        left_out: all.0 - n,
        left_out_positives: all.1 - positives,
        dropped_controls: dropped.into_iter().map(|level| names[level].to_owned()).collect(),
        controls: Explained::default(),
        first: Explained::default(),
        second: Explained::default(),
        both: Explained::default(),
        second_beyond_first: None,
        first_beyond_second: None,
        auc_difference: None,
        auc_difference_p_value: None,
    };
    match rows.shape() {
        Some(_) if n == 0 && all.1 > 0 && all.1 < all.0 => ScoreComparison { status: FitStatus::Separation, ..result },
        Some(shape) if positives > 0 && positives < n => {
            let mut table = Table::of_levels(&kept, &indicators(&kept));
            let controls: Vec<usize> = (0..table.columns.len()).collect();
            table.columns.extend(scores(&kept));
            let first: Vec<usize> = (controls.len()..controls.len() + shape.first).collect();
            let second: Vec<usize> = (controls.len() + shape.first..table.columns.len()).collect();
            compared(&table, &controls, &first, &second, confidence, result)
        }
        _ => result,
    }
}

fn count(rows: &[ScoreRow]) -> (u64, u64) {
    (rows.len() as u64, rows.iter().filter(|row| row.outcome).count() as u64)
}

/// Takes out the rows of levels that tell outcomes apart without error, alone or together, and returns those levels.
fn drop_separating_levels(rows: &mut Vec<ScoreRow>) -> Vec<usize> {
    let mut dropped = vec![];
    loop {
        let mut counts: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        for row in rows.iter() {
            for level in &row.levels {
                let count = counts.entry(*level).or_default();
                *(if row.outcome { &mut count.0 } else { &mut count.1 }) += 1;
            }
        }
        let of_one_outcome = |(level, (yes, no)): (usize, (u64, u64))| (yes == 0 || no == 0).then_some(level);
        let alone: Vec<usize> = counts.into_iter().filter_map(of_one_outcome).collect();
        if !alone.is_empty() {
            rows.retain(|row| row.levels.iter().all(|level| alone.binary_search(level).is_err()));
            dropped.extend(alone);
            continue;
        }
        let together = drop_what_levels_tell_together(rows);
        if together.is_empty() {
            dropped.sort_unstable();
            dropped.dedup();
            return dropped;
        }
        dropped.extend(together);
    }
}

/// Takes out the rows that no single level but levels taken together tell apart, and returns those levels.
fn drop_what_levels_tell_together(rows: &mut Vec<ScoreRow>) -> Vec<usize> {
    let levels = indicators(rows);
    let table = Table::of_levels(rows, &levels);
    let columns = table.independent(&(0..levels.len()).collect::<Vec<_>>());
    let Some(direction) = logistic::separating_direction(&table.observations(&columns), columns.len()) else {
        return vec![];
    };
    let moves = table.predictors(&columns, &direction);
    let reach = moves.iter().fold(0.0, |reach: f64, moved| reach.max(moved.abs()));
    let mut moved = moves.iter().map(|moved| moved.abs() > STANDS_STILL * reach);
    rows.retain(|_| !moved.next().unwrap_or(false));
    let slopes = direction.iter().skip(1).map(|slope| slope.map_or(0.0, f64::abs));
    let steepest = slopes.clone().fold(0.0, f64::max);
    let takes_part = |(column, slope): (&usize, f64)| (slope > STANDS_STILL * steepest).then(|| levels[*column]);
    columns.iter().zip(slopes).filter_map(takes_part).collect()
}

/// The levels that get an indicator: all of each control but the first, which the others are compared with.
fn indicators(rows: &[ScoreRow]) -> Vec<usize> {
    let controls = rows.first().map_or(0, |row| row.levels.len());
    let mut indicators = vec![];
    for control in 0..controls {
        let mut levels: Vec<usize> = rows.iter().map(|row| row.levels[control]).collect();
        levels.sort_unstable();
        levels.dedup();
        indicators.extend(levels.into_iter().skip(1));
    }
    // A level may belong to several controls.
    indicators.sort_unstable();
    indicators.dedup();
    indicators
}

/// The scores by column, the mean of the others for one that was not given.
fn scores(rows: &[ScoreRow]) -> Vec<Vec<f64>> {
    let width = rows.first().map_or(0, |row| row.scores.len());
    let column = |place: usize| -> Vec<f64> {
        let given = || rows.iter().filter_map(|row| row.scores[place]);
        let mean = ExactSum::from_parts(given()).value() / (given().count().max(1) as f64);
        rows.iter().map(|row| row.scores[place].unwrap_or(mean)).collect()
    };
    (0..width).map(column).collect()
}

/// Outcomes and covariates by column.
struct Table {
    outcomes: Vec<bool>,
    columns: Vec<Vec<f64>>,
}

impl Table {
    /// A column of 0 and 1 for each of the levels.
    fn of_levels(rows: &[ScoreRow], levels: &[usize]) -> Self {
        let column = |level: &usize| -> Vec<f64> {
            rows.iter().map(|row| f64::from(u8::from(row.levels.contains(level)))).collect()
        };
        Self { outcomes: rows.iter().map(|row| row.outcome).collect(), columns: levels.iter().map(column).collect() }
    }

    /// Row-major rows of an outcome and the values of some columns.
    fn observations(&self, columns: &[usize]) -> Vec<f64> {
        let mut observations = Vec::with_capacity(self.outcomes.len() * (1 + columns.len()));
        for (row, outcome) in self.outcomes.iter().enumerate() {
            observations.push(f64::from(u8::from(*outcome)));
            observations.extend(columns.iter().map(|column| self.columns[*column][row]));
        }
        observations
    }

    /// Those of the columns that vary and are no combination of the ones before them.
    fn independent(&self, columns: &[usize]) -> Vec<usize> {
        let patterns = Patterns::new(&self.observations(columns), columns.len());
        let width = patterns.width;
        let mut gram = vec![0.0; width * width];
        for (row, positives, negatives) in patterns.iter() {
            for left in 0..width {
                let weighted = (positives + negatives) * row[left];
                (0..width).for_each(|right| gram[left * width + right] += weighted * row[right]);
            }
        }
        let varying = patterns.varying();
        let (kept, _) = independent_columns(&gram, width, OWN_SHARE);
        kept.into_iter().filter(|column| *column > 0).map(|column| columns[varying[column - 1]]).collect()
    }

    /// Intercept plus slopes times columns, for each row.
    fn predictors(&self, columns: &[usize], coefficients: &[Option<f64>]) -> Vec<f64> {
        let intercept = coefficients.first().copied().flatten().unwrap_or(0.0);
        let of_row = |row: usize| {
            let terms = columns.iter().zip(coefficients.iter().skip(1));
            terms.fold(intercept, |sum, (column, slope)| sum + slope.map_or(0.0, |s| s * self.columns[*column][row]))
        };
        (0..self.outcomes.len()).map(of_row).collect()
    }

    /// The model of some columns.
    fn model(&self, columns: &[usize], penalized: bool) -> Model {
        let columns = self.independent(columns);
        let observations = self.observations(&columns);
        if penalized {
            let fit = firth::fit(&observations, columns.len());
            Model {
                columns,
                status: fit.status,
                coefficients: fit.coefficients.unwrap_or_default(),
                log_likelihood: fit.log_likelihood,
                explained: Explained { r2: fit.mcfadden_r2, auc: fit.auc },
            }
        } else {
            let fit = logistic::fit(&observations, columns.len());
            Model {
                columns,
                status: fit.status,
                coefficients: fit.coefficients.unwrap_or_default(),
                log_likelihood: fit.log_likelihood,
                explained: Explained { r2: fit.mcfadden_r2, auc: fit.auc },
            }
        }
    }
}

/// A fitted model over the columns of a table that are no combination of each other.
struct Model {
    columns: Vec<usize>,
    status: FitStatus,
    coefficients: Vec<Option<f64>>,
    log_likelihood: Option<f64>,
    explained: Explained,
}

/// Fits the four models, with Firth's penalty where the likelihood of one has no maximum.
fn compared(
    table: &Table,
    controls: &[usize],
    first: &[usize],
    second: &[usize],
    confidence: Confidence,
    result: ScoreComparison,
) -> ScoreComparison {
    let with_first = [controls, first].concat();
    let with_second = [controls, second].concat();
    let with_both = [controls, first, second].concat();
    let models =
        |penalized| [controls, &with_first, &with_second, &with_both].map(|columns| table.model(columns, penalized));
    let fitted = models(false);
    let penalized = fitted.iter().any(|model| model.status == FitStatus::Separation);
    let fitted = if penalized { models(true) } else { fitted };
    if let Some(failed) = fitted.iter().find(|model| model.status != FitStatus::Ok) {
        return ScoreComparison { status: failed.status, penalized, ..result };
    }
    let [of_controls, of_first, of_second, of_both] = &fitted;
    // What the columns of `tested` add to the smaller model, which holds those of `others` beside the controls.
    let adds = |small: &Model, others: &[usize], tested: &[usize]| {
        if penalized {
            let columns = table.independent(&[controls, others, tested].concat());
            let held = columns.iter().filter(|column| tested.contains(column)).count();
            return firth::test(&table.observations(&columns), columns.len(), held).test;
        }
        let df = of_both.columns.len().saturating_sub(small.columns.len()) as u64;
        logistic::likelihood_ratio_test(small.log_likelihood?, of_both.log_likelihood?, df)
    };
    let second_beyond_first = adds(of_first, first, second);
    let first_beyond_second = adds(of_second, second, first);
    if second_beyond_first.is_none() || first_beyond_second.is_none() {
        return ScoreComparison { status: FitStatus::Singular, penalized, ..result };
    }
    let pairs = table.predictors(&of_second.columns, &of_second.coefficients);
    let pairs = pairs.into_iter().zip(table.predictors(&of_first.columns, &of_first.coefficients));
    let observations: Vec<TwoScores> = pairs
        .zip(&table.outcomes)
        .map(|((second, first), outcome)| TwoScores { first: second, second: first, outcome: *outcome })
        .collect();
    let areas = auc_difference(&observations, confidence);
    ScoreComparison {
        status: FitStatus::Ok,
        penalized,
        controls: of_controls.explained,
        first: of_first.explained,
        second: of_second.explained,
        both: of_both.explained,
        second_beyond_first,
        first_beyond_second,
        auc_difference: areas.difference,
        auc_difference_p_value: areas.p_value,
        ..result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of outcome, segment, tenure, first and second score.
    fn comparison(rows: &[(bool, &str, &str, Option<f64>, f64)]) -> ScoreComparison {
        let mut table = ScoreRows::default();
        for (outcome, segment, tenure, first, second) in rows {
            let levels = [*segment, *tenure].into_iter();
            table.push(*outcome, levels, [*first].into_iter(), [Some(*second)].into_iter()).unwrap();
        }
        compare_scores(&table, Confidence::new(0.95).unwrap())
    }

    /// Customers of two segments; the second score tells who leaves, now and then wrongly.
    fn customers(tenure: impl Fn(u32) -> &'static str) -> Vec<(bool, &'static str, &'static str, Option<f64>, f64)> {
        (0..200)
            .map(|i| {
                let second = f64::from(i * 7 % 11) / 10.0;
                let outcome = i % 5 == 0 || (second < 0.3 && i % 3 > 0);
                (
                    outcome,
                    if i % 2 == 0 { "family" } else { "single" },
                    tenure(i),
                    Some(f64::from(i % 13) / 12.0),
                    second,
                )
            })
            .collect()
    }

    #[test]
    fn a_band_in_which_nobody_left_is_dropped_and_named() {
        let mut rows = customers(|i| if i % 4 == 0 { "old" } else { "new" });
        let without = comparison(&rows);
        rows.extend(
            (0..30).map(|i| (false, "single", "ancient", Some(f64::from(i % 6) / 5.0), f64::from(i % 7) / 6.0)),
        );
        let with = comparison(&rows);
        assert_eq!((with.status, with.penalized), (FitStatus::Ok, false));
        assert_eq!((with.dropped_controls.as_slice(), with.n, with.left_out), (&["ancient".to_owned()][..], 200, 30));
        // Its customers say nothing of the scores, so no test moves.
        assert_eq!(with.second_beyond_first, without.second_beyond_first);
        assert!(with.second_beyond_first.unwrap().p_value < 1e-3);
        assert!(with.first_beyond_second.unwrap().p_value > 0.05);
        assert!(with.auc_difference.unwrap().lower > 0.0);
    }

    #[test]
    fn levels_that_tell_apart_only_together_are_dropped_too() {
        // All single new customers left, no old family did: neither segment nor tenure tells it alone.
        let mut rows = vec![];
        for (count, left, segment, tenure) in [
            (20, false, "family", "new"),
            (15, true, "family", "new"),
            (25, false, "family", "old"),
            (12, true, "single", "new"),
            (18, true, "single", "old"),
            (22, false, "single", "old"),
        ] {
            rows.extend((0..count).map(|i| {
                (left, segment, tenure, Some(f64::from(i * 3 % 7)), f64::from((i * 5 + u32::from(left)) % 9))
            }));
        }
        let result = comparison(&rows);
        assert_eq!((result.status, result.penalized), (FitStatus::Ok, false));
        assert_eq!((result.left_out, result.left_out_positives), (37, 12));
        assert_eq!(result.dropped_controls, ["old", "single"]);
    }

    #[test]
    fn a_score_that_separates_is_penalized_not_refused() {
        let mut rows = customers(|_| "new");
        for row in &mut rows {
            row.0 = row.4 < 0.35;
        }
        let result = comparison(&rows);
        assert_eq!((result.status, result.penalized, result.left_out), (FitStatus::Ok, true, 0));
        assert!(result.second_beyond_first.unwrap().p_value < 1e-6);
        assert!(result.first_beyond_second.unwrap().p_value > 0.05);
        assert_eq!(result.second.auc, Some(1.0));
    }

    #[test]
    fn what_cannot_be_compared_says_why() {
        assert_eq!(comparison(&[]).status, FitStatus::Insufficient);
        let apart = [(true, "a", "x", Some(1.0), 1.0), (false, "b", "x", Some(2.0), 2.0)];
        assert_eq!(comparison(&apart).status, FitStatus::Separation);
        let same: Vec<_> =
            customers(|_| "new").into_iter().map(|row| (row.0, row.1, row.2, Some(2.0 * row.4), row.4)).collect();
        assert_eq!(comparison(&same).status, FitStatus::Singular);
    }

    #[test]
    fn a_score_that_was_not_given_counts_as_the_mean() {
        let answered = customers(|i| if i % 4 == 0 { "no answer" } else { "answer" });
        let mut unanswered = answered.clone();
        let mut filled = answered;
        for (place, row) in filled.iter_mut().enumerate() {
            if place % 4 == 0 {
                row.3 = Some(0.5);
                unanswered[place].3 = None;
            }
        }
        // With a level for those without an answer, it does not matter what they count as.
        let (left, right) = (comparison(&unanswered), comparison(&filled));
        let p = |result: &ScoreComparison| result.first_beyond_second.unwrap().p_value;
        assert!((p(&left) - p(&right)).abs() < 1e-9);
    }
}
