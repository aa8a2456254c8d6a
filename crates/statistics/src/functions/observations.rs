//! The results of the aggregates whose rows are customers and that need all of them at once.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Float64Array, ListArray},
    buffer::{NullBuffer, OffsetBuffer},
    datatypes::{DataType, Field},
};
use datafusion::common::{Result, ScalarValue};

use super::{
    parameters::{Description, Kind, Parameter},
    structs::{estimate_columns, float, integer, struct_type, struct_value, text},
};
use crate::{
    delong::{TwoScores, auc_difference},
    distributions::Confidence,
    firth,
    logistic::{self, LogisticFit},
    roc::{ScoredCount, auc},
    survival::{FollowUp, kaplan_meier_difference},
};

pub(crate) static AUC: Description = Description {
    name: "auc",
    syntax: "auc(score, outcome)",
    text: "Over rows that are observations: the area under the ROC curve, the probability that a row with the outcome \
           scores above one without it, ties counting half (Mann-Whitney's U over the number of pairs, mid-ranks). Null \
           unless both outcomes occur. Rows with a null are skipped. Exact in any order of the rows.",
    example: "SELECT auc(score, churned) FROM answers;",
    parameters: &[
        Parameter { name: "score", kind: Kind::Score, meaning: "Score in any unit" },
        Parameter { name: "outcome", kind: Kind::Flag, meaning: "Whether the outcome occurred" },
    ],
    takes_level: false,
};
pub(crate) static AUC_DIFFERENCE: Description = Description {
    name: "auc_difference",
    syntax: "auc_difference(first_score, second_score, outcome[, level])",
    text: "Over rows that are observations with two scores: the area under the ROC curve of the first less that of the \
           second, with the variance of DeLong, DeLong and Clarke-Pearson (1988) and normal limits. Returns \
           struct{estimate, lower, upper, standard_error, p_value (null where the standard error is 0), first_auc, \
           first_auc_lower, first_auc_upper, second_auc, second_auc_lower, second_auc_upper, positives, negatives}; null \
           below two rows of an outcome. Rows with a null are skipped. Exact in any order of the rows.",
    example: "SELECT auc_difference(journey_score, touchpoint_score, churned)['lower'] FROM answers;",
    parameters: &[
        Parameter { name: "first_score", kind: Kind::Score, meaning: "First score in any unit" },
        Parameter { name: "second_score", kind: Kind::Score, meaning: "Second score in any unit" },
        Parameter { name: "outcome", kind: Kind::Flag, meaning: "Whether the outcome occurred" },
    ],
    takes_level: true,
};
pub(crate) static KAPLAN_MEIER_DIFFERENCE: Description = Description {
    name: "kaplan_meier_difference",
    syntax: "kaplan_meier_difference(duration, event, exposed, horizon[, level])",
    text: "Over rows that are customers: the share of each arm that stays through [0, horizon) (Kaplan and Meier 1958), \
           exposed less unexposed with normal limits (Greenwood 1926), and the log-rank test of the events before the \
           horizon. Returns struct{exposed_survival, unexposed_survival, difference, lower, upper, log_rank_statistic, \
           p_value}. An event at the horizon itself is outside the window. Survival is null for an arm without customers \
           and for one whose last customer is lost before the horizon. Rows with a null are skipped. Independent of the \
           order of the rows to the last bit.",
    example: "SELECT kaplan_meier_difference(days, churned, exposed, 90)['difference'] FROM follow_up;",
    parameters: &[
        Parameter { name: "duration", kind: Kind::Duration, meaning: "Time until churn or the end of follow-up" },
        Parameter { name: "event", kind: Kind::Flag, meaning: "Whether the follow-up ended by churn" },
        Parameter { name: "exposed", kind: Kind::Flag, meaning: "Whether the customer was exposed" },
        Parameter {
            name: "horizon",
            kind: Kind::Duration,
            meaning: "Constant; end of the window, in the unit of duration",
        },
    ],
    takes_level: true,
};
pub(crate) static LOGISTIC_FIT: Description = Description {
    name: "logistic_fit",
    syntax: "logistic_fit(outcome, x1, x2, …) or logistic_fit(outcome, list)",
    text: "Over rows that are observations: logistic regression of the outcome on an intercept and the covariates by \
           iteratively reweighted least squares. Returns struct{coefficients, log_likelihood, null_log_likelihood, \
           mcfadden_r2, auc, n, parameters, status}. Coefficients are a list: the intercept, then one for each covariate \
           in its own unit, null for a covariate that is the same in every row (it is left out of the fit and of \
           parameters). The AUC is that of the fitted rows. Status is ok, separation (some combination of the covariates \
           tells outcomes apart without error), singular (covariates that are linearly dependent), insufficient (one \
           outcome only, or no more rows than coefficients) or not_converged; unless it is ok only n and \
           null_log_likelihood are given. Rows with a null are skipped. Independent of the order of the rows to the last \
           bit.",
    example: "SELECT logistic_fit(churned, touchpoint_score, journey_score)['mcfadden_r2'] FROM responders;",
    parameters: &[Parameter { name: "outcome", kind: Kind::Flag, meaning: "Whether the outcome occurred" }],
    takes_level: false,
};

