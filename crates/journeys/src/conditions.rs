//! A condition's SQL text → a boolean expression over one touchpoint.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, ParamValues, SchemaError};
use datafusion::execution::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, ExprSchemable, Volatility};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::sqlparser::ast::{self, visit_expressions};
use std::ops::ControlFlow;

use crate::refusal::{MatchErrorKind, Refusal, locate_in_message, locate_name};

/// Plans conditions over the columns of one relation.
pub(crate) struct ConditionPlanner<'a> {
    pub(crate) state: &'a SessionState,
    pub(crate) schema: &'a DFSchema,
    pub(crate) variables: Option<&'a ParamValues>,
}

impl ConditionPlanner<'_> {
    /// The expression, with its types made to fit.
    pub(crate) fn plan(&self, text: &str) -> Result<Expr, Refusal> {
        let dialect = self.state.config_options().sql_parser.dialect;
        let parsed = self.state.sql_to_expr_with_alias(text, &dialect).map_err(|error| syntax(text, &error))?;
        if let Some(alias) = &parsed.alias {
            let refusal =
                Refusal::new(MatchErrorKind::Syntax, format!("a condition has no name, but `AS {alias}` gives it one"));
            return Err(refusal.at(locate_name(text, &alias.value)));
        }
        refuse_subqueries(&parsed.expr)?;
        let expr = self
            .state
            .create_logical_expr_from_sql_expr(parsed, self.schema)
            .map_err(|error| self.invalid(text, &error))?;
        let expr = self.bind_variables(text, expr)?;
        refuse_beyond_the_touchpoint(text, &expr)?;
        let context = SimplifyContext::builder().with_schema(Arc::new(self.schema.clone())).build();
        let expr =
            ExprSimplifier::new(context).coerce(expr, self.schema).map_err(|error| self.invalid(text, &error))?;
        match expr.get_type(self.schema).map_err(|error| self.invalid(text, &error))? {
            DataType::Boolean => Ok(expr),
            found => {
                let message = format!("a condition is true or false, but this is of type {found}");
                Err(Refusal::new(MatchErrorKind::NotBoolean { found: found.to_string() }, message))
            }
        }
    }

    fn bind_variables(&self, text: &str, expr: Expr) -> Result<Expr, Refusal> {
        let mut unknown = None;
        let bound = expr.transform_up(|expr| match expr {
            Expr::Placeholder(placeholder) => {
                match self.variables.and_then(|values| values.get_placeholders_with_values(&placeholder.id).ok()) {
                    Some(value) => Ok(Transformed::yes(Expr::Literal(value.value, value.metadata))),
                    None => {
                        unknown.get_or_insert_with(|| placeholder.id.clone());
                        Ok(Transformed::no(Expr::Placeholder(placeholder)))
                    }
                }
            }
            expr => Ok(Transformed::no(expr)),
        });
        if let Some(id) = unknown {
            let kind = MatchErrorKind::UnknownVariable { name: id.trim_start_matches('$').to_owned() };
            return Err(Refusal::new(kind, format!("no variable `{id}`")).at(locate_name(text, &id)));
        }
        bound.map(|bound| bound.data).map_err(|error| self.invalid(text, &error))
    }

    fn invalid(&self, text: &str, error: &DataFusionError) -> Refusal {
        if let DataFusionError::SchemaError(schema_error, _) = error.find_root()
            && let SchemaError::FieldNotFound { field, .. } = schema_error.as_ref()
        {
            return unknown_column(self.schema, field.name(), "the touchpoints").at(locate_name(text, field.name()));
        }
        Refusal::new(MatchErrorKind::Invalid, first_line(error)).at(named_in(text, error))
    }
}

/// A column that is not there, and those that are.
pub(crate) fn unknown_column(schema: &DFSchema, name: &str, relation: &str) -> Refusal {
    let candidates = schema.fields().iter().map(|field| field.name().clone()).collect();
    let kind = MatchErrorKind::UnknownColumn { name: name.to_owned(), candidates };
    Refusal::new(kind, format!("no column `{name}` in {relation}"))
}

fn syntax(text: &str, error: &DataFusionError) -> Refusal {
    let message = first_line(error);
    let span = locate_in_message(text, &message);
    // The place is shown by the caret.
    let message = match message.rfind(" at Line: ") {
        Some(place) => message[..place].to_owned(),
        None => message,
    };
    Refusal::new(MatchErrorKind::Syntax, message).at(span)
}

/// The engine's message without its class, its notes and its backtrace.
fn first_line(error: &DataFusionError) -> String {
    let root = error.find_root();
    let message = match root {
        DataFusionError::SQL(error, _) => error.to_string(),
        error => error.message().into_owned(),
    };
    let message = message.trim_start_matches("sql parser error: ");
    let line = message.lines().next().unwrap_or_default();
    line.trim_start_matches("ParserError(\"").trim_end_matches("\")").trim_end_matches('.').to_owned()
}

/// The place of the function or name that an engine's message quotes, as in `Invalid function 'x'`.
fn named_in(text: &str, error: &DataFusionError) -> Option<std::ops::Range<usize>> {
    let message = first_line(error);
    let quoted = message.split('\'').nth(1)?;
    locate_name(text, quoted)
}

fn refuse_subqueries(expr: &ast::Expr) -> Result<(), Refusal> {
    let found = visit_expressions(expr, |expr| match expr {
        ast::Expr::Subquery(_) | ast::Expr::Exists { .. } | ast::Expr::InSubquery { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    match found {
        ControlFlow::Break(()) => Err(beyond("a subquery")),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// A condition is decided by the touchpoint alone, the same on every run.
fn refuse_beyond_the_touchpoint(text: &str, expr: &Expr) -> Result<(), Refusal> {
    let mut found: Option<Refusal> = None;
    let walk = expr.apply(|expr| {
        let refusal = match expr {
            Expr::AggregateFunction(call) => {
                Some(beyond(&format!("the aggregate `{}`", call.func.name())).at(locate_name(text, call.func.name())))
            }
            Expr::WindowFunction(call) => {
                let name = call.fun.name();
                Some(beyond(&format!("the window function `{name}`")).at(locate_name(text, name)))
            }
            Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable => {
                let name = call.func.name();
                let written = [name].into_iter().chain(call.func.aliases().iter().map(String::as_str));
                let span = written.into_iter().find_map(|name| locate_name(text, name));
                Some(beyond(&format!("`{name}`, which differs from run to run")).at(span))
            }
            Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) => {
                Some(beyond("a subquery"))
            }
            Expr::ScalarVariable(_, names) => Some(beyond(&format!("the setting `{}`", names.join(".")))),
            Expr::Unnest(_) => Some(beyond("`unnest`").at(locate_name(text, "unnest"))),
            Expr::OuterReferenceColumn(_, column) => Some(beyond(&format!("`{column}`"))),
            _ => None,
        };
        found = refusal;
        Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match (found, walk) {
        (Some(refusal), _) => Err(refusal),
        (None, Ok(_)) => Ok(()),
        (None, Err(error)) => Err(Refusal::new(MatchErrorKind::Invalid, first_line(&error))),
    }
}

fn beyond(what: &str) -> Refusal {
    let message = format!("a condition is decided by one touchpoint alone, but this one uses {what}");
    Refusal::new(MatchErrorKind::NotOfTheTouchpoint, message)
}
