//! A file of `pipelines/sources/` for each table: where it lies, its columns, and what a row must satisfy.

use std::fmt::Write as _;

use throughline_config::{ColumnType, Format};

use super::super::column::{ColumnProfile, Holds};
use super::super::guess::{ColumnIndex, Scale};
use super::super::look::TableProfile;
use super::super::times::{EpochUnit, Writing};
use super::notes::{comment, day, shown, thousands};

/// What the guess knows of a table that belongs into its contract.
#[derive(Debug, Default)]
pub(crate) struct SourceRules {
    /// The column that identifies a row.
    pub(crate) key: Option<ColumnIndex>,
    /// When a row happened.
    pub(crate) time: Option<ColumnIndex>,
    /// Columns without which a row is of no use.
    pub(crate) needed: Vec<ColumnIndex>,
    /// A score and the scale that holds it.
    pub(crate) score: Option<(ColumnIndex, Scale)>,
}

/// The text of the source's file.
pub(crate) fn source(table: &TableProfile, rules: &SourceRules) -> String {
    let mut text = comment(0, "# ", &looked_at(table));
    if let Some(first) = &table.first_bad {
        let rows = thousands(table.bad_rows);
        text.push_str(&comment(0, "# ", &format!("{rows} rows cannot be read and are set aside; the first: {first}")));
    }
    for (column, reason) in &table.left_out {
        text.push_str(&comment(0, "# ", &format!("column `{}` is left out: {reason}", shown(column))));
    }
    let _ = writeln!(text, "{}:", table.name);
    let _ = writeln!(text, "  path: {}", scalar(&table.path.replace("${", "$${")));
    let format = match table.format {
        Format::Parquet => "parquet",
        Format::Csv { .. } => "csv",
        Format::Json => "json",
        Format::Delta => "delta",
    };
    let _ = writeln!(text, "  format: {format}");
    match table.format {
        Format::Csv { delimiter: b'\t' } => text.push_str("  delimiter: tab\n"),
        Format::Csv { delimiter } if delimiter != b',' => {
            let _ = writeln!(text, "  delimiter: \"{}\"", char::from(delimiter));
        }
        _ => {}
    }
    columns(table, rules, &mut text);
    let called = |place: ColumnIndex| scalar(&table.columns[place].name);
    let readable_time = rules.time.filter(|place| table.columns[*place].read_as == Some(ColumnType::Timestamp));
    match (readable_time, rules.time) {
        (Some(time), _) => text.push_str(&format!("  time_column: {}\n", called(time))),
        (None, Some(time)) => text.push_str(&comment(
            2,
            "# ",
            &format!("no time_column: {} is turned into a time in the staging SQL", called(time)),
        )),
        (None, None) => {}
    }
    if let Some(key) = rules.key {
        let _ = writeln!(text, "  key: [{}]", called(key));
    }
    contract(table, rules, &mut text);
    text
}

/// How much of the table was looked at.
pub(crate) fn looked_at(table: &TableProfile) -> String {
    let rows = thousands(table.rows);
    let files = match table.files {
        0 | 1 => String::new(),
        files => format!(" in {} files", thousands(files as u64)),
    };
    if table.is_whole {
        format!("looked at: all {rows} rows{files}")
    } else {
        format!("looked at: {rows} rows, not all there are{files}; what is said here holds for these")
    }
}

/// The declared columns; none at all where one has a type that cannot be declared.
fn columns(table: &TableProfile, rules: &SourceRules, text: &mut String) {
    let is_typed = matches!(table.format, Format::Parquet | Format::Delta);
    let undeclared = |column: &&ColumnProfile| column.read_as.is_none() && !matches!(column.holds, Holds::Other(_));
    if is_typed && let Some(column) = table.columns.iter().find(undeclared) {
        let why = format!("no `columns:`, so all are read: {} is of a type that none can be declared as", column.name);
        text.push_str(&comment(2, "# ", &why));
        return;
    }
    text.push_str("  columns:\n");
    for (place, column) in table.columns.iter().enumerate() {
        let name = scalar(&column.name);
        // Who the customers are, and which rows there are, is not written into a file that is kept and shared.
        let identifies = rules.key == Some(place) || rules.needed.contains(&place);
        let declared = match column.read_as {
            Some(data_type) => type_word(data_type),
            None => {
                text.push_str(&comment(4, "# ", &format!("{name} is not read: {}", about(column))));
                continue;
            }
        };
        let declared = match &column.pattern {
            Some(pattern) => format!("{{ type: {declared}, format: {} }}", scalar(pattern)),
            None => declared.to_owned(),
        };
        let known = if identifies && column.holds == Holds::Text { different(column) } else { about(column) };
        let _ = writeln!(text, "    {name}: {declared}  # {known}");
    }
}

