//! Types of a prepared statement's parameters.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field};
use arrow_pg::datatypes::df::deserialize_parameters_with_server_types;
use arrow_pg::datatypes::{PG_OID_ALIAS_KEY, into_pg_type, pg_type_for_alias_kind};
use datafusion::common::ParamValues;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use pgwire::api::Type;
use pgwire::api::portal::Portal;
use pgwire::error::PgWireResult;

use crate::complexity::with_values;
use crate::failure::Failure;

/// A parameter: what it is to the engine, where that is known, and on the wire.
struct Parameter {
    number: u32,
    engine: Option<DataType>,
    wire: Type,
}

/// How many parameters a text has: the greatest number after a `$`. Some may stand where nothing of the plan looks.
pub(super) fn count(sql: &str) -> usize {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize().unwrap_or_default();
    let numbers = tokens.iter().filter_map(|token| match token {
        Token::Placeholder(name) => name.trim_start_matches('$').parse::<u16>().ok(),
        _ => None,
    });
    numbers.max().map_or(0, usize::from)
}

/// Types on the wire, in the order of the parameters' numbers.
pub(super) fn wire_types(plan: &LogicalPlan, count: usize) -> PgWireResult<Vec<Type>> {
    Ok(parameters(plan, count)?.into_iter().map(|parameter| parameter.wire).collect())
}

/// The plan with the values that were bound.
pub(super) fn bound<S: Clone>(
    plan: &LogicalPlan,
    count: usize,
    portal: &Portal<S>,
    most: usize,
) -> PgWireResult<LogicalPlan> {
    let parameters = parameters(plan, count)?;
    if parameters.is_empty() {
        return Ok(plan.clone());
    }
    let engine: Vec<Option<&DataType>> = parameters.iter().map(|parameter| parameter.engine.as_ref()).collect();
    let wire: Vec<Option<&Type>> = parameters.iter().map(|parameter| Some(&parameter.wire)).collect();
    let values: ParamValues = deserialize_parameters_with_server_types(portal, &engine, &wire)?;
    Ok(with_values(plan.clone(), &values, most)?)
}

fn parameters(plan: &LogicalPlan, count: usize) -> PgWireResult<Vec<Parameter>> {
    let mut types = plan.get_parameter_types().map_err(Failure::from)?;
    let mut alias = HashMap::new();
    look_closer(plan, &mut types, &mut alias).map_err(Failure::from)?;
    let mut parameters = Vec::with_capacity(types.len());
    for (name, engine) in types {
        let wire = match (alias.remove(&name), &engine) {
            (Some(wire), _) => wire,
            (None, Some(engine)) => into_pg_type(engine)?,
            (None, None) => Type::UNKNOWN,
        };
        let number = name.trim_start_matches('$').parse().unwrap_or(u32::MAX);
        parameters.push(Parameter { number, engine, wire });
    }
    for number in (1..).take(count) {
        if !parameters.iter().any(|parameter| parameter.number == number) {
            parameters.push(Parameter { number, engine: None, wire: Type::TEXT });
        }
    }
    parameters.sort_by_key(|parameter| parameter.number);
    Ok(parameters)
}

/// What the planner does not say by itself: the type of `$1::type`, and which numbers are numbers of objects (`oid`).
fn look_closer(
    plan: &LogicalPlan,
    types: &mut HashMap<String, Option<DataType>>,
    alias: &mut HashMap<String, Type>,
) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        for expression in node.expressions() {
            expression.apply(|expression| {
                match expression {
                    Expr::Cast(cast) => {
                        if let Expr::Placeholder(placeholder) = cast.expr.as_ref() {
                            let known = types.entry(placeholder.id.clone()).or_default();
                            known.get_or_insert_with(|| cast.field.data_type().clone());
                        }
                    }
                    Expr::Placeholder(placeholder) => {
                        types.entry(placeholder.id.clone()).or_default();
                        let field = placeholder.field.as_deref();
                        if let Some(wire) = field.and_then(number_of_object) {
                            alias.insert(placeholder.id.clone(), wire);
                        }
                    }
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn number_of_object(field: &Field) -> Option<Type> {
    let kind = field.metadata().get(PG_OID_ALIAS_KEY).filter(|_| field.data_type() == &DataType::Int32)?;
    pg_type_for_alias_kind(kind)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn parameters_are_counted_outside_of_texts() {
        assert_eq!(count("SELECT $2::int, '$9', \"$8\" -- $7\n, $1"), 2);
        assert_eq!(count("SELECT 1"), 0);
        assert_eq!(count("SELECT $x, $99999999999"), 0);
    }
}
