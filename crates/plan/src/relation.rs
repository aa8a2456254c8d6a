//! The logical plan of a model's rows, over whatever relations the session has registered for its inputs.

use std::sync::Arc;

use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use indexmap::IndexMap;
use throughline_config::{
    Diagnostic, Diagnostics, JourneyDefinition, Located, MatchRows, Model, ModelKind, Pipeline, SourceFile,
};

use crate::alias_fields::missing_columns;
use crate::eligible::eligible;
use crate::error_place::{TextOrigin, diagnose};
use crate::input::{Written, as_asked_for};
use crate::parameters::Parameters;
use crate::sql_text::SqlText;
use crate::union::union;

/// How touchpoints become rows of journeys; the engine knows the operator, the plan only its place in the graph.
pub trait JourneyMatching: Send + Sync {
    /// A plan over the touchpoints of `input`. By `rows`, it has one row for each member of each instance of
    /// `definitions`, for each instance, or for each stretch of days on which a customer is in one state of exposure.
    fn matching(
        &self,
        input: LogicalPlan,
        rows: MatchRows,
        definitions: &IndexMap<String, JourneyDefinition>,
        parameters: &Parameters,
        state: &SessionState,
    ) -> Result<LogicalPlan, Diagnostics>;

    /// Which columns of the touchpoints a column that the matcher adds is made of, for lineage.
    fn made_of(&self, _column: &str, _rows: MatchRows) -> &'static [&'static str] {
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
            let rows = select(sql, parameters, session).await?;
            as_asked_for(rows, &model.name, pipeline, &Written::Sql(sql))
        }
        (ModelKind::Union(files), _) => {
            let mut parts = Vec::with_capacity(files.len());
            let mut findings = Diagnostics::default();
            for file in files {
                match part(file, model, pipeline, parameters, session).await {
                    Ok(part) => parts.push(part),
                    Err(found) => findings.0.extend(found.0),
                }
            }
            if findings.is_empty() { union(&parts, &model.name) } else { Err(findings) }
        }
        (ModelKind::Match { input, rows }, _) => {
            let touchpoints = registered(input, session).await?;
            let matched = matching.matching(touchpoints, *rows, &pipeline.journeys, parameters, &session.state());
            // What is wrong with no definition is wrong with the touchpoints.
            let matched = matched.map_err(|found| {
                let place = |finding: Diagnostic| match &finding.place {
                    Some(_) => finding,
                    None => finding.at(input.place.clone()),
                };
                Diagnostics(found.0.into_iter().map(place).collect())
            })?;
            as_asked_for(matched, &model.name, pipeline, &Written::Model(&model.name.place))
        }
        (ModelKind::Eligible { input }, _) => {
            let rows = eligible(input, registered(input, session).await?, pipeline, parameters, session)?;
            as_asked_for(rows, &model.name, pipeline, &Written::Model(&model.name.place))
        }
    }
}

/// One SELECT of a union, with the columns that are asked of the model.
async fn part(
    file: &Arc<SourceFile>,
    model: &Model,
    pipeline: &Pipeline,
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<(SqlText, LogicalPlan), Diagnostics> {
    let sql = SqlText::parse(file)?;
    let rows = select(&sql, parameters, session).await?;
    let rows = as_asked_for(rows, &model.name, pipeline, &Written::Sql(&sql))?;
    Ok((sql, rows))
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
    let planned = state.statement_to_plan(statement).await;
    // Comparisons of unlike types and wrong arguments surface in the analyzer. The optimizer finds nothing more, costs
    // several times as much, and runs anyway when the rows are made.
    let analyzed = planned.and_then(|plan| {
        state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {})?;
        Ok(plan)
    });
    match analyzed {
        Ok(plan) => Ok(plan),
        Err(error) => {
            let missing = missing_columns(&error, sql, session).await;
            Err(missing.unwrap_or_else(|| diagnose(&error, &origin)))
        }
    }
}

/// The plan of a relation that the session has under the name written in YAML.
async fn registered(name: &Located<String>, session: &SessionContext) -> Result<LogicalPlan, Diagnostics> {
    let frame = session.table(name.value.as_str()).await;
    frame.map(|frame| frame.into_unoptimized_plan()).map_err(|error| diagnose(&error, &TextOrigin::Value(name.clone())))
}
