//! Rules of the planner that stop when planning may not go on. They do what they did, and ask before.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::analyzer::AnalyzerRule;
use datafusion::optimizer::{ApplyOrder, Optimizer, OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::{PhysicalOptimizerContext, PhysicalOptimizerRule};
use datafusion::physical_plan::ExecutionPlan;

use crate::planning::go_on;

/// The same session, whose planner stops.
pub(crate) fn interruptible(state: SessionState) -> SessionState {
    // Rewrites of functions, which belong to the analyzer too, stay as they are.
    let mut analyzer = state.analyzer().clone();
    for rule in &mut analyzer.rules {
        *rule = Arc::new(Asking(Arc::clone(rule)));
    }
    let optimizing = state
        .optimizers()
        .iter()
        .map(|rule| -> Arc<dyn OptimizerRule + Send + Sync> { Arc::new(Asking(Arc::clone(rule))) });
    let optimizer = Optimizer::with_rules(optimizing.collect());
    let physical = state
        .physical_optimizers()
        .iter()
        .map(|rule| -> Arc<dyn PhysicalOptimizerRule + Send + Sync> { Arc::new(Asking(Arc::clone(rule))) });
    let physical = physical.collect();
    let mut builder = SessionStateBuilder::new_from_existing(state).with_physical_optimizer_rules(physical);
    *builder.analyzer() = Some(analyzer);
    *builder.optimizer() = Some(optimizer);
    builder.build()
}

/// A rule that asks first.
#[derive(Debug)]
struct Asking<R>(R);

impl AnalyzerRule for Asking<Arc<dyn AnalyzerRule + Send + Sync>> {
    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        go_on()?;
        self.0.analyze(plan, config)
    }

    fn name(&self) -> &str {
        self.0.name()
    }
}

impl OptimizerRule for Asking<Arc<dyn OptimizerRule + Send + Sync>> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        go_on()?;
        self.0.rewrite(plan, config)
    }
}

impl PhysicalOptimizerRule for Asking<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        go_on()?;
        self.0.optimize(plan, config)
    }

    fn optimize_with_context(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: &dyn PhysicalOptimizerContext,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        go_on()?;
        self.0.optimize_with_context(plan, context)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}
