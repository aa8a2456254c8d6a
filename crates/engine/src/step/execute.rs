//! One step of a run, from its start to its record.

use std::time::Instant;

use throughline_plan::{Step, StepKind};

use super::blame::blamed;
use super::context::StepContext;
use super::customers::compare_customers;
use super::data_tests::test_view;
use super::freshness::check_freshness;
use super::rejected::publish_rejected;
use super::row_limits::check_row_limits;
use super::source::read_source;
use super::table::make_table;
use super::view::register_view;
use crate::failure::EngineError;
use crate::record::events::Event;
use crate::record::step_record::{StepRecord, StepStatus};

/// Executes one step; an error is in its record.
pub(crate) async fn execute(context: &StepContext, name: &str) -> StepRecord {
    let began = Instant::now();
    let relations = &context.relations;
    relations.observer.event(&Event::StepStarted { step: name });
    let mut record = relations.blank_record(name, StepStatus::Done);
    let outcome = match relations.prepared.plan.step(name) {
        Some(step) => tokio::select! {
            biased;
            outcome = execute_or_blame(context, step, &mut record) => outcome,
            () = context.commits.stopped() => Err(EngineError::Interrupted),
        },
        None => Err(EngineError::internal(format!("`{name}` is not a step of the plan"))),
    };
    if let Err(error) = outcome {
        record.fail(&error);
    }
    record.seconds = began.elapsed().as_secs_f64();
    record
}

async fn execute_or_blame(context: &StepContext, step: &Step, record: &mut StepRecord) -> Result<(), EngineError> {
    match execute_kind(context, step, record).await {
        Ok(()) => Ok(()),
        Err(error) => Err(blamed(&context.relations, step, error).await),
    }
}

async fn execute_kind(context: &StepContext, step: &Step, record: &mut StepRecord) -> Result<(), EngineError> {
    match step.kind {
        StepKind::Source | StepKind::Seed => {
            let set_aside = read_source(&context.relations, step, record).await?;
            let is_whole = set_aside.not_read.is_none();
            publish_rejected(context, step, set_aside, record).await?;
            if let Some(source) = context.relations.prepared.plan.pipeline.sources.get(&step.name) {
                check_row_limits(source, is_whole, record);
            }
            check_freshness(&context.relations, &step.name, record).await
        }
        StepKind::View => {
            if let Some(touchpoints) = register_view(&context.relations, step, record).await? {
                publish_rejected(context, step, touchpoints.set_aside, record).await?;
                compare_customers(context, step, touchpoints.rows, record).await?;
            }
            test_view(context, step, record).await
        }
        StepKind::Table => make_table(context, step, record).await,
    }
}
