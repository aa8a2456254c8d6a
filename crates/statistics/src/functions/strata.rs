//! The results of the aggregates whose rows are strata.

use arrow::{array::ArrayRef, datatypes::DataType};
use datafusion::common::{Result, ScalarValue};

use super::{
    parameters::{Description, Kind, Parameter},
    structs::{estimate_columns, float, integer, struct_type, struct_value},
};
use crate::{
    distributions::Confidence,
    stratified::{excess_churners, mantel_haenszel},
    two_by_two::Cells,
};

const CELLS: &[Parameter] = &[
    Parameter { name: "a", kind: Kind::Count, meaning: "Exposed customers of the stratum who churned" },
    Parameter { name: "b", kind: Kind::Count, meaning: "Exposed customers of the stratum who stayed" },
    Parameter { name: "c", kind: Kind::Count, meaning: "Unexposed customers of the stratum who churned" },
    Parameter { name: "d", kind: Kind::Count, meaning: "Unexposed customers of the stratum who stayed" },
];

pub(crate) static MANTEL_HAENSZEL: Description = Description {
    name: "mantel_haenszel",
    syntax: "mantel_haenszel(a, b, c, d[, level])",
    text: "Over rows that are strata: the pooled odds ratio (Mantel and Haenszel 1959) with the interval of Robins, \
           Breslow and Greenland (1986), the Cochran-Mantel-Haenszel test without continuity correction over the strata \
           of at least two customers, and the Breslow-Day test of one odds ratio over the strata with four positive \
           margins (df one less than their number, null below two of them). Returns struct{odds_ratio, lower, upper, \
           log_se, cmh_statistic, p_value, homogeneity_statistic, homogeneity_df, homogeneity_p_value, strata, \
           uninformative_strata}; undefined figures are null. Rows with a null are skipped. Independent of the order of \
           the rows to the last bit.",
    example: "SELECT mantel_haenszel(a, b, c, d)['odds_ratio'] FROM fct_key_journeys_outcome_stratum;",
    parameters: CELLS,
    takes_level: true,
};
pub(crate) static EXCESS_CHURNERS: Description = Description {
    name: "excess_churners",
    syntax: "excess_churners(a, b, c, d[, level])",
    text: "Over rows that are strata: customers who churned beyond what the unexposed of the same stratum did, \
           Σ (a - n1·c/n0), negative when the exposed churn less, with normal limits from variance Σ n1·p1(1-p1) + \
           n1²·p0(1-p0)/n0. Returns struct{estimate, lower, upper, churners (Σ m1), attributable_share (estimate / \
           churners), left_out_strata, left_out_exposed}; strata without unexposed customers are left out of all but the \
           last two. Rows with a null are skipped. Independent of the order of the rows to the last bit.",
    example: "SELECT excess_churners(a, b, c, d)['lower'] FROM fct_key_journeys_outcome_stratum;",
    parameters: CELLS,
    takes_level: true,
};

pub(crate) fn mantel_haenszel_type() -> DataType {
    struct_type(&[
        ("odds_ratio", DataType::Float64),
        ("lower", DataType::Float64),
        ("upper", DataType::Float64),
        ("log_se", DataType::Float64),
        ("cmh_statistic", DataType::Float64),
        ("p_value", DataType::Float64),
        ("homogeneity_statistic", DataType::Float64),
        ("homogeneity_df", DataType::Int64),
        ("homogeneity_p_value", DataType::Float64),
        ("strata", DataType::Int64),
        ("uninformative_strata", DataType::Int64),
    ])
}

pub(crate) fn mantel_haenszel_value(rows: &[f64], confidence: Confidence) -> Result<ScalarValue> {
    let result = mantel_haenszel(&strata(rows), confidence);
    let mut columns: Vec<ArrayRef> = estimate_columns(result.odds_ratio).to_vec();
    columns.extend([
        float(result.log_error),
        float(result.association.map(|test| test.statistic)),
        float(result.association.map(|test| test.p_value)),
        float(result.homogeneity.map(|test| test.statistic)),
        integer(result.homogeneity.map(|test| test.df)),
        float(result.homogeneity.map(|test| test.p_value)),
        integer(Some(result.strata)),
        integer(Some(result.uninformative_strata)),
    ]);
    struct_value(&mantel_haenszel_type(), columns)
}

pub(crate) fn excess_churners_type() -> DataType {
    struct_type(&[
        ("estimate", DataType::Float64),
        ("lower", DataType::Float64),
        ("upper", DataType::Float64),
        ("churners", DataType::Float64),
        ("attributable_share", DataType::Float64),
        ("left_out_strata", DataType::Int64),
        ("left_out_exposed", DataType::Float64),
    ])
}

pub(crate) fn excess_churners_value(rows: &[f64], confidence: Confidence) -> Result<ScalarValue> {
    let result = excess_churners(&strata(rows), confidence);
    let mut columns: Vec<ArrayRef> = estimate_columns(result.excess).to_vec();
    columns.extend([
        float(Some(result.churners).filter(|churners| churners.is_finite())),
        float(result.attributable_share),
        integer(Some(result.left_out_strata)),
        float(Some(result.left_out_exposed).filter(|exposed| exposed.is_finite())),
    ]);
    struct_value(&excess_churners_type(), columns)
}

/// The rows as tables; the collector has refused values that are no counts.
fn strata(rows: &[f64]) -> Vec<Cells> {
    rows.chunks_exact(4).filter_map(|row| Cells::new(row[0], row[1], row[2], row[3])).collect()
}
