//! The physical operator as bytes, for executors in other processes.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, exec_err, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion_proto::physical_plan::{
    AsExecutionPlan, PhysicalExtensionCodec, PhysicalPlanDecodeContext, PhysicalProtoConverterExtension,
};
use datafusion_proto::protobuf::PhysicalPlanNode;

use crate::exec::{Arrangement, MatchJourneysExec};
use crate::parameters::MatchParameters;

/// Encodes [`MatchJourneysExec`]. Functions in conditions travel by name and must be registered where they arrive.
///
/// Layout: the parameters' length as little-endian `u64`, parameters and arrangement as JSON, then the conditions as a protobuf
/// projection over an empty relation with the input's schema.
#[derive(Debug, Default, Clone, Copy)]
pub struct MatchJourneysCodec;

impl PhysicalExtensionCodec for MatchJourneysCodec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = inputs else { return internal_err!("MatchJourneysExec has one child, not {}", inputs.len()) };
        let Some((length, rest)) = bytes.split_first_chunk() else {
            return exec_err!("a matcher's bytes are cut short");
        };
        let length = usize::try_from(u64::from_le_bytes(*length)).ok();
        let Some((parameters, conditions)) = length.and_then(|length| rest.split_at_checked(length)) else {
            return exec_err!("a matcher's bytes are cut short");
        };
        let (parameters, arrangement): (MatchParameters, Arrangement) =
            serde_json::from_slice(parameters).map_err(|error| DataFusionError::External(Box::new(error)))?;
        let node = PhysicalPlanNode::try_decode(conditions)?;
        let plan = converter.proto_to_execution_plan(&node, &PhysicalPlanDecodeContext::new(context, self))?;
        let Some(projection) = plan.downcast_ref::<ProjectionExec>() else {
            return exec_err!("a matcher's bytes hold no conditions");
        };
        let conditions = projection.expr().iter().map(|projected| Arc::clone(&projected.expr)).collect();
        Ok(Arc::new(MatchJourneysExec::try_new(Arc::clone(input), conditions, Arc::new(parameters), arrangement)?))
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let Some(matcher) = node.downcast_ref::<MatchJourneysExec>() else {
            return internal_err!("the matcher's codec cannot encode {}", node.name());
        };
        let parameters = serde_json::to_vec(&(matcher.parameters(), matcher.arrangement()))
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let conditions = matcher.conditions().iter().enumerate().map(|(index, condition)| ProjectionExpr {
            expr: Arc::clone(condition),
            alias: format!("condition {index}"),
        });
        let empty = Arc::new(EmptyExec::new(matcher.input().schema()));
        let projection: Arc<dyn ExecutionPlan> = Arc::new(ProjectionExec::try_new(conditions, empty)?);
        let node = converter.execution_plan_to_proto(&projection, self)?;
        bytes.extend_from_slice(&(parameters.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&parameters);
        node.try_encode(bytes)
    }
}
