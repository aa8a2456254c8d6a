//! The results of the aggregates whose rows are strata of person-time.

use arrow::{array::ArrayRef, datatypes::DataType};
use datafusion::common::{Result, ScalarValue, exec_err};

use super::{
    parameters::{Description, Kind, Parameter},
    structs::{estimate_columns, float, integer, struct_type, struct_value, text},
};
use crate::{
    distributions::Confidence,
    excess_change::{TwoPeriods, excess_change},
    homogeneity::cochran_q,
    person_time::{excess_leavers, excess_revenue, mantel_haenszel_rates},
    proportion::Estimate,
    rates::PersonTime,
};

const A: Parameter = Parameter { name: "a", kind: Kind::Count, meaning: "Leavers of the stratum while exposed" };
const N1: Parameter = Parameter { name: "n1", kind: Kind::Duration, meaning: "Exposed person-days of the stratum" };
const C: Parameter = Parameter { name: "c", kind: Kind::Count, meaning: "Leavers of the stratum while unexposed" };
const N0: Parameter = Parameter { name: "n0", kind: Kind::Duration, meaning: "Unexposed person-days of the stratum" };
const STRATUM: &[Parameter] = &[A, N1, C, N0];

pub(crate) static MANTEL_HAENSZEL_RATES: Description = Description {
    name: "mantel_haenszel_rates",
    syntax: "mantel_haenszel_rates(a, n1, c, n0[, level])",
    text: "Over rows that are strata of person-time: the pooled rate ratio, exposed over unexposed, (Σ a·n0/N)/(Σ c·n1/N) \
           with limits on the log scale (Mantel-Haenszel for person-time, Greenland and Robins 1985). Returns \
           struct{estimate, lower, upper, log_se, reason, strata, uninformative_strata}; without leavers in both arms the \
           figures are null and reason says why. Rows with a null are skipped, leavers without a day at risk are an \
           error. Independent of the order of the rows to the last bit.",
    example: "SELECT mantel_haenszel_rates(a, n1, c, n0)['estimate'] FROM stratum;",
    parameters: STRATUM,
    takes_level: true,
};
pub(crate) static EXCESS_LEAVERS: Description = Description {
    name: "excess_leavers",
    syntax: "excess_leavers(a, n1, c, n0[, level])",
    text: "Over rows that are strata of person-time: customers who left beyond what the unexposed of the same stratum did, \
           Σ (a - n1·c/n0), negative when the exposed leave less, over the strata with unexposed days. Limits by MOVER \
           (Zou and Donner 2008) from the exact Poisson ones (Garwood 1936) of A = Σ a and T = Σ n1·c/n0, the latter \
           taken as s times a Poisson variable. Returns struct{estimate, lower, upper, standard_error (√(A + s·T)), \
           p_value (one less the level at which the limit just holds 0), smallest_detectable (with power 80 %), expected \
           (T), expected_lower, expected_upper, scale (s), standardized_ratio (A/T), standardized_ratio_lower, \
           standardized_ratio_upper, e_value, e_value_limit (of the limit nearer to no effect; 1 when the interval holds \
           0), attributable_share (of all leavers, those left out among them), attributable_share_lower, \
           attributable_share_upper, effective_leavers (the smaller of the next two), effective_leavers_raw, \
           effective_leavers_smoothed, exposed_leavers, exposed_days, unexposed_leavers, unexposed_days (over the strata \
           that compare), leavers (all), left_out_days, left_out_leavers (exposed, in strata without unexposed days), \
           left_out_strata, strata, reason (why there is no figure)}. Rows with a null are skipped, leavers without a day at risk are an \
           error. Independent of the order of the rows to the last bit.",
    example: "SELECT excess_leavers(a, n1, c, n0)['lower'] FROM stratum;",
    parameters: STRATUM,
    takes_level: true,
};
pub(crate) static EXCESS_REVENUE: Description = Description {
    name: "excess_revenue",
    syntax: "excess_revenue(a, n1, c, n0, billed[, level])",
    text: "Over rows that are strata of person-time: a year's worth of revenue of the excess leavers, \
           Σ (a - n1·c/n0) × billed/n1 × 365, in the currency of billed, as struct{estimate, lower, upper}; limits as \
           those of excess_leavers, with the revenue a person-day among the weights. Null without a stratum with exposed \
           and unexposed days. Rows with a null are skipped, leavers without a day at risk are an error. Independent of \
           the order of the rows to the last bit.",
    example: "SELECT excess_revenue(a, n1, c, n0, billed)['estimate'] FROM stratum;",
    parameters: &[
        A,
        N1,
        C,
        N0,
        Parameter { name: "billed", kind: Kind::Number, meaning: "Billed in the period to the exposed of the stratum" },
    ],
    takes_level: true,
};
pub(crate) static EXCESS_CHANGE: Description = Description {
    name: "excess_change",
    syntax: "excess_change(a_before, n1_before, c_before, n0_before, a, n1, c, n0[, level])",
    text: "Over rows that are strata of two periods (all 0 where a period has none): why the excess leavers differ. With \
           d = a/n1 - c/n0 and means of both periods: Σ Δn1·d as volume (days on the journey) and mix (in which strata), \
           Σ n1·Δ(a/n1) as exposed_rate, -Σ n1·Δ(c/n0) as unexposed_rate; the four add up to the change (the symmetric \
           decomposition of Kitagawa 1955). Each with limits by MOVER (Zou and Donner 2008) from the exact ones of the \
           counts that add and that subtract, as in excess_leavers. A rate that one period does not tell is taken from \
           the other; a stratum without unexposed days is left out of that period. Returns struct{estimate, lower, upper \
           (of the change), before, after, volume, volume_lower, volume_upper, mix, mix_lower, mix_upper, exposed_rate, \
           exposed_rate_lower, exposed_rate_upper, unexposed_rate, unexposed_rate_lower, unexposed_rate_upper, strata}. \
           Rows with a null are skipped, leavers without a day at risk are an error. Independent of the order of the rows \
           to the last bit.",
    example: "SELECT excess_change(was.a, was.n1, was.c, was.n0, now.a, now.n1, now.c, now.n0)['volume'] FROM was JOIN now USING (stratum);",
    parameters: &[
        Parameter { name: "a_before", kind: Kind::Count, meaning: "Leavers while exposed in the period before" },
        Parameter { name: "n1_before", kind: Kind::Duration, meaning: "Exposed person-days of the period before" },
        Parameter { name: "c_before", kind: Kind::Count, meaning: "Leavers while unexposed in the period before" },
        Parameter { name: "n0_before", kind: Kind::Duration, meaning: "Unexposed person-days of the period before" },
        A,
        N1,
        C,
        N0,
    ],
    takes_level: true,
};
pub(crate) static COCHRAN_Q: Description = Description {
    name: "cochran_q",
    syntax: "cochran_q(estimate, standard_error)",
    text: "Over rows that are independent estimates of one figure, such as the log rate ratios of segments: Cochran's Q, \
           the weighted squared distance from their common mean, χ² with one degree of freedom less than there are rows \
           when they are the same (Cochran 1954). Returns struct{statistic, df, p_value, estimates}, the first three null \
           below two rows. Rows with a null are skipped. Independent of the order of the rows to the last bit.",
    example: "SELECT cochran_q(ln(ratio['estimate']), ratio['log_se'])['p_value'] FROM segment_ratio;",
    parameters: &[
        Parameter { name: "estimate", kind: Kind::Number, meaning: "Estimate of a group" },
        Parameter { name: "standard_error", kind: Kind::Positive, meaning: "Its standard error" },
    ],
    takes_level: false,
};

