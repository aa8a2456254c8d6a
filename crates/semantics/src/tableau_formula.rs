//! Measures as formulas of Tableau's calculated fields.

use throughline_config::RatioInterval;

use crate::model::{Aggregate, AggregateOf, Figure, FigureKind, Filter, FilterValue, Table};
use crate::sql::number;

/// A field.
pub(crate) fn field(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// A text, on one line whatever is in it.
fn text(text: &str) -> String {
    let mut parts: Vec<String> = vec![String::new()];
    for letter in text.chars() {
        if letter.is_ascii_control() {
            parts.push(format!("CHAR({})", u32::from(letter)));
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(letter);
        }
    }
    let quoted = parts
        .iter()
        .enumerate()
        .map(|(place, part)| if place % 2 == 1 { part.clone() } else { format!("'{}'", part.replace('\'', "''")) });
    let all = quoted.collect::<Vec<_>>().join(" + ");
    if parts.len() == 1 { all } else { format!("({all})") }
}

fn condition(filter: &Filter) -> String {
    let field = field(&filter.column);
    let values: Vec<String> = filter
        .values
        .iter()
        .map(|value| match value {
            FilterValue::Text(value) => format!("{field} = {}", text(value)),
            FilterValue::Number(value) => format!("{field} = {value}"),
            FilterValue::Boolean(true) => field.clone(),
            FilterValue::Boolean(false) => format!("NOT {field}"),
        })
        .collect();
    if values.len() == 1 { values.concat() } else { format!("({})", values.join(" OR ")) }
}

fn aggregate(table: &Table, one: &Aggregate) -> String {
    // A column of the key is never null, so its values are the rows.
    let row = || table.key.first().map_or_else(|| "1".to_owned(), |key| field(key));
    let of = match &one.of {
        AggregateOf::Rows => row(),
        AggregateOf::Count(by) | AggregateOf::Distinct(by) | AggregateOf::Sum(by) => field(by),
    };
    let filters: Vec<String> = one.filters.iter().map(condition).collect();
    let of = if filters.is_empty() { of } else { format!("IF {} THEN {of} END", filters.join(" AND ")) };
    match one.of {
        AggregateOf::Rows | AggregateOf::Count(_) => format!("COUNT({of})"),
        AggregateOf::Distinct(_) => format!("COUNTD({of})"),
        AggregateOf::Sum(_) => format!("SUM({of})"),
    }
}

/// A measure. A limit is handed on to the endpoint, which has a function for it.
pub(crate) fn formula(table: &Table, figure: &Figure, confidence: f64) -> String {
    let quotient = |times: f64, numerator: &Aggregate, denominator: &Aggregate| {
        let (above, below) = (aggregate(table, numerator), aggregate(table, denominator));
        format!("IF {below} <> 0 THEN {} * {above} / {below} END", number(times))
    };
    let value = match &figure.kind {
        FigureKind::Aggregate(one) => aggregate(table, one),
        FigureKind::Ratio { numerator, denominator, times, .. } => quotient(*times, numerator, denominator),
        FigureKind::Limit { numerator, denominator, times, interval, upper, .. } => {
            let function = match interval {
                RatioInterval::Wilson => "wilson",
                RatioInterval::Poisson => "poisson_rate",
            };
            let end = if *upper { "upper_limit" } else { "lower_limit" };
            format!(
                "{} * RAWSQLAGG_REAL(\"{end}({function}(%1, %2, {}))\", {}, {})",
                number(*times),
                number(confidence),
                aggregate(table, numerator),
                aggregate(table, denominator)
            )
        }
        FigureKind::NonAdditive(by) => {
            let rows = aggregate(table, &Aggregate { of: AggregateOf::Rows, filters: Vec::new() });
            return format!("IF {rows} = 1 THEN MAX({}) END", field(by));
        }
    };
    if figure.one_of.is_empty() {
        return value;
    }
    let single: Vec<String> = figure.one_of.iter().map(|by| format!("COUNTD({}) <= 1", field(by))).collect();
    format!("IF {} THEN ({value}) END", single.join(" AND "))
}
