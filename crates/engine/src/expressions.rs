//! Expressions that several parts of the engine write: instants, and columns in the types of another relation.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::prelude::ident;
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

/// The columns of `schema`, by name, cast to the types that they have there: what makes the rows of another relation fit
/// into a union with this one.
pub(crate) fn in_types_of(schema: &DFSchema) -> Vec<Expr> {
    let columns = schema.fields().iter();
    columns.map(|field| cast(ident(field.name()), field.data_type().clone()).alias(field.name())).collect()
}