fn contract(table: &TableProfile, rules: &SourceRules, text: &mut String) {
    let mut needed: Vec<ColumnIndex> = rules.key.into_iter().chain(rules.needed.iter().copied()).collect();
    needed.extend(rules.time);
    let mut names = Vec::new();
    for place in needed {
        let name = scalar(&table.columns[place].name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let in_range = rules.score.as_ref().filter(|(place, _)| table.columns[*place].marker.is_none());
    if names.is_empty() && in_range.is_none() {
        return;
    }
    text.push_str("  contract:\n");
    if !names.is_empty() {
        let _ = writeln!(text, "    - not_null: [{}]", names.join(", "));
    }
    if let Some((place, scale)) = in_range {
        let name = scalar(&table.columns[*place].name);
        let _ = writeln!(text, "    - range: {{ {name}: {{ min: {}, max: {} }} }}", scale.least, scale.most);
    }
}

/// What is known of a column, in some words.
pub(crate) fn about(column: &ColumnProfile) -> String {
    let mut text = match &column.holds {
        Holds::Nothing => return "always empty".to_owned(),
        Holds::Other(name) => return format!("its type is {}", shown(name)),
        Holds::Text if column.is_category() && column.distinct <= 8 => {
            let values: Vec<String> = column.common.iter().map(|(value, _)| shown(value)).collect();
            values.join(", ")
        }
        Holds::Text => different(column),
        Holds::Whole(least, most) => format!("{least} to {most}; {}", different(column)),
        Holds::Number(least, most) => format!("{least} to {most}"),
        Holds::Truth => "true or false".to_owned(),
        Holds::Time(reading) => {
            let unit = match &reading.writing {
                Writing::Epoch(EpochUnit::Seconds) => ", written as seconds since 1970",
                Writing::Epoch(EpochUnit::Milliseconds) => ", written as milliseconds since 1970",
                Writing::Epoch(EpochUnit::Microseconds) => ", written as microseconds since 1970",
                _ => "",
            };
            let zone = match (reading.has_time_of_day, reading.has_zone) {
                (false, _) => ", days without a time",
                (true, false) => ", without a zone: read as UTC",
                (true, true) => "",
            };
            let also = reading.also.as_ref().map_or(String::new(), |also| format!("; fits `{also}` as well"));
            format!("{} to {}{unit}{zone}{also}", day(reading.earliest), day(reading.latest))
        }
    };
    if let Some((word, count)) = &column.marker {
        let _ = write!(text, "; {} times `{}`, so it is read as text", thousands(*count), shown(word));
    }
    if column.missing > 0 {
        let all = column.missing + column.values;
        let share = (column.missing as f64 / all as f64 * 100.0).ceil();
        let _ = write!(text, "; {share} % missing");
    }
    text
}

fn different(column: &ColumnProfile) -> String {
    if column.is_unique() {
        return "no value twice".to_owned();
    }
    let one = if column.distinct == 1 { "" } else { "s" };
    format!("{} different value{one}", thousands(column.distinct))
}

fn type_word(data_type: ColumnType) -> &'static str {
    match data_type {
        ColumnType::String => "string",
        ColumnType::Int64 => "int64",
        ColumnType::Float64 => "float64",
        ColumnType::Boolean => "boolean",
        ColumnType::Date => "date",
        ColumnType::Timestamp => "timestamp",
    }
}

/// A text as YAML reads it: in quotes unless it can only be read as this text.
pub(crate) fn scalar(text: &str) -> String {
    const READ_OTHERWISE: &[&str] = &["y", "n", "yes", "no", "true", "false", "null", "on", "off", "nan"];
    let begins = |sign: char| sign.is_ascii_alphabetic() || matches!(sign, '/' | '.' | '_');
    let plain = text.starts_with(begins)
        && !text.ends_with(['.', ':'])
        && text.chars().all(|sign| sign.is_ascii_alphanumeric() || matches!(sign, '_' | '/' | '.' | '-'))
        && !READ_OTHERWISE.contains(&text.to_ascii_lowercase().as_str());
    if plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for sign in text.chars() {
        match sign {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            sign if sign.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(sign))),
            sign => quoted.push(sign),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_where_yaml_would_read_them_otherwise() {
        assert_eq!(scalar("customer_id"), "customer_id");
        assert_eq!(scalar("../data/calls/"), "../data/calls/");
        assert_eq!(scalar("s3://bucket/calls/"), "\"s3://bucket/calls/\"");
        assert_eq!(scalar("Case ID"), "\"Case ID\"");
        assert_eq!(scalar("time:timestamp"), "\"time:timestamp\"");
        assert_eq!(scalar("No"), "\"No\"");
        assert_eq!(scalar("1st"), "\"1st\"");
        assert_eq!(scalar("a\"b\n"), "\"a\\\"b\\u000a\"");
    }
}
