//! The rows of one relation.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;
use throughline_config::closest;
use throughline_plan::{Graph, StepKind};

use super::compute::compute_relations;
use crate::failure::EngineError;
use crate::read::published::Published;
use crate::record::history::{RUN_TABLES, register_run_tables};
use crate::workspace::options::PrepareOptions;
use crate::workspace::prepare::{Prepared, prepare};

/// The rows of a relation: those of a table as published, those of a source or view computed on the spot.
///
/// # Errors
/// No relation has this name; a table is not published yet; the sources that a view needs cannot be read or break their
/// contract.
pub async fn show(options: PrepareOptions, name: &str) -> Result<DataFrame, EngineError> {
    let prepared = Arc::new(prepare(options).await?);
    let plan = &prepared.plan;
    let published = Published::latest(&prepared.warehouse, &plan.pipeline.name).await?;
    let session = prepared.session()?;
    if RUN_TABLES.contains(&name) {
        register_run_tables(&prepared.warehouse, &plan.pipeline.name, &session)?;
        return Ok(session.table(name).await?);
    }
    if let Some(published) = &published
        && published.register_table(name, &session).await?
    {
        return Ok(session.table(name).await?);
    }
    let Some(step) = plan.step(name) else {
        let known = || plan.steps.iter().map(|step| step.name.as_str());
        let near = closest(name, known()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        return Err(EngineError::refused(
            format!("no model, source or seed `{name}`"),
            format!("{near}`throughline plan` lists them"),
        ));
    };
    if step.kind == StepKind::Table {
        return Err(EngineError::refused(
            format!("`{name}` is not published yet"),
            format!("make it first: throughline run --select +{name}"),
        ));
    }
    computed(&prepared, published.as_ref(), name, session).await
}

/// Computes a view or source; the tables it reads are the published ones.
async fn computed(
    prepared: &Arc<Prepared>,
    published: Option<&Published>,
    name: &str,
    session: SessionContext,
) -> Result<DataFrame, EngineError> {
    let plan = &prepared.plan;
    let wanted = BTreeSet::from([name.to_owned()]);
    let tables = Graph::closure([name], |step| plan.graph.inputs(step));
    for table in tables.into_iter().filter(|input| plan.is_table(input)) {
        if let Some(published) = published {
            published.register_table(table, &session).await?;
        }
    }
    let session = compute_relations(prepared, &wanted, session).await?;
    Ok(session.table(name).await?)
}
