//! Tables: staged, tested, committed; discarded when a test of severity error fails.

use datafusion::physical_plan::ExecutionPlan;
use throughline_config::{MatchRows, Model, ModelKind};
use throughline_journeys::match_counts;
use throughline_lake::CommitDetails;
use throughline_plan::Step;

use super::context::StepContext;
use super::data_tests::test_table;
use super::stage::{Staging, stage};
use crate::failure::EngineError;
use crate::incremental::{Rebuild, Replacement, Shared, plan_replacement};
use crate::record::events::Event;
use crate::record::step_record::{StepRecord, StepStatus};
use crate::record::usage::StepUsage;
use crate::workspace::matching::conservation;

/// Makes a table and publishes it when its tests pass.
pub(crate) async fn make_table(context: &StepContext, step: &Step, record: &mut StepRecord) -> Result<(), EngineError> {
    let relations = &context.relations;
    let model = relations.model(&step.name)?;
    let rebuild = context.rebuilds.get(&step.name);
    let replacement = match rebuild {
        Some(rebuild) => Some(plan_rows(context, step, rebuild, record).await?),
        None => None,
    };
    let rows = match &replacement {
        Some(replacement) => replacement.rows.clone(),
        None => relations.model_rows(step).await?,
    };
    let staging = Staging {
        table: &step.name,
        description: model.description.as_deref().unwrap_or_default(),
        step: &step.name,
        files: replacement.as_ref().map(|replacement| (replacement.layout, replacement.files.clone())),
    };
    let (staged, executed) = stage(context, staging, &rows).await?;
    record.usage.add_usage(StepUsage::of(&executed));
    // Rows that were kept in memory were matched when they were read into it.
    let rebuilt = replacement.as_ref().and_then(|replacement| replacement.rebuilt.as_ref());
    let matched: &dyn ExecutionPlan = rebuilt.map_or(executed.as_ref(), |rebuilt| rebuilt.plan.as_ref());
    if is_account(model) {
        let counts = match_counts(matched);
        for definition in counts.iter().filter(|definition| !definition.counts.is_conserved()) {
            let journey = &definition.journey;
            let message = format!("the touchpoints of `{journey}` do not add up; please report this");
            relations.observer.event(&Event::Warning { message: &message });
        }
        record.conservation = counts.iter().map(conservation).collect();
    }
    record.rows = Some(staged.table_rows());
    record.bytes = Some(staged.bytes());
    record.files = Some(staged.files() as u64);
    let increment = async {
        let (Some(rebuild), Some(replacement)) = (rebuild, &replacement) else { return Ok(None) };
        let as_of = relations.prepared.plan.parameters.as_of();
        replacement.record(rebuild, &staged, as_of, &relations.session).await.map(Some)
    };
    let passes = test_table(relations, model, &staged, replacement.as_ref(), record);
    let (increment, passes) = futures::try_join!(increment, passes)?;
    record.increment = increment;
    if !passes {
        relations.session.deregister_table(step.name.as_str())?;
        staged.discard().await?;
        record.status = StepStatus::TestsFailed;
        return Ok(());
    }
    let ledger = rebuild.map(|rebuild| context.changed.ledger(rebuild)).transpose()?;
    let details = CommitDetails { ledger, ..context.commit_details(&step.fingerprint) };
    let committed = context.publish(&staged, &details).await?;
    record.version = Some(committed.version);
    Ok(())
}

/// Whether a match is the account of what became of the touchpoints: as they happened. As they became known they are
/// counted a second time.
fn is_account(model: &Model) -> bool {
    !matches!(model.kind, ModelKind::Match { rows: MatchRows::KnownMembers | MatchRows::States, .. })
}

/// Plans the rows of an incremental table.
async fn plan_rows(
    context: &StepContext,
    step: &Step,
    rebuild: &Rebuild,
    record: &mut StepRecord,
) -> Result<Replacement, EngineError> {
    let relations = &context.relations;
    let shared = Shared {
        prepared: &relations.prepared,
        rebuilds: &context.rebuilds,
        cache: relations.cache.as_ref(),
        open_instances: &context.open_instances,
        changed: context.changed.of(rebuild),
    };
    let model = relations.model(&step.name)?;
    let replacement = plan_replacement(&shared, step, model, rebuild, &relations.session).await?;
    record.usage.add_usage(replacement.usage);
    Ok(replacement)
}
