//! SQL expressions over the columns of a source, and SELECTs with a comment for each column.

use super::super::column::{ColumnProfile, Holds};
use super::super::times::{EpochUnit, Writing};
use super::notes::comment;
use throughline_config::ColumnType;

/// Names that a SELECT reads as something else unless they stand in quotes.
const RESERVED: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "cross",
    "current",
    "date",
    "desc",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "false",
    "fetch",
    "filter",
    "first",
    "for",
    "from",
    "full",
    "group",
    "having",
    "in",
    "inner",
    "interval",
    "is",
    "join",
    "last",
    "left",
    "like",
    "limit",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "right",
    "select",
    "table",
    "then",
    "time",
    "timestamp",
    "true",
    "union",
    "user",
    "where",
];

/// A column's name as SQL reads it, of `relation` where there are several.
pub(crate) fn name(relation: Option<&str>, column: &str) -> String {
    let own = quoted(column);
    relation.map_or(own.clone(), |relation| format!("{relation}.{own}"))
}

/// A name in quotes where SQL would read it otherwise.
pub(crate) fn quoted(name: &str) -> String {
    let plain = name.starts_with(|sign: char| sign.is_ascii_lowercase() || sign == '_')
        && name.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_')
        && !RESERVED.contains(&name);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A text as SQL writes it.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The column's values as text.
pub(crate) fn as_text(relation: Option<&str>, column: &ColumnProfile) -> String {
    let own = name(relation, &column.name);
    match column.read_as {
        Some(ColumnType::String) => own,
        _ => format!("CAST({own} AS VARCHAR)"),
    }
}

/// The column's values as numbers.
pub(crate) fn as_number(relation: Option<&str>, column: &ColumnProfile) -> String {
    format!("CAST({} AS DOUBLE)", without_marker(relation, column))
}

/// The column's values as times in microseconds, UTC.
pub(crate) fn as_time(relation: Option<&str>, column: &ColumnProfile) -> String {
    if column.read_as == Some(ColumnType::Timestamp) {
        return name(relation, &column.name);
    }
    let own = without_marker(relation, column);
    let function = match &column.holds {
        Holds::Time(reading) => match &reading.writing {
            Writing::Epoch(EpochUnit::Seconds) => format!("to_timestamp_seconds(CAST({own} AS BIGINT))"),
            Writing::Epoch(EpochUnit::Milliseconds) => format!("to_timestamp_millis(CAST({own} AS BIGINT))"),
            Writing::Epoch(EpochUnit::Microseconds) => format!("to_timestamp_micros(CAST({own} AS BIGINT))"),
            Writing::Pattern(pattern) => format!("to_timestamp({own}, {})", literal(pattern)),
            Writing::Iso | Writing::Typed => format!("to_timestamp({own})"),
        },
        _ => own,
    };
    format!("arrow_cast({function}, 'Timestamp(Microsecond, Some(\"UTC\"))')")
}

/// The column, null where the word for a missing value stands.
fn without_marker(relation: Option<&str>, column: &ColumnProfile) -> String {
    let own = name(relation, &column.name);
    match &column.marker {
        Some((word, _)) => format!("nullif({own}, {})", literal(word)),
        None => own,
    }
}

/// The columns of a SELECT, each with what is known of it.
#[derive(Debug, Default)]
pub(crate) struct SelectList {
    text: String,
}

impl SelectList {
    /// Adds a column under a name, below its comment.
    pub(crate) fn add(&mut self, expression: &str, called: &str, note: &str) {
        if !self.text.is_empty() {
            // The comma belongs to the column before, whose line is the last.
            self.text.truncate(self.text.trim_end().len());
            self.text.push_str(",\n");
        }
        self.text.push_str(&comment(4, "-- ", note));
        let called = quoted(called);
        match expression == called {
            true => self.text.push_str(&format!("    {expression}\n")),
            false => self.text.push_str(&format!("    {expression} AS {called}\n")),
        }
    }

    /// `SELECT` and the columns.
    pub(crate) fn finish(self) -> String {
        format!("SELECT\n{}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::column::{ColumnObserver, Storage};
    use super::*;

    fn column(name: &str, storage: Storage, values: &[&str]) -> ColumnProfile {
        let mut observer = ColumnObserver::new(name, storage);
        values.iter().for_each(|value| observer.see(Some(*value)));
        observer.finish(i64::MAX)
    }

    #[test]
    fn names_are_quoted_where_sql_would_read_them_otherwise() {
        assert_eq!(name(None, "customer_id"), "customer_id");
        assert_eq!(name(Some("owner"), "Case ID"), "owner.\"Case ID\"");
        assert_eq!(quoted("timestamp"), "\"timestamp\"");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
    }

    #[test]
    fn values_are_read_as_what_they_are() {
        let text = |values: &[&str]| column("a", Storage::Text, values);
        assert_eq!(as_time(None, &text(&["2024-01-01"])), "a");
        assert_eq!(
            as_time(None, &text(&["31.01.2024", "NA"])),
            "arrow_cast(to_timestamp(nullif(a, 'NA'), '%d.%m.%Y'), 'Timestamp(Microsecond, Some(\"UTC\"))')"
        );
        let millis = column("at", Storage::Whole, &["1700000000000"]);
        assert!(as_time(None, &millis).contains("to_timestamp_millis(CAST(at AS BIGINT))"));
        assert_eq!(as_number(None, &text(&["3", "NA"])), "CAST(nullif(a, 'NA') AS DOUBLE)");
        assert_eq!(as_text(None, &text(&["3"])), "CAST(a AS VARCHAR)");
        assert_eq!(as_text(None, &text(&["x"])), "a");
    }

    #[test]
    fn each_column_of_a_select_stands_below_its_comment() {
        let mut list = SelectList::default();
        list.add("a", "a", "found: it");
        list.add("b", "event", "");
        assert_eq!(list.finish(), "SELECT\n    -- found: it\n    a,\n    b AS event\n");
    }
}
