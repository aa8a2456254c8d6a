//! SQL conditions written in YAML: row rules of contracts and tests, and who is eligible for a journey.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, ExprSchemable, lit};
use datafusion::sql::parser::DFParser;
use throughline_config::{Diagnostic, Diagnostics, Located, RowRule, closest};

use crate::error_place::{TextOrigin, diagnose};
use crate::parameters::Parameters;

/// What a row that breaks a rule is set aside for.
#[derive(Debug, Clone)]
pub struct BrokenRule {
    /// True for a row that breaks the rule, never null.
    pub broken: Expr,
    /// The words of the reason, e.g. "`rating` is out of range 1 .. 5".
    pub reason: String,
}

/// An expression written in YAML, planned over `schema`, parameters bound. Any type.
fn expression(
    text: &Located<String>,
    schema: &DFSchema,
    parameters: &Parameters,
    state: &SessionState,
) -> Result<Expr, Diagnostics> {
    let origin = TextOrigin::Value(text.clone());
    let mut parsed = DFParser::parse_sql_into_expr(text).map_err(|error| diagnose(&error, &origin))?;
    parameters.bind_expression(&mut parsed.expr, &origin)?;
    let expr = state.create_logical_expr_from_sql_expr(parsed, schema).map_err(|error| diagnose(&error, &origin))?;
    // Planned by the session's own rules, so that a comparison of unlike types is refused here and not later.
    state.create_physical_expr(expr.clone(), schema).map_err(|error| diagnose(&error, &origin))?;
    Ok(expr)
}

/// A condition written in YAML, planned over `schema`, parameters bound: boolean, and of types that can be compared.
pub fn condition(
    text: &Located<String>,
    schema: &DFSchema,
    parameters: &Parameters,
    state: &SessionState,
) -> Result<Expr, Diagnostics> {
    let expr = expression(text, schema, parameters, state)?;
    let data_type = expr.get_type(schema).map_err(|error| diagnose(&error, &TextOrigin::Value(text.clone())))?;
    if matches!(data_type, DataType::Boolean | DataType::Null) {
        return Ok(expr);
    }
    Err(Diagnostic::error("not-boolean", format!("the condition is {data_type}, not true or false"))
        .at(text.place.clone())
        .help("compare it with something, as in `amount > 0`")
        .into())
}

/// The ways a row can break `rule`: one for each column of a `not_null`, one otherwise.
pub fn row_rule(
    rule: &RowRule,
    schema: &DFSchema,
    parameters: &Parameters,
    state: &SessionState,
) -> Result<Vec<BrokenRule>, Diagnostics> {
    match rule {
        RowRule::NotNull(columns) => columns
            .iter()
            .map(|column| {
                let expr = column_named(column, schema)?;
                Ok(BrokenRule { broken: expr.is_null(), reason: format!("`{}` is null", column.value) })
            })
            .collect(),
        RowRule::AcceptedValues { column, values } => {
            let expr = datafusion::logical_expr::cast(column_named(column, schema)?, DataType::Utf8);
            let accepted = values.iter().map(|value| lit(value.clone())).collect();
            let broken = expr.clone().is_not_null().and(expr.in_list(accepted, true));
            Ok(vec![BrokenRule { broken, reason: format!("`{}` is none of the accepted values", column.value) }])
        }
        RowRule::Range { column, min, max } => {
            let name = &column.value;
            column_named(column, schema)?;
            let mut outside = lit(false);
            for (bound, operator) in [(min, "<"), (max, ">")] {
                if let Some(bound) = bound {
                    let mut text = bound.clone();
                    text.value = format!("coalesce(\"{name}\" {operator} ({}), false)", bound.value);
                    outside = outside.or(condition(&text, schema, parameters, state)?);
                }
            }
            let reason = format!("`{name}` is out of range{}", shown_bounds(min.as_ref(), max.as_ref()));
            Ok(vec![BrokenRule { broken: outside, reason }])
        }
        RowRule::Expression(text) => {
            let holds = condition(text, schema, parameters, state)?;
            Ok(vec![BrokenRule { broken: holds.is_not_true(), reason: format!("not true: {}", text.value) }])
        }
    }
}

/// Bounds that are short enough to read at a glance; a reason is shown beside many others.
fn shown_bounds(min: Option<&Located<String>>, max: Option<&Located<String>>) -> String {
    const GLANCE: usize = 24;
    let text = match (min, max) {
        (Some(min), Some(max)) => format!(" {} .. {}", min.value, max.value),
        (Some(min), None) => format!(", below {}", min.value),
        (None, Some(max)) => format!(", above {}", max.value),
        (None, None) => String::new(),
    };
    if text.chars().count() <= GLANCE { text } else { String::new() }
}

/// A column by its exact name.
pub(crate) fn column_named(name: &Located<String>, schema: &DFSchema) -> Result<Expr, Diagnostics> {
    match schema.qualified_field_with_unqualified_name(name) {
        Ok((qualifier, field)) => Ok(Expr::Column(Column::new(qualifier.cloned(), field.name()))),
        Err(_) => {
            // Columns with two underscores are the program's own.
            let names = schema.fields().iter().map(|field| field.name().as_str());
            let known: Vec<&str> = names.filter(|name| !name.starts_with("__")).collect();
            let mut finding = Diagnostic::error("unknown-column", format!("no column `{}`", name.value))
                .at(name.place.clone())
                .help(format!("columns here: {}", known.join(", ")));
            if let Some(near) = closest(name, known.iter().copied()) {
                finding = finding.label(format!("did you mean `{near}`?"));
            }
            Err(finding.into())
        }
    }
}

/// Qualified schema of a registered relation.
pub(crate) fn schema_of(
    relation: &str,
    schema: &datafusion::arrow::datatypes::SchemaRef,
) -> Result<Arc<DFSchema>, Diagnostics> {
    DFSchema::try_from_qualified_schema(relation, schema)
        .map(Arc::new)
        .map_err(|error| Diagnostic::error("duplicate-column", error.strip_backtrace()).into())
}
