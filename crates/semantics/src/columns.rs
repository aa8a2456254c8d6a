//! The columns of a table, with their meaning.

use datafusion::arrow::datatypes::DataType;
use throughline_plan::Plan;

use crate::model::{Column, ColumnKind};

/// The columns of a model. One whose name holds a line break or another control character can be written in few
/// formats and read by fewer tools, so it is left out with a note.
pub(crate) fn columns(plan: &Plan, model: &str, notes: &mut Vec<String>) -> Option<Vec<Column>> {
    let step = plan.step(model)?;
    let mut columns = Vec::with_capacity(step.schema.fields().len());
    for field in step.schema.fields() {
        let name = field.name();
        if name.is_empty() || name.chars().any(char::is_control) {
            notes.push(format!("the column {name:?} of {model} is left out: its name cannot be written"));
            continue;
        }
        columns.push(Column {
            name: name.clone(),
            kind: kind(field.data_type()),
            description: plan.column_comment(model, name).map(str::to_owned),
            synonyms: plan.pipeline.semantics.columns.get(name).cloned().unwrap_or_default(),
        });
    }
    Some(columns)
}

fn kind(data_type: &DataType) -> ColumnKind {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnKind::Text,
        DataType::Dictionary(_, values) => kind(values),
        DataType::Boolean => ColumnKind::Boolean,
        DataType::Date32 | DataType::Date64 => ColumnKind::Date,
        DataType::Timestamp(_, Some(_)) => ColumnKind::Instant,
        DataType::Timestamp(_, None) => ColumnKind::DateTime,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => ColumnKind::Float,
        other if other.is_integer() => ColumnKind::Integer,
        other if other.is_decimal() => ColumnKind::Decimal,
        _ => ColumnKind::Other,
    }
}
