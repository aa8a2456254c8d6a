//! Triggers as expressions over the columns of the table they read.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::execution::session_state::SessionState;
use datafusion::functions::expr_fn::{coalesce, concat, round};
use datafusion::logical_expr::{Expr, ExprSchemable, cast, lit};
use datafusion::prelude::SessionContext;
use throughline_config::{Diagnostic, Diagnostics, Located, Pipeline, Template, TemplatePart, Trigger, closest};

use crate::condition::{column_named, condition};
use crate::error_place::{TextOrigin, diagnose};
use crate::parameters::Parameters;

/// The append-only log of what fired, published beside the pipeline's tables.
pub const TRIGGER_LOG: &str = "fct_trigger";

/// Decimals of a number in a message.
const DECIMALS: i64 = 2;

/// A trigger ready to be evaluated on its table's rows.
#[derive(Debug, Clone)]
pub struct PlannedTrigger {
    /// True for a row that fires.
    pub condition: Expr,
    /// What identifies a firing: the columns, by name.
    pub key: Vec<(String, Expr)>,
    /// Who has to act, a text.
    pub route: Expr,
    /// The message, a text; null where the trigger has no message.
    pub message: Expr,
}

/// Plans a trigger over its table's columns, parameters bound and types checked.
pub fn planned_trigger(
    trigger: &Trigger,
    schema: &DFSchema,
    parameters: &Parameters,
    state: &SessionState,
) -> Result<PlannedTrigger, Diagnostics> {
    let mut findings = Diagnostics::default();
    let mut noted = |outcome: Result<Expr, Diagnostics>| match outcome {
        Ok(expr) => expr,
        Err(found) => {
            findings.0.extend(found.0);
            lit(false)
        }
    };
    let planned = PlannedTrigger {
        condition: noted(condition(&trigger.condition, schema, parameters, state)).is_true(),
        key: trigger.key.iter().map(|column| (column.value.clone(), noted(plain_column(column, schema)))).collect(),
        route: noted(text(&trigger.route, schema)),
        message: match &trigger.message {
            Some(message) => noted(text(message, schema)),
            None => cast(lit(datafusion::common::ScalarValue::Null), DataType::Utf8),
        },
    };
    if findings.0.is_empty() { Ok(planned) } else { Err(findings) }
}

/// What is wrong with the pipeline's triggers. The models must be registered in `session`; triggers over tables that
/// `failed` their own check are passed over.
pub(crate) async fn check_triggers(
    pipeline: &Pipeline,
    parameters: &Parameters,
    session: &SessionContext,
    failed: impl Fn(&str) -> bool,
) -> Diagnostics {
    let mut findings = Diagnostics::default();
    for trigger in pipeline.triggers.values().filter(|trigger| !failed(&trigger.table)) {
        if let Some(finding) = no_published_table(&trigger.table, pipeline) {
            findings.0.push(finding);
            continue;
        }
        let table = session.table(trigger.table.value.as_str()).await;
        let checked = table
            .map_err(|error| diagnose(&error, &TextOrigin::Value(trigger.table.clone())))
            .and_then(|table| planned_trigger(trigger, table.schema(), parameters, &session.state()));
        if let Err(found) = checked {
            findings.0.extend(found.0);
        }
    }
    findings
}

fn no_published_table(name: &Located<String>, pipeline: &Pipeline) -> Option<Diagnostic> {
    let tables = || {
        let tables = pipeline.models.iter().filter(|(_, model)| model.materialized.is_stored());
        tables.map(|(name, _)| name.as_str())
    };
    if tables().any(|table| table == name.value) {
        return None;
    }
    if pipeline.models.contains_key(&name.value) || pipeline.sources.contains_key(&name.value) {
        let finding = Diagnostic::error("not-published", format!("`{}` is no published table", name.value));
        return Some(
            finding
                .at(name.place.clone())
                .help("a trigger reads what a run publishes: a model with `materialized: table`"),
        );
    }
    let finding = Diagnostic::error("unknown-relation", format!("no table `{}`", name.value)).at(name.place.clone());
    Some(match closest(name, tables()) {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None => finding.help(format!("published tables: {}", tables().collect::<Vec<_>>().join(", "))),
    })
}

/// A column that a key or a text can contain: one value, no list or struct.
fn plain_column(column: &Located<String>, schema: &DFSchema) -> Result<Expr, Diagnostics> {
    let expr = column_named(column, schema)?;
    let data_type = expr.get_type(schema).map_err(|error| diagnose(&error, &TextOrigin::Value(column.clone())))?;
    if data_type.is_nested() {
        return Err(Diagnostic::error("type-check", format!("`{}` holds several values", column.value))
            .at(column.place.clone())
            .help("name a column of numbers, texts, times or truths")
            .into());
    }
    Ok(expr)
}

/// The template's words and values as one text, never null.
fn text(template: &Template, schema: &DFSchema) -> Result<Expr, Diagnostics> {
    let mut pieces = Vec::new();
    let mut findings = Diagnostics::default();
    for part in &template.parts {
        match part {
            TemplatePart::Words(words) => pieces.push(lit(words.clone())),
            TemplatePart::Column(column) => match plain_column(column, schema) {
                Ok(value) => {
                    let fraction = value.get_type(schema).is_ok_and(|data_type| data_type.is_floating());
                    let shown = if fraction { round(vec![value, lit(DECIMALS)]) } else { value };
                    pieces.push(coalesce(vec![cast(shown, DataType::Utf8), lit("unknown")]));
                }
                Err(found) => findings.0.extend(found.0),
            },
        }
    }
    if findings.0.is_empty() { Ok(concat(pieces)) } else { Err(findings) }
}
