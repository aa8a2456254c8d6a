//! Rows that were set aside, published with their reasons.

use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use throughline_plan::Step;

use super::context::StepContext;
use super::stage::{Staging, stage_planned};
use crate::columns::in_types_of;
use crate::failure::EngineError;
use crate::record::step_record::StepRecord;

/// The rows of a relation that its contract sets aside.
pub(crate) struct SetAside {
    /// Of the rows that were read, with the reason; `None` when there are none.
    pub(crate) rejected: Option<LogicalPlan>,
    /// True for the rows that were not read; `None` when all were.
    pub(crate) not_read: Option<Expr>,
}

pub(crate) use crate::record::step_record::rejected_table;

/// Publishes the rows that were set aside, and keeps those that earlier runs set aside among the rows that this run did
/// not read.
pub(crate) async fn publish_rejected(
    context: &StepContext,
    step: &Step,
    set_aside: SetAside,
    record: &mut StepRecord,
) -> Result<(), EngineError> {
    let table = rejected_table(&step.name);
    let SetAside { rejected, not_read } = set_aside;
    let earlier = match not_read {
        Some(not_read) => earlier_rejected(context, &table, not_read, rejected.is_none()).await?,
        None => None,
    };
    let session = &context.relations.session;
    let rows = match (rejected, earlier) {
        (Some(rejected), Some(earlier)) => {
            let rejected = DataFrame::new(session.state(), rejected);
            let columns = in_types_of(rejected.schema());
            rejected.union(earlier.select(columns)?)?.into_unoptimized_plan()
        }
        (Some(rejected), None) => rejected,
        (None, Some(earlier)) => earlier.into_unoptimized_plan(),
        (None, None) => return Ok(()),
    };
    let description = format!("Rows of {} that were set aside, each with the reason", step.name);
    // They are few, and every file has its price.
    let rows = session.state().create_physical_plan(&rows).await?;
    let rows = Arc::new(CoalescePartitionsExec::new(rows));
    let staging = Staging { table: &table, description: &description, step: &step.name, files: None };
    let (staged, usage) = stage_planned(context, staging, rows).await?;
    let committed = context.publish(&staged, &context.commit_details(&step.fingerprint)).await?;
    record.rejected_version = Some(committed.version);
    record.usage.add_usage(usage);
    Ok(())
}

/// Rows that the last complete run published as rejected, of those that this run does not read; `None` when there are
/// none, which is only found out where `is_asked`.
async fn earlier_rejected(
    context: &StepContext,
    table: &str,
    not_read: Expr,
    is_asked: bool,
) -> Result<Option<DataFrame>, EngineError> {
    let Some(version) = context.published.get(table) else { return Ok(None) };
    let Some(table) = context.relations.prepared.warehouse.table_at(table, *version).await? else { return Ok(None) };
    let rows = context.relations.session.read_table(table.provider)?.filter(not_read)?;
    let is_any = !is_asked || rows.clone().limit(0, Some(1))?.count().await? > 0;
    Ok(is_any.then_some(rows))
}
