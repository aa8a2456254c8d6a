//! Columns of one relation in the types of another.

use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, cast};
use datafusion::prelude::ident;

/// The columns of `schema`, by name, cast to the types that they have there: what makes the rows of another relation
/// fit into a union with this one.
pub(crate) fn in_types_of(schema: &DFSchema) -> Vec<Expr> {
    let columns = schema.fields().iter();
    columns.map(|field| cast(ident(field.name()), field.data_type().clone()).alias(field.name())).collect()
}
