//! The aggregates over two lists of scores a row: a penalized test and the comparison of two sides.

use std::{mem::size_of_val, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, ListArray},
    datatypes::{DataType, Field, FieldRef, Float64Type},
};
use datafusion::{
    common::{
        Result, ScalarValue,
        cast::{as_float64_array, as_int64_array, as_large_list_array, as_list_array},
        exec_err,
    },
    logical_expr::Accumulator,
};

use super::{
    joint::{list_of, name_list, names},
    parameters::{Description, Kind, Parameter, list_of_names},
    rows::{large_list, large_list_of_floats},
    structs::{estimate_columns, float, integer, struct_type, struct_value, text},
};
use crate::{
    distributions::Confidence,
    firth,
    score_comparison::{Explained, compare_scores},
    score_rows::{ScoreRows, ScoreShape},
    stratified::ChiSquaredTest,
};

pub(crate) static FIRTH_TEST: Description = Description {
    name: "firth_test",
    syntax: "firth_test(outcome, covariates, tested)",
    text: "Over rows that are observations: whether the covariates of the list `tested` add anything to those of \
           `covariates`, by the profile penalized likelihood-ratio test of logistic regression with Firth's penalty \
           (Heinze and Schemper 2002; R's logistf). Returns struct{statistic, df, p_value, penalized_log_likelihood \
           (of the whole model), restricted_log_likelihood (where the coefficients under test are 0, under the penalty \
           of the whole model), status}. Covariates under test that do not vary take no part. Status as in firth_fit. \
           Rows with a null are skipped. Independent of the order of the rows to the last bit.",
    example: "SELECT firth_test(churned, [touchpoint_score], [journey_score])['p_value'] FROM responders;",
    parameters: &[
        Parameter { name: "outcome", kind: Kind::Flag, meaning: "Whether the outcome occurred" },
        Parameter { name: "covariates", kind: Kind::Numbers, meaning: "Covariates of both models" },
        Parameter { name: "tested", kind: Kind::Numbers, meaning: "Covariates of the bigger model alone" },
    ],
    takes_level: false,
};
pub(crate) static COMPARE_SCORES: Description = Description {
    name: "compare_scores",
    syntax: "compare_scores(outcome, controls, first_scores, second_scores[, level])",
    text: "Over rows that are observations: which of two sides' scores explains an outcome better, controls held fixed. \
           Four logistic models on the same rows: an indicator for each level of the controls, + the first side's scores, \
           + the second's, + both. Returns struct{status, penalized, n, positives, left_out, left_out_positives, \
           dropped_controls, controls_r2, first_r2, second_r2, both_r2 (McFadden), controls_auc, first_auc, second_auc, \
           both_auc (in-sample), second_beyond_first_statistic, second_beyond_first_df, second_beyond_first_p_value, \
           first_beyond_second_statistic, first_beyond_second_df, first_beyond_second_p_value (likelihood-ratio tests), \
           auc_difference (second less first), auc_difference_lower, auc_difference_upper, auc_difference_p_value \
           (DeLong)}. A level that tells outcomes apart without error, alone or with others, is dropped with its rows \
           (left_out), which changes no likelihood ratio; dropped_controls names such levels. Where scores tell outcomes \
           apart, penalized is true: all models carry Firth's penalty and the tests are those of firth_test. A score that \
           is null counts as the mean of the others; whether it was given belongs among the controls. Status is ok, \
           insufficient (one outcome only, or no more rows than coefficients), separation (the controls alone tell every \
           outcome), singular (a side's scores are combinations of the rest) or not_converged. Rows with another null are \
           skipped; a null control is an error. Independent of the order of the rows to the last bit.",
    example: "SELECT compare_scores(churned, [segment, tenure_band], [call_score, visit_score], [journey_score]) FROM responders;",
    parameters: &[
        Parameter { name: "outcome", kind: Kind::Flag, meaning: "Whether the outcome occurred" },
        Parameter { name: "controls", kind: Kind::Names, meaning: "One level of each control" },
        Parameter { name: "first_scores", kind: Kind::Numbers, meaning: "Scores of the first side" },
        Parameter { name: "second_scores", kind: Kind::Numbers, meaning: "Scores of the second side" },
    ],
    takes_level: true,
};

pub(crate) fn firth_test_type() -> DataType {
    struct_type(&[
        ("statistic", DataType::Float64),
        ("df", DataType::Int64),
        ("p_value", DataType::Float64),
        ("penalized_log_likelihood", DataType::Float64),
        ("restricted_log_likelihood", DataType::Float64),
        ("status", DataType::Utf8),
    ])
}

