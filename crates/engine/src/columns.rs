//! Columns of relations: in the types of another relation, and with their comments.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, cast};
use datafusion::prelude::ident;

/// The columns of `schema`, by name, cast to the types that they have there: what makes the rows of another relation
/// fit into a union with this one.
pub(crate) fn in_types_of(schema: &DFSchema) -> Vec<Expr> {
    let columns = schema.fields().iter();
    columns.map(|field| cast(ident(field.name()), field.data_type().clone()).alias(field.name())).collect()
}

/// The schema in which each column has its `comment`, if there is one, for readers of the table that is written with
/// it.
pub(crate) fn with_comments<'a>(schema: &SchemaRef, comment: impl Fn(&str) -> Option<&'a str>) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let comment = comment(field.name()).map(|comment| HashMap::from([("comment".to_owned(), comment.to_owned())]));
        field.as_ref().clone().with_metadata(comment.unwrap_or_default())
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
