//! Columns that hold nothing whatever the data are, by the SELECT itself.

use datafusion::logical_expr::{Expr, LogicalPlan};

/// Whether a column of a plan's rows is null in every row, because nothing else is ever put there.
pub(crate) fn is_always_null(plan: &LogicalPlan, column: &str) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => {
            let place = projection.schema.fields().iter().position(|field| field.name() == column);
            place.and_then(|place| projection.expr.get(place)).is_some_and(|value| is_null(value, &projection.input))
        }
        LogicalPlan::SubqueryAlias(alias) => is_always_null(&alias.input, column),
        LogicalPlan::Filter(filter) => is_always_null(&filter.input, column),
        LogicalPlan::Sort(sort) => is_always_null(&sort.input, column),
        LogicalPlan::Union(union) => union.inputs.iter().all(|input| is_always_null(input, column)),
        _ => false,
    }
}

fn is_null(value: &Expr, input: &LogicalPlan) -> bool {
    match value {
        Expr::Alias(alias) => is_null(&alias.expr, input),
        Expr::Cast(cast) => is_null(&cast.expr, input),
        Expr::Literal(value, _) => value.is_null(),
        Expr::Column(column) => is_always_null(input, &column.name),
        _ => false,
    }
}
