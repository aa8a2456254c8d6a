//! What a Parquet footer says about a file's values, in terms of the table that reads it.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::datasource::physical_plan::parquet::apply_file_schema_type_coercions;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use parquet::file::metadata::ParquetMetaData;

/// A file's statistics in terms of the table's schema. They are read in the file's own types and then cast, because
/// the bounds of another type must not be compared as they are.
pub(crate) fn file_statistics(metadata: &ParquetMetaData, file: &Schema, table: &SchemaRef) -> Statistics {
    let coerced = apply_file_schema_type_coercions(table, file);
    let file = coerced.as_ref().unwrap_or(file);
    let fields: Vec<Field> = table
        .fields()
        .iter()
        .map(|field| match file.field_with_name(field.name()) {
            Ok(found) => Field::new(field.name(), found.data_type().clone(), true),
            Err(_) => field.as_ref().clone(),
        })
        .collect();
    let as_found = Arc::new(Schema::new(fields));
    let Ok(mut statistics) = DFParquetMetadata::statistics_from_parquet_metadata(metadata, &as_found) else {
        return Statistics::new_unknown(table);
    };
    for ((column, found), wanted) in statistics.column_statistics.iter_mut().zip(as_found.fields()).zip(table.fields())
    {
        if found.data_type() != wanted.data_type() {
            recast(column, found.data_type(), wanted.data_type());
        }
    }
    statistics
}

fn recast(column: &mut ColumnStatistics, found: &DataType, wanted: &DataType) {
    // Numbers that are read as texts have another order: 9 is less than 10, '9' is not less than '10'.
    if found.is_integer() && *wanted == DataType::Utf8View {
        column.min_value = Precision::Absent;
        column.max_value = Precision::Absent;
    }
    let cast = |bound: &Precision<ScalarValue>| match bound {
        Precision::Exact(value) => value.cast_to(wanted).map_or(Precision::Absent, Precision::Exact),
        Precision::Inexact(value) => value.cast_to(wanted).map_or(Precision::Absent, Precision::Inexact),
        Precision::Absent => Precision::Absent,
    };
    column.min_value = cast(&column.min_value);
    column.max_value = cast(&column.max_value);
    column.sum_value = Precision::Absent;
    column.byte_size = Precision::Absent;
}
