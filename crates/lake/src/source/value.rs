//! Text to typed values. A value that cannot be read becomes null and says what is wrong with it.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, StringViewBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::compute::kernels::cast_utils::string_to_datetime;
use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use throughline_config::{Column, ColumnType};

/// Longer values are cut in messages.
const SHOWN_CHARACTERS: usize = 40;

/// Collects the values of one declared column.
pub(super) struct ValueBuilder {
    values: Values,
    pattern: Option<String>,
}

enum Values {
    Text(StringViewBuilder),
    Int64(Int64Builder),
    Float64(Float64Builder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl ValueBuilder {
    pub(super) fn new(column: &Column) -> Self {
        let values = match column.data_type.value {
            ColumnType::String => Values::Text(StringViewBuilder::new()),
            ColumnType::Int64 => Values::Int64(Int64Builder::new()),
            ColumnType::Float64 => Values::Float64(Float64Builder::new()),
            ColumnType::Boolean => Values::Boolean(BooleanBuilder::new()),
            ColumnType::Date => Values::Date(Date32Builder::new()),
            ColumnType::Timestamp => Values::Timestamp(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
        };
        Self { values, pattern: column.format.as_ref().map(|pattern| pattern.value.clone()) }
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self.values, Values::Text(_))
    }

    pub(super) fn append_null(&mut self) {
        match &mut self.values {
            Values::Text(builder) => builder.append_null(),
            Values::Int64(builder) => builder.append_null(),
            Values::Float64(builder) => builder.append_null(),
            Values::Boolean(builder) => builder.append_null(),
            Values::Date(builder) => builder.append_null(),
            Values::Timestamp(builder) => builder.append_null(),
        }
    }

    /// Appends the value a text stands for, or null and the problem, e.g. `'abc' is not a whole number`.
    pub(super) fn append(&mut self, text: &str) -> Result<(), String> {
        let pattern = self.pattern.as_deref();
        let trimmed = text.trim();
        let unread = |kind: &str| Err(format!("'{}' is not {kind}", shortened(text)));
        match &mut self.values {
            Values::Text(builder) => builder.append_value(text),
            Values::Int64(builder) => {
                let value = whole_number(trimmed);
                builder.append_option(value);
                if value.is_none() {
                    return unread("a whole number");
                }
            }
            Values::Float64(builder) => {
                let value = trimmed.parse::<f64>().ok().filter(|value| value.is_finite());
                builder.append_option(value);
                if value.is_none() {
                    return unread("a number");
                }
            }
            Values::Boolean(builder) => {
                let value = boolean(trimmed);
                builder.append_option(value);
                if value.is_none() {
                    return unread("true or false");
                }
            }
            Values::Date(builder) => {
                let value = date(trimmed, pattern).map(days);
                builder.append_option(value);
                if value.is_none() {
                    return unread(&format!("a date like `{}`", pattern.unwrap_or("%Y-%m-%d")));
                }
            }
            Values::Timestamp(builder) => {
                let value = instant(trimmed, pattern);
                builder.append_option(value);
                if value.is_none() {
                    return unread(&format!("a time like `{}`", pattern.unwrap_or("2026-01-31T12:00:00Z")));
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match &mut self.values {
            Values::Text(builder) => Arc::new(builder.finish()),
            Values::Int64(builder) => Arc::new(builder.finish()),
            Values::Float64(builder) => Arc::new(builder.finish()),
            Values::Boolean(builder) => Arc::new(builder.finish()),
            Values::Date(builder) => Arc::new(builder.finish()),
            Values::Timestamp(builder) => Arc::new(builder.finish()),
        }
    }
}

/// Whether a source whose column is declared so would read `text` as a value. Of a declared time, `pattern` is the
/// `strftime` pattern.
pub fn reads_as(text: &str, data_type: ColumnType, pattern: Option<&str>) -> bool {
    let text = text.trim();
    match data_type {
        ColumnType::String => true,
        ColumnType::Int64 => whole_number(text).is_some(),
        ColumnType::Float64 => text.parse::<f64>().is_ok_and(f64::is_finite),
        ColumnType::Boolean => boolean(text).is_some(),
        ColumnType::Date => date(text, pattern).is_some(),
        ColumnType::Timestamp => instant(text, pattern).is_some(),
    }
}

/// The instant, in microseconds since 1970, that a source reads `text` as; `None` where it is no time of that pattern.
pub fn reads_as_instant(text: &str, pattern: Option<&str>) -> Option<i64> {
    instant(text.trim(), pattern)
}

/// Whether chrono understands every item of a strftime pattern.
pub(super) fn is_pattern(pattern: &str) -> bool {
    StrftimeItems::new(pattern).all(|item| item != Item::Error)
}

pub(super) fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// `12`, and `12.0` as spreadsheets write whole numbers.
fn whole_number(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| {
        let (whole, fraction) = text.split_once('.')?;
        let zeros = !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0');
        if zeros { whole.parse().ok() } else { None }
    })
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

fn date(text: &str, pattern: Option<&str>) -> Option<NaiveDate> {
    match pattern {
        None => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(),
        Some(pattern) => NaiveDate::parse_from_str(text, pattern)
            .or_else(|_| NaiveDateTime::parse_from_str(text, pattern).map(|time| time.date()))
            .ok(),
    }
}

/// Days since 1970-01-01; chrono's whole range of years fits in 32 bits.
fn days(date: NaiveDate) -> i32 {
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX })
}

/// Microseconds since 1970-01-01 00:00 UTC. Without a zone, UTC; without a time of day, midnight.
fn instant(text: &str, pattern: Option<&str>) -> Option<i64> {
    let Some(pattern) = pattern else {
        return string_to_datetime(&Utc, text).ok().map(|time| time.timestamp_micros());
    };
    if let Ok(time) = DateTime::parse_from_str(text, pattern) {
        return Some(time.timestamp_micros());
    }
    let local = NaiveDateTime::parse_from_str(text, pattern)
        .or_else(|_| NaiveDate::parse_from_str(text, pattern).map(|day| day.and_time(NaiveTime::MIN)));
    local.ok().map(|time| time.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_and_what_is_none() {
        assert_eq!(whole_number("12"), Some(12));
        assert_eq!(whole_number("-12.00"), Some(-12));
        assert_eq!(whole_number("12.5"), None);
        assert_eq!(whole_number("1e3"), None);
        assert_eq!(whole_number("9223372036854775808"), None);
    }

    #[test]
    fn times_with_and_without_pattern() {
        assert_eq!(instant("1970-01-02", None), Some(86_400_000_000));
        assert_eq!(instant("1970-01-01T01:00:00+01:00", None), Some(0));
        assert_eq!(instant("1970-01-01 00:00:00.000001", None), Some(1));
        assert_eq!(instant("02/01/1970", Some("%d/%m/%Y")), Some(86_400_000_000));
        assert_eq!(instant("02/01/1970 00:01", Some("%d/%m/%Y %H:%M")), Some(86_460_000_000));
        assert_eq!(instant("1970-01-01 01:00 +0100", Some("%Y-%m-%d %H:%M %z")), Some(0));
        assert_eq!(instant("31/31/2026", Some("%d/%m/%Y")), None);
        assert_eq!(instant("", None), None);
    }

    #[test]
    fn patterns_are_checked() {
        assert!(is_pattern("%d/%m/%Y"));
        assert!(!is_pattern("%d/%Q"));
    }
}
