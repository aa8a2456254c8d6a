//! From the columns of a query to those of a Delta table that every reader understands, and back.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result as DataFusionResult};

use super::error::WarehouseError;
use crate::source::types::timestamp;

/// The key under which a column's comment is kept in the field's metadata, in Arrow as in Delta.
const COMMENT: &str = "comment";

/// The schema a table is stored with: text as plain UTF-8, times as microseconds UTC (a time without a zone is UTC),
/// unsigned whole numbers as signed ones, every column nullable. Of the metadata only `comment` is kept.
///
/// # Errors
///
/// A name or a type that a plain Delta table does not hold.
pub(super) fn storage_schema(table: &str, schema: &Schema) -> Result<SchemaRef, WarehouseError> {
    let mut seen: HashMap<String, ()> = HashMap::new();
    let mut fields = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let refused = |reason| WarehouseError::ColumnName { table: table.into(), column: field.name().clone(), reason };
        if field.name().is_empty() || field.name().contains([' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '=']) {
            return Err(refused("its name is empty or has one of the characters ` ,;{}()=`"));
        }
        if seen.insert(field.name().to_lowercase(), ()).is_some() {
            return Err(refused("another column has the same name, and Delta ignores letter case"));
        }
        let stored = stored_type(field.data_type()).ok_or_else(|| WarehouseError::ColumnType {
            table: table.into(),
            column: field.name().clone(),
            found: field.data_type().to_string(),
            source: None,
        })?;
        fields.push(Field::new(field.name(), stored, true).with_metadata(comment(field)));
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn comment(field: &Field) -> HashMap<String, String> {
    let text = field.metadata().get(COMMENT).filter(|text| !text.is_empty());
    text.map(|text| (COMMENT.to_owned(), text.clone())).into_iter().collect()
}

fn stored_type(found: &DataType) -> Option<DataType> {
    Some(match found {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32 => found.clone(),
        DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(_, _) => timestamp(),
        // A column of nothing but nulls has no type of its own.
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => DataType::Utf8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            DataType::Binary
        }
        DataType::Dictionary(_, values) => stored_type(values)?,
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale)
            if *scale >= 0 =>
        {
            DataType::Decimal128(*digits, *scale)
        }
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => {
            DataType::List(Arc::new(Field::new("element", stored_type(element.data_type())?, true)))
        }
        DataType::Struct(fields) => {
            let stored: Option<Vec<FieldRef>> = fields
                .iter()
                .map(|field| Some(Arc::new(Field::new(field.name(), stored_type(field.data_type())?, true))))
                .collect();
            DataType::Struct(Fields::from(stored?))
        }
        _ => return None,
    })
}

/// The schema a stored table is read with: text as views, which DataFusion's scan, joins and sorts do best with.
pub(crate) fn read_schema(stored: &Schema) -> SchemaRef {
    let viewed = |field: &FieldRef| match field.data_type() {
        DataType::Utf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new(stored.fields().iter().map(viewed).collect::<Vec<_>>()))
}

/// A query's batch as it is stored. A value that the stored type does not hold is an error, never a null.
pub(super) fn stored_batch(batch: &RecordBatch, stored: &SchemaRef) -> DataFusionResult<RecordBatch> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let columns: DataFusionResult<Vec<ArrayRef>> = batch
        .columns()
        .iter()
        .zip(stored.fields())
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                return Ok(Arc::clone(column));
            }
            cast_with_options(column, field.data_type(), &options)
                .map_err(|error| DataFusionError::from(error).context(format!("column `{}`", field.name())))
        })
        .collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(stored), columns?, &options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_delta_does_not_hold_are_refused() {
        let schema = |names: &[&str]| {
            Schema::new(names.iter().map(|name| Field::new(*name, DataType::Int64, false)).collect::<Vec<_>>())
        };
        let error = storage_schema("fct", &schema(&["count(*)"])).unwrap_err();
        assert!(error.to_string().contains("`count(*)`") && error.help().contains("AS customers"));
        assert!(storage_schema("fct", &schema(&["a", "A"])).is_err());
        assert!(storage_schema("fct", &schema(&["a", "b"])).is_ok());
    }

    #[test]
    fn types_are_made_plain() {
        let interval = DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano);
        let schema = Schema::new(vec![Field::new("gap", interval, true)]);
        let error = storage_schema("fct", &schema).unwrap_err();
        assert!(error.help().contains("seconds as DOUBLE"));
        assert_eq!(stored_type(&DataType::Utf8View), Some(DataType::Utf8));
        assert_eq!(stored_type(&DataType::UInt64), Some(DataType::Int64));
        assert_eq!(stored_type(&DataType::Null), Some(DataType::Utf8));
        assert_eq!(stored_type(&DataType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, None)), Some(timestamp()));
    }
}