pub(crate) fn mantel_haenszel_rates_type() -> DataType {
    struct_type(&[
        ("estimate", DataType::Float64),
        ("lower", DataType::Float64),
        ("upper", DataType::Float64),
        ("log_se", DataType::Float64),
        ("reason", DataType::Utf8),
        ("strata", DataType::Int64),
        ("uninformative_strata", DataType::Int64),
    ])
}

pub(crate) fn mantel_haenszel_rates_value(rows: &[f64], confidence: Confidence) -> Result<ScalarValue> {
    let result = mantel_haenszel_rates(&strata(&MANTEL_HAENSZEL_RATES, rows, 4)?, confidence);
    let mut columns: Vec<ArrayRef> = estimate_columns(result.rate_ratio).to_vec();
    columns.extend([
        float(result.log_error),
        text(result.reason),
        integer(Some(result.strata)),
        integer(Some(result.uninformative_strata)),
    ]);
    struct_value(&mantel_haenszel_rates_type(), columns)
}

pub(crate) fn excess_leavers_type() -> DataType {
    let floats = [
        "estimate",
        "lower",
        "upper",
        "standard_error",
        "p_value",
        "smallest_detectable",
        "expected",
        "expected_lower",
        "expected_upper",
        "scale",
        "standardized_ratio",
        "standardized_ratio_lower",
        "standardized_ratio_upper",
        "e_value",
        "e_value_limit",
        "attributable_share",
        "attributable_share_lower",
        "attributable_share_upper",
        "effective_leavers",
        "effective_leavers_raw",
        "effective_leavers_smoothed",
        "exposed_leavers",
        "exposed_days",
        "unexposed_leavers",
        "unexposed_days",
        "leavers",
        "left_out_days",
        "left_out_leavers",
    ];
    let mut fields: Vec<(&str, DataType)> = floats.map(|name| (name, DataType::Float64)).to_vec();
    fields.extend([("left_out_strata", DataType::Int64), ("strata", DataType::Int64), ("reason", DataType::Utf8)]);
    struct_type(&fields)
}

