//! Measures as SQL.

use throughline_config::RatioInterval;

use crate::model::{Aggregate, AggregateOf, Figure, FigureKind, Filter, FilterValue};

/// Words that some dialect reserves, so that a column of the name is quoted.
const RESERVED: &str = " all and any array as asc between both by case cast check collate column constraint create \
                        cross current date day default desc distinct do else end except exists false fetch for \
                        foreign from full function grant group having in inner intersect interval into is join key \
                        leading left like limit lateral month natural not null offset on only open or order outer \
                        overlaps partition position primary range references right row rows select session_user \
                        set some table then time timestamp to trailing true union unique update user using values \
                        when where window with year ";

/// A name in SQL: as it is where it is plain, else between quotes.
pub(crate) fn identifier(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if plain && !RESERVED.contains(&format!(" {name} ")) { name.to_owned() } else { quoted(name) }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A number that SQL and DAX read as one with a fraction.
pub(crate) fn number(number: f64) -> String {
    format!("{number:?}")
}

fn literal(value: &FilterValue) -> String {
    match value {
        FilterValue::Text(text) => format!("'{}'", text.replace('\'', "''")),
        FilterValue::Number(value) => format!("{value}"),
        FilterValue::Boolean(value) => value.to_string().to_uppercase(),
    }
}

/// A filter as a condition; `column` says how a column is named.
pub(crate) fn condition(filter: &Filter, column: &impl Fn(&str) -> String) -> String {
    let values: Vec<String> = filter.values.iter().map(literal).collect();
    match values.as_slice() {
        [value] => format!("{} = {value}", column(&filter.column)),
        values => format!("{} IN ({})", column(&filter.column), values.join(", ")),
    }
}

fn aggregate(aggregate: &Aggregate, column: &impl Fn(&str) -> String) -> String {
    let of = match &aggregate.of {
        AggregateOf::Rows => None,
        AggregateOf::Count(name) | AggregateOf::Distinct(name) | AggregateOf::Sum(name) => Some(column(name)),
    };
    let filters: Vec<String> = aggregate.filters.iter().map(|filter| condition(filter, column)).collect();
    let of = match (of, filters.is_empty()) {
        (None, true) => "*".to_owned(),
        (Some(of), true) => of,
        (of, false) => {
            format!("CASE WHEN {} THEN {} END", filters.join(" AND "), of.as_deref().unwrap_or("1"))
        }
    };
    match aggregate.of {
        AggregateOf::Rows | AggregateOf::Count(_) => format!("COUNT({of})"),
        AggregateOf::Distinct(_) => format!("COUNT(DISTINCT {of})"),
        AggregateOf::Sum(_) => format!("SUM({of})"),
    }
}

/// `times` one over the other, null where nothing is below the line.
pub(crate) fn quotient(numerator: &str, denominator: &str, times: f64) -> String {
    format!("{} * {numerator} / NULLIF({denominator}, 0)", number(times))
}

/// A limit by the functions of the endpoint's sessions.
pub(crate) fn limit(
    (numerator, denominator): (&str, &str),
    times: f64,
    interval: RatioInterval,
    upper: bool,
    confidence: f64,
) -> String {
    let function = match interval {
        RatioInterval::Wilson => "wilson",
        RatioInterval::Poisson => "poisson_rate",
    };
    let end = if upper { "upper_limit" } else { "lower_limit" };
    let limit = format!("{end}({function}({numerator}, {denominator}, {}))", number(confidence));
    if times == 1.0 { limit } else { format!("{} * {limit}", number(times)) }
}

/// A measure over the rows chosen.
pub(crate) fn figure(figure: &Figure, confidence: f64, column: &impl Fn(&str) -> String) -> String {
    let value = match &figure.kind {
        FigureKind::Aggregate(one) => aggregate(one, column),
        FigureKind::Ratio { numerator, denominator, times, .. } => {
            quotient(&aggregate(numerator, column), &aggregate(denominator, column), *times)
        }
        FigureKind::Limit { numerator, denominator, times, interval, upper, .. } => {
            let (above, below) = (aggregate(numerator, column), aggregate(denominator, column));
            limit((&above, &below), *times, *interval, *upper, confidence)
        }
        // A single row has a single value of every column.
        FigureKind::NonAdditive(name) => {
            return format!("CASE WHEN COUNT(*) = 1 THEN MAX({}) END", column(name));
        }
    };
    if figure.one_of.is_empty() {
        return value;
    }
    let single: Vec<String> =
        figure.one_of.iter().map(|name| format!("COUNT(DISTINCT {}) <= 1", column(name))).collect();
    format!("CASE WHEN {} THEN {value} END", single.join(" AND "))
}
