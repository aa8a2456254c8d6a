//! The statistics of a data file as a Delta log carries them, so that any reader can skip files.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{max, min};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Schema,
    TimestampMicrosecondType,
};
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::ParquetMetaData;
use serde_json::{Map, Value, json};

/// `{"numRecords": …, "minValues": {…}, "maxValues": {…}, "nullCount": {…}}` over the columns of plain types; a bound
/// that is not known or cannot be written in JSON is left out, which a reader takes for "anything".
pub(super) fn delta_statistics(metadata: &ParquetMetaData, schema: &Schema) -> String {
    let (mut mins, mut maxs, mut nulls) = (Map::new(), Map::new(), Map::new());
    let parquet_schema = metadata.file_metadata().schema_descr();
    for field in schema.fields() {
        if field.data_type().is_nested() {
            continue;
        }
        let Ok(converter) = StatisticsConverter::try_new(field.name(), schema, parquet_schema) else { continue };
        let groups = metadata.row_groups();
        if let Ok(counts) = converter.row_group_null_counts(groups)
            && counts.null_count() == 0
        {
            nulls.insert(field.name().clone(), json!(counts.values().iter().sum::<u64>()));
        }
        // A row group of nothing but nulls has no bounds; that is no reason to drop the others'.
        if let Some(bound) = converter.row_group_mins(groups).ok().and_then(|mins| lowest(&mins)) {
            mins.insert(field.name().clone(), bound);
        }
        if let Some(bound) = converter.row_group_maxes(groups).ok().and_then(|maxs| highest(&maxs)) {
            maxs.insert(field.name().clone(), bound);
        }
    }
    let rows = metadata.file_metadata().num_rows();
    json!({ "numRecords": rows, "minValues": mins, "maxValues": maxs, "nullCount": nulls }).to_string()
}

fn lowest(bounds: &ArrayRef) -> Option<Value> {
    match bounds.data_type() {
        DataType::Int8 => min(bounds.as_primitive::<Int8Type>()).map(Value::from),
        DataType::Int16 => min(bounds.as_primitive::<Int16Type>()).map(Value::from),
        DataType::Int32 => min(bounds.as_primitive::<Int32Type>()).map(Value::from),
        DataType::Int64 => min(bounds.as_primitive::<Int64Type>()).map(Value::from),
        DataType::Float32 => min(bounds.as_primitive::<Float32Type>()).and_then(|value| finite(value.into())),
        DataType::Float64 => min(bounds.as_primitive::<Float64Type>()).and_then(finite),
        DataType::Date32 => min(bounds.as_primitive::<Date32Type>()).and_then(day),
        DataType::Timestamp(_, _) => {
            min(bounds.as_primitive::<TimestampMicrosecondType>()).and_then(|micros| milliseconds(micros, 0))
        }
        DataType::Utf8 => arrow::compute::min_string(bounds.as_string::<i32>()).map(Value::from),
        DataType::Boolean => arrow::compute::min_boolean(bounds.as_boolean()).map(Value::from),
        _ => None,
    }
}

fn highest(bounds: &ArrayRef) -> Option<Value> {
    match bounds.data_type() {
        DataType::Int8 => max(bounds.as_primitive::<Int8Type>()).map(Value::from),
        DataType::Int16 => max(bounds.as_primitive::<Int16Type>()).map(Value::from),
        DataType::Int32 => max(bounds.as_primitive::<Int32Type>()).map(Value::from),
        DataType::Int64 => max(bounds.as_primitive::<Int64Type>()).map(Value::from),
        DataType::Float32 => max(bounds.as_primitive::<Float32Type>()).and_then(|value| finite(value.into())),
        DataType::Float64 => max(bounds.as_primitive::<Float64Type>()).and_then(finite),
        DataType::Date32 => max(bounds.as_primitive::<Date32Type>()).and_then(day),
        DataType::Timestamp(_, _) => {
            max(bounds.as_primitive::<TimestampMicrosecondType>()).and_then(|micros| milliseconds(micros, 999))
        }
        DataType::Utf8 => arrow::compute::max_string(bounds.as_string::<i32>()).map(Value::from),
        DataType::Boolean => arrow::compute::max_boolean(bounds.as_boolean()).map(Value::from),
        _ => None,
    }
}

/// Infinities and NaN have no JSON; without the bound nothing is skipped.
fn finite(value: f64) -> Option<Value> {
    value.is_finite().then(|| json!(value))
}

fn day(days: i32) -> Option<Value> {
    let date = NaiveDate::default().checked_add_signed(TimeDelta::days(days.into()))?;
    Some(json!(date.format("%Y-%m-%d").to_string()))
}

/// Delta writes milliseconds: a lower bound is cut, an upper one moved up, so that both stay bounds.
fn milliseconds(micros: i64, up: i64) -> Option<Value> {
    let time = DateTime::from_timestamp_micros(micros.checked_add(up)?)?;
    Some(json!(time.to_rfc3339_opts(SecondsFormat::Millis, true)))
}
