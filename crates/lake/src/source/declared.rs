//! The columns that a pipeline declares for a source.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use throughline_config::{Column, Source};

use super::types::declared_type;

/// The columns that a pipeline declares for a source, as the source's rows have them; `None` where it declares none
/// and only the files know.
pub fn declared_columns(source: &Source) -> Option<SchemaRef> {
    (!source.columns.is_empty()).then(|| declared_schema(source))
}

/// The type that a declared column is read as.
pub fn column_type(column: &Column) -> DataType {
    declared_type(column.data_type.value)
}

pub(super) fn declared_fields(source: &Source) -> Vec<Field> {
    let field = |(name, column): (&String, &Column)| Field::new(name, declared_type(column.data_type.value), true);
    source.columns.iter().map(field).collect()
}

pub(super) fn declared_schema(source: &Source) -> SchemaRef {
    Arc::new(Schema::new(declared_fields(source)))
}
