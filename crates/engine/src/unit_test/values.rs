//! Values of a test's rows as values of a column's type, and the type of a column that is known only by its values.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use throughline_config::{Cell, Diagnostic, Located, instant};

use crate::instants::{self, rfc3339, time_type};

/// Floats that differ by less than this share of the larger one are equal: sums in another order are.
const FLOAT_TOLERANCE: f64 = 1e-9;

/// The cell as a value of `data_type`.
pub(super) fn typed(column: &Located<String>, cell: &Cell, data_type: &DataType) -> Result<ScalarValue, Diagnostic> {
    let Some(text) = &cell.text else {
        return ScalarValue::try_from(data_type).map_err(|error| wrong(column, cell, data_type, &error.to_string()));
    };
    let plain = match data_type {
        DataType::Boolean => text.parse().ok().filter(|_| !cell.quoted).map(|truth| ScalarValue::Boolean(Some(truth))),
        data_type if data_type.is_integer() => text.parse().ok().map(|number| ScalarValue::Int64(Some(number))),
        data_type if data_type.is_floating() => text.parse().ok().map(|number| ScalarValue::Float64(Some(number))),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            instant(text).map(|micros| instants::instant(Some(micros)))
        }
        // A column that is null wherever it comes from.
        DataType::Null => None,
        _ => Some(ScalarValue::Utf8(Some(text.clone()))),
    };
    let value = plain.and_then(|plain| plain.cast_to(data_type).ok()).filter(|value| !value.is_null());
    value.ok_or_else(|| wrong(column, cell, data_type, ""))
}

fn wrong(column: &Located<String>, cell: &Cell, data_type: &DataType, why: &str) -> Diagnostic {
    let text = cell.text.as_deref().unwrap_or("null");
    let message = format!("`{}` is {}, and `{text}` is none", column.value, described(data_type));
    let finding = Diagnostic::error("bad-value", message).at(cell.place.clone()).label(why);
    match data_type {
        DataType::Timestamp(..) => {
            finding.help("write `2026-01-01` or `2026-01-01T12:00:00Z`; without a zone it is UTC")
        }
        DataType::Boolean => finding.help("write `true` or `false`, without quotes"),
        DataType::Null => finding.help("nothing says what type it has: name it under `columns:`"),
        _ => finding,
    }
}

/// The type in the words of `columns:`.
pub(super) fn described(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "a text".to_owned(),
        data_type if data_type.is_integer() => "a whole number".to_owned(),
        data_type if data_type.is_floating() => "a number".to_owned(),
        DataType::Boolean => "true or false".to_owned(),
        DataType::Timestamp(..) => "an instant".to_owned(),
        DataType::Date32 | DataType::Date64 => "a day".to_owned(),
        DataType::Null => "of no type".to_owned(),
        other => format!("of type {other}"),
    }
}

/// The type that the values of one column have in common; `None` when all are null.
pub(super) fn inferred<'a>(
    cells: impl Iterator<Item = (&'a Located<String>, &'a Cell)>,
) -> Result<Option<DataType>, Diagnostic> {
    let mut found: Option<DataType> = None;
    for (column, cell) in cells {
        let Some(text) = &cell.text else { continue };
        let own = type_of(text, cell.quoted);
        let both = match (found.take(), own) {
            (None, own) => own,
            (Some(before), own) if before == own => own,
            (Some(DataType::Int64 | DataType::Float64), DataType::Int64 | DataType::Float64) => DataType::Float64,
            (Some(before), own) => {
                let message = format!(
                    "`{}` is {} in one row and {} in another",
                    column.value,
                    described(&before),
                    described(&own)
                );
                return Err(Diagnostic::error("bad-value", message)
                    .at(cell.place.clone())
                    .help("put texts in quotes, or say what it is: `{ columns: { … }, rows: […] }`"));
            }
        };
        found = Some(both);
    }
    Ok(found)
}

fn type_of(text: &str, quoted: bool) -> DataType {
    match text {
        _ if quoted => DataType::Utf8View,
        "true" | "false" => DataType::Boolean,
        _ if text.parse::<i64>().is_ok() => DataType::Int64,
        _ if text.parse::<f64>().is_ok_and(f64::is_finite) => DataType::Float64,
        _ if instant(text).is_some() => time_type(),
        _ => DataType::Utf8View,
    }
}

/// Whether two values are the same for a reader.
pub(super) fn same(expected: &ScalarValue, actual: &ScalarValue) -> bool {
    match (expected, actual) {
        (ScalarValue::Float64(Some(left)), ScalarValue::Float64(Some(right))) => {
            left == right || (left - right).abs() <= FLOAT_TOLERANCE * left.abs().max(right.abs())
        }
        // A text is the same whichever way it is held in memory.
        (left, right) => match (left.try_as_str(), right.try_as_str()) {
            (Some(left), Some(right)) => left == right,
            _ => left == right,
        },
    }
}

/// The value as a person writes it.
pub(super) fn shown(value: &ScalarValue) -> String {
    match value {
        value if value.is_null() => "null".to_owned(),
        ScalarValue::TimestampMicrosecond(Some(micros), _) => rfc3339(*micros),
        ScalarValue::Float64(Some(number)) => format!("{number:?}"),
        other => other.to_string(),
    }
}
