//! Values of a row by the names of its columns.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};

/// One row. A column that is missing, null or of another kind has no value.
#[derive(Debug, Clone)]
pub struct Figures {
    row: RecordBatch,
}

impl Figures {
    /// The rows of batches, one by one.
    pub fn of(batches: &[RecordBatch]) -> Vec<Self> {
        let rows = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| batch.slice(row, 1)));
        rows.map(|row| Self { row }).collect()
    }

    fn column(&self, name: &str, data_type: &DataType) -> Option<arrow::array::ArrayRef> {
        let column = cast(self.row.column_by_name(name)?, data_type).ok()?;
        column.is_valid(0).then_some(column)
    }

    /// Text; a value of another type as text.
    pub fn text(&self, name: &str) -> Option<String> {
        Some(self.column(name, &DataType::Utf8)?.as_string::<i32>().value(0).to_owned())
    }

    /// A whole number.
    pub fn whole(&self, name: &str) -> Option<i64> {
        Some(self.column(name, &DataType::Int64)?.as_primitive::<Int64Type>().value(0))
    }

    /// Whether something holds.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        Some(self.column(name, &DataType::Boolean)?.as_boolean().value(0))
    }

    /// A finite number.
    pub fn number(&self, name: &str) -> Option<f64> {
        let number = self.column(name, &DataType::Float64)?.as_primitive::<Float64Type>().value(0);
        number.is_finite().then_some(number)
    }

    /// Microseconds since 1970-01-01 00:00 UTC.
    pub fn instant(&self, name: &str) -> Option<i64> {
        let time = DataType::Timestamp(TimeUnit::Microsecond, None);
        Some(self.column(name, &time)?.as_primitive::<TimestampMicrosecondType>().value(0))
    }

    /// An instant's day, `2026-07-01`.
    pub fn day(&self, name: &str) -> Option<String> {
        let instant = chrono::DateTime::<chrono::Utc>::from_timestamp_micros(self.instant(name)?)?;
        Some(instant.format("%Y-%m-%d").to_string())
    }

    /// The estimate in the column `name`, with the limits in `name_lower` and `name_upper`.
    pub fn estimate(&self, name: &str) -> Option<Estimate> {
        Some(Estimate {
            value: self.number(name)?,
            lower: self.number(&format!("{name}_lower")),
            upper: self.number(&format!("{name}_upper")),
        })
    }
}

/// An estimate with its interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Lower limit, where there is an interval.
    pub lower: Option<f64>,
    /// Upper limit.
    pub upper: Option<f64>,
}
