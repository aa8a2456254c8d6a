//! Logical operator → physical operator.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{Result, plan_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use crate::exec::MatchJourneysExec;
use crate::node::MatchJourneys;

/// Plans [`MatchJourneys`] nodes; every other node is left to the next planner.
#[derive(Debug, Default, Clone, Copy)]
pub struct MatchPlanner;

#[async_trait]
impl ExtensionPlanner for MatchPlanner {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        planning_context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<MatchJourneys>() else { return Ok(None) };
        let [input] = physical_inputs else { return plan_err!("MatchJourneys has one input") };
        let conditions = node
            .conditions
            .iter()
            .map(|condition| planner.create_physical_expr(condition, node.input.schema(), session, planning_context))
            .collect::<Result<Vec<_>>>()?;
        let parameters = Arc::new(node.parameters.clone());
        let partitions = session.config().target_partitions();
        let arrangement = MatchJourneysExec::arrangement_for(input, parameters.rows, partitions)?;
        let matcher = MatchJourneysExec::try_new(Arc::clone(input), conditions, parameters, arrangement)?;
        Ok(Some(Arc::new(matcher)))
    }
}

/// DataFusion's planner with [`MatchPlanner`] added, for sessions that need no other extension.
#[derive(Debug, Default, Clone, Copy)]
pub struct MatchQueryPlanner;

#[async_trait]
impl QueryPlanner for MatchQueryPlanner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(MatchPlanner)]);
        planner.create_physical_plan(plan, session).await
    }
}
