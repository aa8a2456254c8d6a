//! Plans that stop when nobody wants their rows any more.
//!
//! Dropping a stream stops it where it gives its thread back. DataFusion's operators do so for each batch that they
//! read from a table, and joins come to few of those: a join of joins makes millions of pairs out of one batch, and one
//! whose condition no pair meets works on without an end. Here each join gives its thread back for the batches it
//! makes, and its condition asks, before it looks at the next few thousand pairs, whether anybody waits for them.

use std::fmt::{Display, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long, and until when at the latest, rows are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) no_longer: CancellationToken,
    pub(crate) deadline: Instant,
}

impl Wanted {
    fn is_over(&self) -> bool {
        self.no_longer.is_cancelled() || Instant::now() >= self.deadline
    }
}

/// The same plan, whose joins stop.
pub(crate) fn stoppable(plan: Arc<dyn ExecutionPlan>, wanted: &Wanted) -> Result<Arc<dyn ExecutionPlan>> {
    let watched = |node: Arc<dyn ExecutionPlan>| -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
        if node.children().len() < 2 {
            return Ok(Transformed::no(node));
        }
        let node = watched_join(node, wanted)?;
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(node))))
    };
    plan.transform_up(watched).map(|transformed| transformed.data)
}

fn watched_join(node: Arc<dyn ExecutionPlan>, wanted: &Wanted) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
        let Some(filter) = join.filter() else { return Ok(node) };
        let builder = NestedLoopJoinExecBuilder::from(join).with_filter(Some(watched_filter(filter, wanted)));
        return Ok(Arc::new(builder.build()?));
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        let Some(filter) = join.filter() else { return Ok(node) };
        return join.builder().with_filter(Some(watched_filter(filter, wanted))).build_exec();
    }
    Ok(node)
}

fn watched_filter(filter: &JoinFilter, wanted: &Wanted) -> JoinFilter {
    let condition = Watched { condition: Arc::clone(filter.expression()), wanted: wanted.clone() };
    JoinFilter::new(Arc::new(condition), filter.column_indices().to_vec(), Arc::clone(filter.schema()))
}

/// A condition that fails once its answer is not wanted any more.
#[derive(Debug)]
struct Watched {
    condition: Arc<dyn PhysicalExpr>,
    wanted: Wanted,
}

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition)
    }
}

impl Eq for Watched {}

impl Hash for Watched {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
    }
}

impl Display for Watched {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.condition)
    }
}

impl PhysicalExpr for Watched {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.condition.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.condition.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.wanted.is_over() {
            return Err(DataFusionError::Execution("nobody waits for the rows".to_owned()));
        }
        self.condition.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let condition = children.into_iter().next().unwrap_or_else(|| Arc::clone(&self.condition));
        Ok(Arc::new(Self { condition, wanted: self.wanted.clone() }))
    }

    fn fmt_sql(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        self.condition.fmt_sql(out)
    }
}
