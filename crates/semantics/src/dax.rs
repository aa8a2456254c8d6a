//! Measures as DAX (Data Analysis Expressions), the language of Power BI.

use crate::model::{Aggregate, AggregateOf, Figure, FigureKind, Filter, FilterValue};
use crate::sql::number;

/// A column; `name` is what Power BI calls it.
fn column(table: &str, name: &str) -> String {
    format!("'{}'[{}]", table.replace('\'', "''"), name.replace(']', "]]"))
}

fn table(name: &str) -> String {
    format!("'{}'", name.replace('\'', "''"))
}

/// A text, on one line whatever is in it.
fn text(text: &str) -> String {
    let mut parts: Vec<String> = vec![String::new()];
    for letter in text.chars() {
        if letter.is_control() {
            parts.push(format!("UNICHAR({})", u32::from(letter)));
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(letter);
        }
    }
    let quoted = parts
        .iter()
        .enumerate()
        .map(|(place, part)| if place % 2 == 1 { part.clone() } else { format!("\"{}\"", part.replace('"', "\"\"")) });
    quoted.collect::<Vec<_>>().join(" & ")
}

fn filter(of: &str, filter: &Filter, name: &impl Fn(&str) -> String) -> String {
    let values: Vec<String> = filter
        .values
        .iter()
        .map(|value| match value {
            FilterValue::Text(value) => text(value),
            FilterValue::Number(value) => format!("{value}"),
            FilterValue::Boolean(true) => "TRUE()".to_owned(),
            FilterValue::Boolean(false) => "FALSE()".to_owned(),
        })
        .collect();
    format!("KEEPFILTERS({} IN {{ {} }})", column(of, &name(&filter.column)), values.join(", "))
}

fn aggregate(of: &str, one: &Aggregate, name: &impl Fn(&str) -> String) -> String {
    let value = match &one.of {
        AggregateOf::Rows => format!("COUNTROWS({})", table(of)),
        AggregateOf::Count(by) => format!("COUNTA({})", column(of, &name(by))),
        AggregateOf::Distinct(by) => format!("DISTINCTCOUNTNOBLANK({})", column(of, &name(by))),
        AggregateOf::Sum(by) => format!("SUM({})", column(of, &name(by))),
    };
    if one.filters.is_empty() {
        return value;
    }
    let filters: Vec<String> = one.filters.iter().map(|one| filter(of, one, name)).collect();
    format!("CALCULATE({value}, {})", filters.join(", "))
}

/// A measure of the table `of`; `None` for what DAX has no function for. `name` says what Power BI calls a column.
pub(crate) fn figure(of: &str, figure: &Figure, name: &impl Fn(&str) -> String) -> Option<String> {
    let value = match &figure.kind {
        FigureKind::Aggregate(one) => aggregate(of, one, name),
        FigureKind::Ratio { numerator, denominator, times, .. } => {
            let (above, below) = (aggregate(of, numerator, name), aggregate(of, denominator, name));
            if *times == 1.0 {
                format!("DIVIDE({above}, {below})")
            } else {
                format!("DIVIDE({} * {above}, {below})", number(*times))
            }
        }
        FigureKind::NonAdditive(by) => {
            return Some(format!("IF(COUNTROWS({}) = 1, MAX({}))", table(of), column(of, &name(by))));
        }
        FigureKind::Limit { .. } => return None,
    };
    if figure.one_of.is_empty() {
        return Some(value);
    }
    let single = figure.one_of.iter().map(|by| format!("DISTINCTCOUNTNOBLANK({}) <= 1", column(of, &name(by))));
    Some(format!("IF({}, {value})", single.collect::<Vec<_>>().join(" && ")))
}
