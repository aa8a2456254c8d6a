//! Whose touchpoints have changed: computed when the view of touchpoints is read, and kept for the next run.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::runtime::JoinSet;
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream_partitioned;
use datafusion::prelude::ident;
use futures::TryStreamExt;
use throughline_plan::Step;

use super::context::StepContext;
use super::relations::Relations;
use super::stage::{Staging, stage};
use crate::failure::EngineError;
use crate::incremental::{Comparison, CustomerDigests, active_sources_since, digests_table};
use crate::instants::at;
use crate::record::events::Event;
use crate::record::step_record::StepRecord;
use crate::record::usage::StepUsage;

/// Compares the digests of a view's `touchpoints` with those that the tables matched from it were made with, and keeps
/// them for the next run.
pub(crate) async fn compare_customers(
    context: &StepContext,
    view: &Step,
    touchpoints: LogicalPlan,
    record: &mut StepRecord,
) -> Result<(), EngineError> {
    let relations = &context.relations;
    let window = relations.windows.get(&view.name).copied();
    let Some(mut comparison) = Comparison::of(&view.name, &context.rebuilds, window) else { return Ok(()) };
    let table = digests_table(&view.name);
    for version in comparison.versions() {
        match kept_digests(relations, &table, version).await {
            Ok(Some(digests)) => comparison.add_kept(version, digests),
            Ok(None) => {}
            Err(error) => relations.observer.event(&Event::Warning {
                message: &format!("version {version} of `{table}` cannot be read, so more is matched again: {error}"),
            }),
        }
    }
    let (now, usage) = compute(relations, touchpoints, comparison.intervals()).await?;
    record.usage.add_usage(usage);
    let compared = comparison.conclude(now);
    let (schema, batches) = compared.kept.to_rows()?;
    let rows: Arc<dyn TableProvider> = Arc::new(MemTable::try_new(schema, vec![batches])?);
    let rows = relations.session.read_table(rows)?.into_unoptimized_plan();
    let description = format!("A digest of each customer's {}, by which the next run sees what has changed", view.name);
    let staging = Staging { table: &table, description: &description, step: &view.name, files: None };
    let (staged, _) = stage(context, staging, &rows).await?;
    let committed = context.publish(&staged, &context.commit_details(&view.fingerprint)).await?;
    context.changed.add(&view.name, committed.version, compared);
    Ok(())
}

/// Digests as an earlier run kept them; `None` when they are not there any more. Digests only save work: without them,
/// tables made with that version are matched for everybody, and days that this run does not read are not handed on from
/// it to the next run.
async fn kept_digests(
    relations: &Relations,
    table: &str,
    version: u64,
) -> Result<Option<CustomerDigests>, EngineError> {
    let Some(table) = relations.prepared.warehouse.table_at(table, version).await? else { return Ok(None) };
    let batches = relations.session.read_table(table.provider)?.collect().await?;
    Ok(CustomerDigests::from_rows(&batches))
}

/// The digests of the touchpoints in each of the intervals of `digests`, partition by partition.
async fn compute(
    relations: &Relations,
    touchpoints: LogicalPlan,
    mut digests: CustomerDigests,
) -> Result<(CustomerDigests, StepUsage), EngineError> {
    let Some(earliest) = digests.earliest() else { return Ok((digests, StepUsage::default())) };
    let narrowed = active_sources_since(touchpoints, &relations.prepared.opened_sources(), earliest)?;
    let rows = DataFrame::new(relations.session.state(), narrowed).filter(ident("occurred_at").gt_eq(at(earliest)))?;
    let plan = rows.create_physical_plan().await?;
    let mut tasks = JoinSet::new();
    for rows in execute_stream_partitioned(Arc::clone(&plan), relations.session.task_ctx())? {
        tasks.spawn(add_all(rows, digests.emptied()));
    }
    while let Some(partition) = tasks.join_next().await {
        digests.merge(partition.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??);
    }
    Ok((digests, StepUsage::of(&plan)))
}

async fn add_all(
    mut touchpoints: SendableRecordBatchStream,
    mut digests: CustomerDigests,
) -> DataFusionResult<CustomerDigests> {
    while let Some(batch) = touchpoints.try_next().await? {
        digests.add_touchpoints(&batch)?;
    }
    Ok(digests)
}