pub(crate) fn excess_leavers_value(rows: &[f64], confidence: Confidence) -> Result<ScalarValue> {
    let result = excess_leavers(&strata(&EXCESS_LEAVERS, rows, 4)?, confidence);
    let finite = |figure: f64| float(Some(figure).filter(|figure| figure.is_finite()));
    let mut columns: Vec<ArrayRef> = estimate_columns(result.excess).to_vec();
    columns.extend([float(result.standard_error), float(result.p_value), float(result.smallest_detectable)]);
    columns.extend(estimate_columns(result.expected));
    columns.push(float(result.scale));
    columns.extend(result.standardized_ratio.map(float));
    columns.extend(result.e_value.map(float));
    columns.extend(estimate_columns(result.attributable_share));
    columns.extend([
        finite(result.effective_raw.min(result.effective_smoothed)),
        finite(result.effective_raw),
        finite(result.effective_smoothed),
        finite(result.compared.a),
        finite(result.compared.n1),
        finite(result.compared.c),
        finite(result.compared.n0),
        finite(result.leavers),
        finite(result.left_out_days),
        finite(result.left_out_leavers),
        integer(Some(result.left_out_strata)),
        integer(Some(result.strata)),
        text(result.reason),
    ]);
    struct_value(&excess_leavers_type(), columns)
}

pub(crate) fn excess_revenue_value(rows: &[f64], confidence: Confidence) -> Result<ScalarValue> {
    let strata = strata(&EXCESS_REVENUE, rows, 5)?;
    let billed = rows.chunks_exact(5).map(|row| row[4]);
    let revenue = excess_revenue(&strata.into_iter().zip(billed).collect::<Vec<_>>(), confidence);
    struct_value(&super::structs::estimate_type(), estimate_columns(revenue).to_vec())
}

pub(crate) fn excess_change_type() -> DataType {
    let parts = ["volume", "mix", "exposed_rate", "unexposed_rate"];
    let names = parts.map(|part| [part.to_owned(), format!("{part}_lower"), format!("{part}_upper")]);
    let mut fields: Vec<(&str, DataType)> =
        ["estimate", "lower", "upper", "before", "after"].map(|name| (name, DataType::Float64)).to_vec();
    fields.extend(names.iter().flatten().map(|name| (name.as_str(), DataType::Float64)));
    fields.push(("strata", DataType::Int64));
    struct_type(&fields)
}

pub(crate) fn excess_change_value(rows: &[f64], confidence: Confidence) -> Result<ScalarValue> {
    let name = EXCESS_CHANGE.name;
    let mut periods = Vec::with_capacity(rows.len() / 8);
    for row in rows.chunks_exact(8) {
        periods.push(TwoPeriods { before: stratum(name, &row[..4])?, after: stratum(name, &row[4..])? });
    }
    let result = excess_change(&periods, confidence);
    let finite = |figure: f64| float(Some(figure).filter(|figure| figure.is_finite()));
    let mut columns: Vec<ArrayRef> = estimate_columns(result.change).to_vec();
    columns.extend([finite(result.before), finite(result.after)]);
    let parts: [Option<Estimate>; 4] = [result.volume, result.mix, result.exposed_rate, result.unexposed_rate];
    columns.extend(parts.into_iter().flat_map(estimate_columns));
    columns.push(integer(Some(result.strata)));
    struct_value(&excess_change_type(), columns)
}

pub(crate) fn cochran_q_type() -> DataType {
    struct_type(&[
        ("statistic", DataType::Float64),
        ("df", DataType::Int64),
        ("p_value", DataType::Float64),
        ("estimates", DataType::Int64),
    ])
}

pub(crate) fn cochran_q_value(rows: &[f64]) -> Result<ScalarValue> {
    let estimates: Vec<(f64, f64)> = rows.chunks_exact(2).map(|row| (row[0], row[1])).collect();
    let test = cochran_q(&estimates);
    let columns = vec![
        float(test.map(|test| test.statistic)),
        integer(test.map(|test| test.df)),
        float(test.map(|test| test.p_value)),
        integer(Some(estimates.len() as u64)),
    ];
    struct_value(&cochran_q_type(), columns)
}

/// The first four of each row's `width` values as a stratum.
fn strata(description: &Description, rows: &[f64], width: usize) -> Result<Vec<PersonTime>> {
    rows.chunks_exact(width).map(|row| stratum(description.name, &row[..4])).collect()
}

/// The collector has refused values that are no counts; what is left is a leaver who was never at risk.
fn stratum(function: &str, row: &[f64]) -> Result<PersonTime> {
    match PersonTime::new(row[0], row[1], row[2], row[3]) {
        Some(stratum) => Ok(stratum),
        None => exec_err!(
            "{function}: leavers without a day at risk: {} exposed on {} days, {} unexposed on {} days",
            row[0],
            row[1],
            row[2],
            row[3]
        ),
    }
}