pub(crate) fn compare_scores_type() -> DataType {
    let float = |name| (name, DataType::Float64);
    let count = |name| (name, DataType::Int64);
    struct_type(&[
        ("status", DataType::Utf8),
        ("penalized", DataType::Boolean),
        count("n"),
        count("positives"),
        count("left_out"),
        count("left_out_positives"),
        ("dropped_controls", list_of_names()),
        float("controls_r2"),
        float("first_r2"),
        float("second_r2"),
        float("both_r2"),
        float("controls_auc"),
        float("first_auc"),
        float("second_auc"),
        float("both_auc"),
        float("second_beyond_first_statistic"),
        count("second_beyond_first_df"),
        float("second_beyond_first_p_value"),
        float("first_beyond_second_statistic"),
        count("first_beyond_second_df"),
        float("first_beyond_second_p_value"),
        float("auc_difference"),
        float("auc_difference_lower"),
        float("auc_difference_upper"),
        float("auc_difference_p_value"),
    ])
}

/// Which of the two aggregates an accumulator is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScoreFigure {
    FirthTest,
    Comparison,
}

/// Keeps every row as numbers.
#[derive(Debug)]
pub(crate) struct ScoreAccumulator {
    description: &'static Description,
    figure: ScoreFigure,
    confidence: Confidence,
    rows: ScoreRows,
}

impl ScoreAccumulator {
    pub(crate) fn new(description: &'static Description, figure: ScoreFigure, confidence: Confidence) -> Self {
        Self { description, figure, confidence, rows: ScoreRows::default() }
    }

    /// The fields of the partial state: every level's name once, the rows as numbers, and how many controls and scores
    /// of either side a row has.
    pub(crate) fn state_fields(name: &str) -> Vec<FieldRef> {
        let mut fields = vec![
            Arc::new(Field::new(format!("{name}[names]"), list_of_names(), true)),
            Arc::new(Field::new(format!("{name}[rows]"), large_list_of_floats(), true)),
        ];
        let counts = ["controls", "first", "second"];
        fields.extend(counts.map(|count| Arc::new(Field::new(format!("{name}[{count}]"), DataType::Int64, true))));
        fields
    }

    fn push(&mut self, outcome: bool, levels: &[&str], first: &[Option<f64>], second: &[Option<f64>]) -> Result<()> {
        let (levels, first, second) = (levels.iter().copied(), first.iter().copied(), second.iter().copied());
        match self.rows.push(outcome, levels, first, second) {
            Ok(()) => Ok(()),
            Err(ScoreShape { controls, first, second }) => exec_err!(
                "{}: every row needs lists of the same length; rows before have {controls} controls and {first} and \
                 {second} scores",
                self.description.name
            ),
        }
    }

    /// The numbers of a row's list after a check of each.
    fn numbers(&self, name: &str, lists: &ListArray, row: usize) -> Result<Vec<Option<f64>>> {
        let list = lists.value(row);
        let numbers: Vec<Option<f64>> = list.as_primitive::<Float64Type>().iter().collect();
        for number in numbers.iter().flatten() {
            self.description.check_value(name, Kind::Number, *number)?;
        }
        Ok(numbers)
    }

    fn update_test(&mut self, outcomes: &Float64Array, covariates: &ListArray, tested: &ListArray) -> Result<()> {
        for row in 0..outcomes.len() {
            if outcomes.is_null(row) || covariates.is_null(row) || tested.is_null(row) {
                continue;
            }
            self.description.check_value("outcome", Kind::Flag, outcomes.value(row))?;
            let first = self.numbers("covariates", covariates, row)?;
            let second = self.numbers("tested", tested, row)?;
            if first.iter().chain(&second).all(Option::is_some) {
                self.push(outcomes.value(row) != 0.0, &[], &first, &second)?;
            }
        }
        Ok(())
    }

    fn update_comparison(&mut self, outcomes: &Float64Array, lists: [&ListArray; 3]) -> Result<()> {
        let [controls, first_scores, second_scores] = lists;
        for row in 0..outcomes.len() {
            if outcomes.is_null(row) || lists.iter().any(|list| list.is_null(row)) {
                continue;
            }
            self.description.check_value("outcome", Kind::Flag, outcomes.value(row))?;
            let levels = names(controls, row);
            let Some(levels) = levels.iter().map(Option::as_deref).collect::<Option<Vec<_>>>() else {
                return exec_err!(
                    "{}: a control is null; give its level a name, such as 'unknown'",
                    self.description.name
                );
            };
            let first = self.numbers("first_scores", first_scores, row)?;
            let second = self.numbers("second_scores", second_scores, row)?;
            self.push(outcomes.value(row) != 0.0, &levels, &first, &second)?;
        }
        Ok(())
    }
}

