//! Instants: their one type, as values and expressions, and as text.

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, lit};
use throughline_config::Timestamp;

/// Microseconds, UTC: the type of every time.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// An instant as a value; null without one.
pub(crate) fn instant(instant: Option<Timestamp>) -> ScalarValue {
    ScalarValue::TimestampMicrosecond(instant, Some("UTC".into()))
}

/// An instant as a literal.
pub(crate) fn at(when: Timestamp) -> Expr {
    lit(instant(Some(when)))
}

/// Microseconds since 1970-01-01 00:00 UTC as RFC 3339, in UTC.
pub fn rfc3339(instant: Timestamp) -> String {
    match DateTime::<Utc>::from_timestamp_micros(instant) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => format!("{instant} µs since 1970"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_shown_as_short_as_they_are() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_500), "1970-01-01T00:00:00.001500Z");
        assert_eq!(rfc3339(i64::MAX), "9223372036854775807 µs since 1970");
    }
}