pub(crate) static FIRTH_FIT: Description = Description {
    name: "firth_fit",
    syntax: "firth_fit(outcome, x1, x2, …) or firth_fit(outcome, list)",
    text: "Over rows that are observations: logistic regression with Firth's penalty (1993), half the log-determinant of \
           the Fisher information, by Newton's method. It has finite coefficients also where logistic_fit says \
           separation (Heinze and Schemper 2002; R's logistf). Returns struct{coefficients, log_likelihood, \
           penalized_log_likelihood, null_log_likelihood, mcfadden_r2, auc, n, parameters, status}. log_likelihood, \
           null_log_likelihood and mcfadden_r2 are without the penalty, penalized_log_likelihood is with it, in the units \
           of the covariates. The rest is as in logistic_fit; there is no status separation.",
    example: "SELECT firth_fit(churned, touchpoint_score, journey_score)['coefficients'] FROM responders;",
    parameters: &[Parameter { name: "outcome", kind: Kind::Flag, meaning: "Whether the outcome occurred" }],
    takes_level: false,
};

pub(crate) fn auc_value(rows: &[f64]) -> ScalarValue {
    let counts = rows.chunks_exact(2).map(|row| {
        let outcome = u64::from(row[1] != 0.0);
        ScoredCount { score: row[0], positives: outcome, negatives: 1 - outcome }
    });
    ScalarValue::Float64(auc(counts.collect()))
}

pub(crate) fn auc_difference_type() -> DataType {
    let floats = [
        "estimate",
        "lower",
        "upper",
        "standard_error",
        "p_value",
        "first_auc",
        "first_auc_lower",
        "first_auc_upper",
        "second_auc",
        "second_auc_lower",
        "second_auc_upper",
    ];
    let mut fields: Vec<(&str, DataType)> = floats.map(|name| (name, DataType::Float64)).to_vec();
    fields.extend([("positives", DataType::Int64), ("negatives", DataType::Int64)]);
    struct_type(&fields)
}

pub(crate) fn auc_difference_value(rows: &[f64], confidence: Confidence) -> Result<ScalarValue> {
    let observations: Vec<TwoScores> =
        rows.chunks_exact(3).map(|row| TwoScores { first: row[0], second: row[1], outcome: row[2] != 0.0 }).collect();
    let result = auc_difference(&observations, confidence);
    let mut columns: Vec<ArrayRef> = estimate_columns(result.difference).to_vec();
    columns.extend([float(result.standard_error), float(result.p_value)]);
    columns.extend(estimate_columns(result.first));
    columns.extend(estimate_columns(result.second));
    columns.extend([integer(Some(result.positives)), integer(Some(result.negatives))]);
    struct_value(&auc_difference_type(), columns)
}

pub(crate) fn kaplan_meier_difference_type() -> DataType {
    struct_type(&[
        ("exposed_survival", DataType::Float64),
        ("unexposed_survival", DataType::Float64),
        ("difference", DataType::Float64),
        ("lower", DataType::Float64),
        ("upper", DataType::Float64),
        ("log_rank_statistic", DataType::Float64),
        ("p_value", DataType::Float64),
    ])
}