impl Accumulator for ScoreAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        match (self.figure, values) {
            (ScoreFigure::FirthTest, [outcomes, covariates, tested, ..]) => {
                self.update_test(as_float64_array(outcomes)?, as_list_array(covariates)?, as_list_array(tested)?)
            }
            (ScoreFigure::Comparison, [outcomes, controls, first, second, ..]) => {
                let lists = [as_list_array(controls)?, as_list_array(first)?, as_list_array(second)?];
                self.update_comparison(as_float64_array(outcomes)?, lists)
            }
            _ => exec_err!("{}: use {}", self.description.name, self.description.syntax),
        }
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.figure {
            ScoreFigure::FirthTest => firth_test_value(&self.rows),
            ScoreFigure::Comparison => compare_scores_value(&self.rows, self.confidence),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.rows.bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (names, numbers) = self.rows.parts();
        let shape = self.rows.shape();
        let count =
            |read: fn(ScoreShape) -> usize| ScalarValue::Int64(shape.and_then(|shape| i64::try_from(read(shape)).ok()));
        Ok(vec![
            name_list(&names),
            large_list(numbers.to_vec()),
            count(|shape| shape.controls),
            count(|shape| shape.first),
            count(|shape| shape.second),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [all_names, numbers, counts @ ..] = states else {
            return exec_err!("{}: expected a partial state of 5 columns, got {}", self.description.name, states.len());
        };
        let (all_names, numbers) = (as_list_array(all_names)?, as_large_list_array(numbers)?);
        let counts = counts.iter().map(|count| as_int64_array(count)).collect::<Result<Vec<_>>>()?;
        for state in 0..numbers.len() {
            let sizes: Vec<usize> = counts
                .iter()
                .filter(|count| count.is_valid(state))
                .filter_map(|count| usize::try_from(count.value(state)).ok())
                .collect();
            // A state without rows has no shape.
            let [controls, first, second] = sizes[..] else { continue };
            let shape = ScoreShape { controls, first, second };
            let texts = names(all_names, state);
            let values = numbers.value(state);
            for row in values.as_primitive::<Float64Type>().values().chunks_exact(shape.width()) {
                let (levels, scores) = row[1..].split_at(controls);
                let level = |place: &f64| texts.get(*place as usize).and_then(Option::as_deref);
                let Some(levels) = levels.iter().map(level).collect::<Option<Vec<_>>>() else {
                    return exec_err!("{}: a partial state cannot be read", self.description.name);
                };
                let given = |score: &f64| Some(*score).filter(|score| !score.is_nan());
                let scores: Vec<Option<f64>> = scores.iter().map(given).collect();
                let (first, second) = scores.split_at(first);
                self.push(row[0] != 0.0, &levels, first, second)?;
            }
        }
        Ok(())
    }
}

fn firth_test_value(rows: &ScoreRows) -> Result<ScalarValue> {
    let (_, numbers) = rows.parts();
    let shape = rows.shape().unwrap_or(ScoreShape { controls: 0, first: 0, second: 0 });
    let result = firth::test(numbers, shape.first + shape.second, shape.second);
    let mut columns = test_columns(result.test).to_vec();
    columns.extend([
        float(result.penalized_log_likelihood),
        float(result.restricted_log_likelihood),
        text(Some(result.status.as_str())),
    ]);
    struct_value(&firth_test_type(), columns)
}

fn compare_scores_value(rows: &ScoreRows, confidence: Confidence) -> Result<ScalarValue> {
    let result = compare_scores(rows, confidence);
    let dropped: Vec<&str> = result.dropped_controls.iter().map(String::as_str).collect();
    let models = [result.controls, result.first, result.second, result.both];
    let figures = |read: fn(&Explained) -> Option<f64>| models.map(|model| float(read(&model)));
    let mut columns: Vec<ArrayRef> = vec![
        text(Some(result.status.as_str())),
        Arc::new(BooleanArray::from(vec![result.penalized])),
        integer(Some(result.n)),
        integer(Some(result.positives)),
        integer(Some(result.left_out)),
        integer(Some(result.left_out_positives)),
        Arc::new(list_of(&dropped)),
    ];
    columns.extend(figures(|model| model.r2));
    columns.extend(figures(|model| model.auc));
    columns.extend(test_columns(result.second_beyond_first));
    columns.extend(test_columns(result.first_beyond_second));
    columns.extend(estimate_columns(result.auc_difference));
    columns.push(float(result.auc_difference_p_value));
    struct_value(&compare_scores_type(), columns)
}

/// Statistic, degrees of freedom, p value.
fn test_columns(test: Option<ChiSquaredTest>) -> [ArrayRef; 3] {
    [float(test.map(|test| test.statistic)), integer(test.map(|test| test.df)), float(test.map(|test| test.p_value))]
}
