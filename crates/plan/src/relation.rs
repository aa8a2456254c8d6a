//! The logical plan of a model's rows, over whatever relations the session has registered for its inputs.

use datafusion::common::DFSchema;
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::prelude::SessionContext;
use indexmap::IndexMap;
use throughline_config::{Diagnostic, Diagnostics, JourneyDefinition, Located, MatchRows, Model, ModelKind, Pipeline};

use crate::condition::condition;
use crate::error_place::{TextOrigin, diagnose};
use crate::parameters::Parameters;
use crate::sql_text::SqlText;

/// How touchpoints become members of journeys; the engine knows the operator, the plan only its place in the graph.
pub trait JourneyMatching: Send + Sync {
    /// A plan with one row for each instance of `definitions`, or for each of its members, over the touchpoints of
    /// `input`.
    fn matching(
        &self,
        input: LogicalPlan,
        rows: MatchRows,
        definitions: &IndexMap<String, JourneyDefinition>,
        parameters: &Parameters,
        state: &SessionState,
    ) -> Result<LogicalPlan, Diagnostics>;

    /// Which columns of the touchpoints a column that the matcher adds is made of, for lineage.
    fn made_of(&self, _column: &str) -> &'static [&'static str] {
        &[]
    }
}

/// Plans the rows of `model`. Its inputs must be registered in `session` under their names.
pub async fn relation(
    model: &Model,
    sql: Option<&SqlText>,
    pipeline: &Pipeline,
    parameters: &Parameters,
    session: &SessionContext,
    matching: &dyn JourneyMatching,
) -> Result<LogicalPlan, Diagnostics> {
    match (&model.kind, sql) {
        (ModelKind::Sql(file), sql) => {
            let parsed;
            let sql = match sql {
                Some(sql) => sql,
                None => {
                    parsed = SqlText::parse(file)?;
                    &parsed
                }
            };
            select(sql, parameters, session).await
        }
        (ModelKind::Match { input, rows }, _) => {
            let touchpoints = registered(input, session).await?;
            let matched = matching.matching(touchpoints, *rows, &pipeline.journeys, parameters, &session.state());
            // What is wrong with no definition is wrong with the touchpoints.
            matched.map_err(|found| {
                let place = |finding: Diagnostic| match &finding.place {
                    Some(_) => finding,
                    None => finding.at(input.place.clone()),
                };
                Diagnostics(found.0.into_iter().map(place).collect())
            })
        }
        (ModelKind::Eligible { input }, _) => eligible(input, pipeline, parameters, session).await,
    }
}

/// Plans a SELECT with its parameters bound and its types checked.
pub async fn select(
    sql: &SqlText,
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<LogicalPlan, Diagnostics> {
    let origin = TextOrigin::File(sql.file.clone());
    let mut statement = sql.statement.clone();
    parameters.bind(&mut statement, &origin)?;
    let state = session.state();
    let plan = state.statement_to_plan(statement).await.map_err(|error| diagnose(&error, &origin))?;
    // Comparisons of unlike types and wrong arguments surface in the analyzer. The optimizer finds nothing more, costs
    // several times as much, and runs anyway when the rows are made.
    let analyzed = state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {});
    analyzed.map_err(|error| diagnose(&error, &origin))?;
    Ok(plan)
}

/// The plan of a relation that the session has under the name written in YAML.
async fn registered(name: &Located<String>, session: &SessionContext) -> Result<LogicalPlan, Diagnostics> {
    let frame = session.table(name.value.as_str()).await;
    frame.map(|frame| frame.into_unoptimized_plan()).map_err(|error| diagnose(&error, &TextOrigin::Value(name.clone())))
}

/// One branch a journey: the rows for which it is eligible, `journey` in front, all branches side by side.
async fn eligible(
    input: &Located<String>,
    pipeline: &Pipeline,
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<LogicalPlan, Diagnostics> {
    let rows = registered(input, session).await?;
    let schema: DFSchema = rows.schema().as_ref().clone();
    let state = session.state();
    let mut findings = Diagnostics::default();
    let mut branches: Vec<LogicalPlan> = Vec::new();
    for (name, journey) in &pipeline.journeys {
        let filter = match &journey.eligible {
            None => None,
            Some(text) => match condition(text, &schema, parameters, &state) {
                Ok(expr) => Some(expr),
                Err(found) => {
                    findings.0.extend(found.0);
                    continue;
                }
            },
        };
        let branch = branch(rows.clone(), name, filter, &schema)
            .map_err(|error| diagnose(&error, &TextOrigin::Value(input.clone())))?;
        branches.push(branch);
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

fn branch(
    rows: LogicalPlan,
    journey: &str,
    filter: Option<Expr>,
    schema: &DFSchema,
) -> Result<LogicalPlan, DataFusionError> {
    let mut builder = LogicalPlanBuilder::from(rows);
    if let Some(filter) = filter {
        builder = builder.filter(filter)?;
    }
    let columns = schema.columns().into_iter().map(|column| {
        let name = column.name.clone();
        Expr::Column(column).alias(name)
    });
    builder.project(std::iter::once(lit(journey.to_owned()).alias("journey")).chain(columns))?.build()
}
