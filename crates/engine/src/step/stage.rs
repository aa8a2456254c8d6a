//! Rows computed into staged files of a table, under names that no reader knows.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, execute_stream_partitioned};
use throughline_lake::{PartLayout, SortColumn, SplitParts, StagedTable, TableSpec};

use super::context::StepContext;
use super::stuck::watch;
use crate::columns::with_comments;
use crate::failure::EngineError;
use crate::record::usage::StepUsage;

/// Which table rows are staged for.
pub(crate) struct Staging<'a> {
    pub(crate) table: &'a str,
    /// What one row is, for the table's readers.
    pub(crate) description: &'a str,
    /// The step that reports progress.
    pub(crate) step: &'a str,
    /// For an incremental table, which rows go into which files, and which files stay. The last column of its rows then
    /// says when each is settled, and is not stored.
    pub(crate) files: Option<(PartLayout, Option<SplitParts>)>,
}

/// Executes a plan into staged files. Also returns what was executed, with its metrics.
pub(crate) async fn stage(
    context: &StepContext,
    staging: Staging<'_>,
    rows: &LogicalPlan,
) -> Result<(StagedTable, Arc<dyn ExecutionPlan>), EngineError> {
    let physical = context.relations.session.state().create_physical_plan(rows).await?;
    let (staged, _) = stage_planned(context, staging, Arc::clone(&physical)).await?;
    Ok((staged, physical))
}

/// Like [`stage`], for rows that are planned already. Also returns what computing them cost.
pub(crate) async fn stage_planned(
    context: &StepContext,
    staging: Staging<'_>,
    physical: Arc<dyn ExecutionPlan>,
) -> Result<(StagedTable, StepUsage), EngineError> {
    let Staging { table, description, step, files } = staging;
    let relations = &context.relations;
    let plan = &relations.prepared.plan;
    let mut schema = with_comments(&physical.schema(), |column| {
        rejection_comment(column).or_else(|| plan.column_comment(table, column))
    });
    if files.is_some() {
        let stored: Vec<usize> = (0..schema.fields().len().saturating_sub(1)).collect();
        schema = Arc::new(schema.project(&stored).map_err(DataFusionError::from)?);
    }
    let spec = TableSpec {
        name: table.to_owned(),
        description: Some(description.to_owned()).filter(|text| !text.is_empty()),
        schema,
        order: if files.is_some() { Vec::new() } else { sort_order(&physical) },
    };
    let streams = execute_stream_partitioned(Arc::clone(&physical), relations.session.task_ctx())?;
    let staging = async {
        match files {
            Some((layout, split)) => context.warehouse.stage_parts(spec, streams, layout, split).await,
            None => context.warehouse.stage(spec, streams).await,
        }
    };
    let staged = tokio::select! {
        staged = staging => staged?,
        stuck = watch(step, &physical, relations.observer.as_ref()) => return Err(stuck),
    };
    Ok((staged, StepUsage::of(&physical)))
}

/// The comment of a column that intake adds to rows that it sets aside.
fn rejection_comment(column: &str) -> Option<&'static str> {
    match column {
        "rejected_reason" => Some("Why the row was set aside"),
        "rejected_origin" => Some("File and line the row was read from"),
        _ => None,
    }
}

/// The order that each partition's rows have, as far as it is one of plain columns.
fn sort_order(physical: &Arc<dyn ExecutionPlan>) -> Vec<SortColumn> {
    let Some(ordering) = physical.output_ordering() else { return Vec::new() };
    let schema = physical.schema();
    let column = |sort: &datafusion::physical_expr::PhysicalSortExpr| {
        let column = sort.expr.downcast_ref::<Column>()?;
        Some(SortColumn {
            name: schema.field(column.index()).name().clone(),
            descending: sort.options.descending,
            nulls_first: sort.options.nulls_first,
        })
    };
    ordering.iter().map_while(column).collect()
}
