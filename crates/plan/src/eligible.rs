//! `eligible` models: for each journey the days on which a customer could have been on it (SEMANTICS 5).
//!
//! The relation has the customer's columns in stretches of whole days, `[from_day, until_day)`, on which they are the
//! same. A definition's `eligible` decides for the whole stretch, `eligible_from` and `eligible_until` cut it: day t, which
//! begins at midnight, is kept when `eligible_from <= t < eligible_until`. A null from is never, a null until has no end.

use std::ops::ControlFlow;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::prelude::{SessionContext, ident};
use datafusion::sql::parser::DFParser;
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Ident, Visit, Visitor};
use throughline_config::{Diagnostic, Diagnostics, JourneyDefinition, Located, Pipeline};

use crate::condition::{condition, expression};
use crate::error_place::{TextOrigin, diagnose, span_to_bytes};
use crate::parameters::Parameters;

const FROM_DAY: &str = "from_day";
const UNTIL_DAY: &str = "until_day";

/// How a membership ends must not decide who could have been on a journey before.
const OF_THE_END: [&str; 7] = ["notice_at", "churned_at", "lost_at", "left_at", "left_by", "membership", "valid_until"];

/// One branch a journey: its days of `rows`, the relation that `input` names, `journey` in front, all branches side by
/// side.
pub(crate) fn eligible(
    input: &Located<String>,
    rows: LogicalPlan,
    pipeline: &Pipeline,
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<LogicalPlan, Diagnostics> {
    let schema: DFSchema = rows.schema().as_ref().clone();
    check_days(input, &schema)?;
    let state = session.state();
    let planner = Planner { schema: &schema, parameters, state: &state };
    let mut findings = Diagnostics::default();
    let mut branches: Vec<LogicalPlan> = Vec::new();
    for (name, journey) in &pipeline.journeys {
        match planner.limits(journey) {
            Ok(limits) => {
                let branch = branch(rows.clone(), name, limits, &schema);
                branches.push(branch.map_err(|error| diagnose(&error, &TextOrigin::Value(input.clone())))?);
            }
            Err(found) => findings.0.extend(found.0),
        }
    }
    if !findings.0.is_empty() {
        return Err(findings);
    }
    let union = branches.into_iter().map(Ok).reduce(|left, right| {
        let (left, right): (LogicalPlan, LogicalPlan) = (left?, right?);
        LogicalPlanBuilder::from(left).union(right)?.build()
    });
    match union {
        Some(plan) => plan.map_err(|error: DataFusionError| diagnose(&error, &TextOrigin::Value(input.clone()))),
        None => Err(Diagnostic::error("no-journeys", "an `eligible` model needs journey definitions")
            .at(input.place.clone())
            .help("name their files under `journeys:`")
            .into()),
    }
}

/// The relation says of which days its rows are.
fn check_days(input: &Located<String>, schema: &DFSchema) -> Result<(), Diagnostics> {
    let mut findings = Diagnostics::default();
    for name in [FROM_DAY, UNTIL_DAY] {
        let field = schema.fields().iter().find(|field| field.name() == name);
        let wrong = match field.map(|field| field.data_type()) {
            Some(DataType::Timestamp(..)) => continue,
            Some(other) => format!("`{name}` of `{}` is {other}, and a day begins at a timestamp", input.value),
            None => format!("`{}` has no column `{name}`", input.value),
        };
        findings.0.push(Diagnostic::error("eligible-input", wrong).at(input.place.clone()).help(
            "the relation under `eligible:` has customers in stretches of whole days: `from_day`, the first, and \
             `until_day`, the one after the last",
        ));
    }
    if findings.0.is_empty() { Ok(()) } else { Err(findings) }
}

/// Who could have been on a journey, and from when until when; absent where nothing limits it.
struct Limits {
    condition: Option<Expr>,
    from: Option<Expr>,
    until: Option<Expr>,
}

struct Planner<'a> {
    schema: &'a DFSchema,
    parameters: &'a Parameters,
    state: &'a SessionState,
}