pub(crate) fn kaplan_meier_difference_value(rows: &[f64], horizon: f64, confidence: Confidence) -> Result<ScalarValue> {
    let follow_ups: Vec<FollowUp> = rows
        .chunks_exact(3)
        .map(|row| FollowUp { duration: row[0], event: row[1] != 0.0, exposed: row[2] != 0.0 })
        .collect();
    let result = kaplan_meier_difference(&follow_ups, horizon, confidence);
    let columns = vec![
        float(result.exposed_survival),
        float(result.unexposed_survival),
        float(result.difference.map(|difference| difference.estimate)),
        float(result.difference.map(|difference| difference.lower)),
        float(result.difference.map(|difference| difference.upper)),
        float(result.log_rank.map(|test| test.statistic)),
        float(result.log_rank.map(|test| test.p_value)),
    ];
    struct_value(&kaplan_meier_difference_type(), columns)
}

/// After `log_likelihood`.
const PENALIZED_PLACE: usize = 2;

/// What a logistic regression returns, with the field that only the penalized one has where `penalized`.
fn fit_type(penalized: bool) -> DataType {
    let mut fields = vec![
        ("coefficients", DataType::new_list(DataType::Float64, true)),
        ("log_likelihood", DataType::Float64),
        ("null_log_likelihood", DataType::Float64),
        ("mcfadden_r2", DataType::Float64),
        ("auc", DataType::Float64),
        ("n", DataType::Int64),
        ("parameters", DataType::Int64),
        ("status", DataType::Utf8),
    ];
    if penalized {
        fields.insert(PENALIZED_PLACE, ("penalized_log_likelihood", DataType::Float64));
    }
    struct_type(&fields)
}

/// The values of [`fit_type`] without the penalized field, in its order.
fn fit_columns(fit: LogisticFit) -> Result<Vec<ArrayRef>> {
    Ok(vec![
        coefficient_list(fit.coefficients)?,
        float(fit.log_likelihood),
        float(fit.null_log_likelihood),
        float(fit.mcfadden_r2),
        float(fit.auc),
        integer(Some(fit.n)),
        integer(fit.parameters),
        text(Some(fit.status.as_str())),
    ])
}

pub(crate) fn logistic_fit_type() -> DataType {
    fit_type(false)
}

/// Rows are an outcome followed by the covariates.
pub(crate) fn logistic_fit_value(rows: &[f64], width: usize) -> Result<ScalarValue> {
    let fit = logistic::fit(rows, width.saturating_sub(1));
    struct_value(&logistic_fit_type(), fit_columns(fit)?)
}

pub(crate) fn firth_fit_type() -> DataType {
    fit_type(true)
}

/// Rows are an outcome followed by the covariates.
pub(crate) fn firth_fit_value(rows: &[f64], width: usize) -> Result<ScalarValue> {
    let fit = firth::fit(rows, width.saturating_sub(1));
    let penalized = float(fit.penalized_log_likelihood);
    let mut columns = fit_columns(LogisticFit {
        coefficients: fit.coefficients,
        log_likelihood: fit.log_likelihood,
        null_log_likelihood: fit.null_log_likelihood,
        mcfadden_r2: fit.mcfadden_r2,
        auc: fit.auc,
        n: fit.n,
        parameters: fit.parameters,
        status: fit.status,
    })?;
    columns.insert(PENALIZED_PLACE, penalized);
    struct_value(&firth_fit_type(), columns)
}

fn coefficient_list(coefficients: Option<Vec<Option<f64>>>) -> Result<ArrayRef> {
    let field = Arc::new(Field::new_list_field(DataType::Float64, true));
    let valid = NullBuffer::from(vec![coefficients.is_some()]);
    let coefficients = coefficients.unwrap_or_default();
    let offsets = OffsetBuffer::from_lengths([coefficients.len()]);
    Ok(Arc::new(ListArray::try_new(field, offsets, Arc::new(Float64Array::from(coefficients)), Some(valid))?))
}
