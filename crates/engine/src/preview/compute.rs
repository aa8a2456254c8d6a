//! Views and sources computed on the spot.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::prelude::SessionContext;
use throughline_plan::{Step, StepKind};

use crate::failure::EngineError;
use crate::record::step_record::StepStatus;
use crate::step::freshness::check_freshness;
use crate::step::relations::Relations;
use crate::step::source::read_source;
use crate::step::view::register_view;
use crate::workspace::needed_steps::needed_steps;
use crate::workspace::prepare::Prepared;

/// Registers the views and sources that `wanted` needs, each held against its contract as in a run.
pub(crate) async fn compute_relations(
    prepared: &Arc<Prepared>,
    wanted: &BTreeSet<String>,
    session: SessionContext,
) -> Result<SessionContext, EngineError> {
    let relations = Relations::for_preview(prepared, session);
    for step in needed_steps(&prepared.plan, wanted) {
        register(&relations, step)
            .await
            .map_err(|source| EngineError::Relation { relation: step.name.clone(), source: Box::new(source) })?;
    }
    Ok(relations.session)
}

async fn register(relations: &Relations, step: &Step) -> Result<(), EngineError> {
    let mut record = relations.blank_record(&step.name, StepStatus::Done);
    match step.kind {
        StepKind::Source | StepKind::Seed => {
            read_source(relations, step, &mut record).await?;
            check_freshness(relations, &step.name, &mut record).await
        }
        StepKind::View => register_view(relations, step, &mut record).await.map(drop),
        // Tables are registered by whoever asks, from what is published.
        StepKind::Table => Ok(()),
    }
}