impl Planner<'_> {
    fn limits(&self, journey: &JourneyDefinition) -> Result<Limits, Diagnostics> {
        let mut findings = Diagnostics::default();
        let mut planned = |text: &Option<Located<String>>,
                           plan: &dyn Fn(&Located<String>) -> Result<Expr, Diagnostics>| {
            let text = text.as_ref()?;
            match refuse_what_is_not_known(text).and_then(|()| plan(text)) {
                Ok(expr) => Some(expr),
                Err(found) => {
                    findings.0.extend(found.0);
                    None
                }
            }
        };
        let holds = |text: &Located<String>| condition(text, self.schema, self.parameters, self.state);
        let limits = Limits {
            condition: planned(&journey.eligible, &holds),
            from: planned(&journey.eligible_from, &|text| self.first_day(text, "eligible_from")),
            until: planned(&journey.eligible_until, &|text| self.first_day(text, "eligible_until")),
        };
        if findings.0.is_empty() { Ok(limits) } else { Err(findings) }
    }

    /// The first midnight at or after an instant.
    fn first_day(&self, text: &Located<String>, key: &str) -> Result<Expr, Diagnostics> {
        // By itself first, so that what is wrong with it is blamed on what a person wrote.
        let instant = expression(text, self.schema, self.parameters, self.state)?;
        let origin = TextOrigin::Value(text.clone());
        let data_type = instant.get_type(self.schema).map_err(|error| diagnose(&error, &origin))?;
        if !matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64) {
            return Err(Diagnostic::error("not-a-time", format!("`{key}` is {data_type}, and it is an instant"))
                .at(text.place.clone())
                .help(format!("write e.g. `{key}: joined_at + INTERVAL '210 days'`"))
                .into());
        }
        let day = Located {
            // On a line of its own, so that a comment in the text ends before the bracket.
            value: format!(
                "date_trunc('day', arrow_cast({}\n, 'Timestamp(Microsecond, Some(\"UTC\"))') + INTERVAL '1 day' \
                 - INTERVAL '1 microsecond')",
                text.value
            ),
            place: text.place.clone(),
        };
        expression(&day, self.schema, self.parameters, self.state)
    }
}

fn branch(rows: LogicalPlan, journey: &str, limits: Limits, schema: &DFSchema) -> Result<LogicalPlan, DataFusionError> {
    use datafusion::functions::expr_fn::{greatest, least};
    let Limits { condition, from, until } = limits;
    let mut builder = LogicalPlanBuilder::from(rows);
    for filter in condition.into_iter().chain(from.clone().map(Expr::is_not_null)) {
        builder = builder.filter(filter)?;
    }
    let is_cut = from.is_some() || until.is_some();
    let columns = schema.columns().into_iter().map(|column| {
        let name = column.name.clone();
        let value = Expr::Column(column);
        // Neither of the two functions minds a null.
        let value = match (name.as_str(), &from, &until) {
            (FROM_DAY, Some(from), _) => greatest(vec![value, from.clone()]),
            (UNTIL_DAY, _, Some(until)) => least(vec![value, until.clone()]),
            _ => value,
        };
        value.alias(name)
    });
    let columns: Vec<Expr> = std::iter::once(lit(journey.to_owned()).alias("journey")).chain(columns).collect();
    builder = builder.project(columns)?;
    if is_cut {
        builder = builder.filter(ident(FROM_DAY).lt(ident(UNTIL_DAY)))?;
    }
    builder.build()
}

/// Refuses names that a condition on who could have been on a journey must not use, each at its place.
fn refuse_what_is_not_known(text: &Located<String>) -> Result<(), Diagnostics> {
    let Ok(parsed) = DFParser::parse_sql_into_expr(text) else { return Ok(()) };
    let mut names = Names(Vec::new());
    let _: ControlFlow<()> = parsed.expr.visit(&mut names);
    let origin = TextOrigin::Value(text.clone());
    let findings = names.0.iter().filter_map(|name| {
        let place = span_to_bytes(name.span, &text.value).map_or_else(|| origin.whole(), |range| origin.within(range));
        let column = name.value.to_lowercase();
        let (message, help) = match column.as_str() {
            "landmark" => (
                "days are judged one by one, and there is no `landmark`".to_owned(),
                "say for how long a customer could have been on the journey, as in `eligible_until: joined_at + \
                 INTERVAL '210 days'` or `eligible_from: joined_at + INTERVAL '365 days'`",
            ),
            FROM_DAY | UNTIL_DAY => (
                format!("`{column}` is where other limits cut the days"),
                "say from when until when with `eligible_from` and `eligible_until`, over the customer's columns",
            ),
            end if OF_THE_END.contains(&end) => (
                format!("`{column}` is not known while the customer is there"),
                "how a membership ends must not decide who could have been on a journey; use what was known before",
            ),
            _ => return None,
        };
        Some(Diagnostic::error("not-known-then", message).at(place).help(help))
    });
    let findings: Vec<Diagnostic> = findings.collect();
    if findings.is_empty() { Ok(()) } else { Err(Diagnostics(findings)) }
}

/// The columns that an expression names.
struct Names(Vec<Ident>);

impl Visitor for Names {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &SqlExpr) -> ControlFlow<()> {
        match expr {
            SqlExpr::Identifier(name) => self.0.push(name.clone()),
            SqlExpr::CompoundIdentifier(parts) => self.0.extend(parts.last().cloned()),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
