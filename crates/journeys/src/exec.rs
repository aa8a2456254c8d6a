//! The physical operator.

use std::fmt;
use std::sync::Arc;

use arrow::array::StringArray;
use arrow::datatypes::Schema;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, plan_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::equivalence::ProjectionMapping;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, OrderingRequirements, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{EmissionType, apply_expression_roots};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, PlanProperties, ReplaceChildrenOptions,
};

use crate::counts::Counters;
use crate::gather::OutputForm;
use crate::parameters::{CUSTOMER_ID, MatchParameters, OCCURRED_AT, TOUCHPOINT_ID, column_index, output_fields};
use crate::stream::{InputColumns, MatchStream, Setup};

/// Matches every definition in one pass over touchpoints that are partitioned by customer and ordered by
/// `(customer_id, occurred_at, touchpoint_id)`; DataFusion plans the exchange and the sort where the input has
/// neither.
///
/// Output: one row for each member of each instance, ordered within a partition by
/// `(customer_id, journey, journey_id, step)`.
#[derive(Debug)]
pub struct MatchJourneysExec {
    input: Arc<dyn ExecutionPlan>,
    conditions: Vec<Arc<dyn PhysicalExpr>>,
    parameters: Arc<MatchParameters>,
    columns: InputColumns,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl MatchJourneysExec {
    /// An operator over `input`; `conditions` are boolean expressions over its columns, to which `parameters` refers
    /// by index.
    ///
    /// # Errors
    /// The parameters do not fit the conditions or the input's schema.
    pub fn try_new(
        input: Arc<dyn ExecutionPlan>,
        conditions: Vec<Arc<dyn PhysicalExpr>>,
        parameters: Arc<MatchParameters>,
    ) -> Result<Self> {
        parameters.validate(conditions.len())?;
        let schema = input.schema();
        for condition in &conditions {
            if condition.data_type(&schema)? != arrow::datatypes::DataType::Boolean {
                return plan_err!("the journey condition {condition} is not boolean");
            }
        }
        let columns = input_columns(&schema, &parameters)?;
        let properties = Arc::new(plan_properties(&input)?);
        Ok(Self { input, conditions, parameters, columns, properties, metrics: ExecutionPlanMetricsSet::new() })
    }

    /// Definitions and `as_of`.
    pub fn parameters(&self) -> &MatchParameters {
        &self.parameters
    }

    /// The distinct conditions, to which the parameters refer.
    pub fn conditions(&self) -> &[Arc<dyn PhysicalExpr>] {
        &self.conditions
    }

    /// The relation of touchpoints.
    pub fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.input
    }

    fn input_column(&self, name: &str, index: usize) -> Arc<dyn PhysicalExpr> {
        Arc::new(Column::new(name, index))
    }
}

fn input_columns(schema: &Schema, parameters: &MatchParameters) -> Result<InputColumns> {
    let mut key_sets: Vec<Vec<usize>> = vec![Vec::new()];
    let mut key_set_of = Vec::with_capacity(parameters.definitions.len());
    for definition in &parameters.definitions {
        let mut set =
            definition.further_key.iter().map(|name| column_index(schema, name)).collect::<Result<Vec<usize>>>()?;
        set.sort_unstable();
        set.dedup();
        let known = key_sets.iter().position(|other| *other == set);
        key_set_of.push(known.unwrap_or_else(|| {
            key_sets.push(set);
            key_sets.len() - 1
        }));
    }
    Ok(InputColumns {
        customer: column_index(schema, CUSTOMER_ID)?,
        touchpoint: column_index(schema, TOUCHPOINT_ID)?,
        time: column_index(schema, OCCURRED_AT)?,
        key_sets,
        key_set_of,
    })
}

fn ordering(schema: &Schema, names: &[&str]) -> Result<Vec<PhysicalSortExpr>> {
    names
        .iter()
        .map(|name| {
            let column = Arc::new(Column::new(name, column_index(schema, name)?));
            Ok(PhysicalSortExpr::new_default(column).asc().nulls_last())
        })
        .collect()
}

/// Order and partitioning of the output: that of customers is the input's, everything within a customer is new.
fn plan_properties(input: &Arc<dyn ExecutionPlan>) -> Result<PlanProperties> {
    let input_schema = input.schema();
    let fields = output_fields(input_schema.fields())?;
    let schema = Arc::new(Schema::new_with_metadata(fields, input_schema.metadata().clone()));
    let by_step = ordering(&schema, &[CUSTOMER_ID, "journey", "journey_id", "step"])?;
    // Steps follow time, so that windows ordered by time need no sort either.
    let by_time = ordering(&schema, &[CUSTOMER_ID, "journey", "journey_id", OCCURRED_AT, TOUCHPOINT_ID])?;
    let equivalences = EquivalenceProperties::new_with_orderings(Arc::clone(&schema), [by_step, by_time]);
    let kept = input_schema.fields().iter().enumerate().map(|(index, field)| {
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), index));
        (column, field.name().clone())
    });
    let target = |name: &str| column_index(&schema, name);
    let mapping = kept
        .map(|(column, name)| {
            let index = target(&name)?;
            let to: Arc<dyn PhysicalExpr> = Arc::new(Column::new(&name, index));
            Ok((column, vec![(to, index)].into()))
        })
        .collect::<Result<Vec<_>>>()?;
    let mapping = ProjectionMapping::from_iter(mapping);
    let partitioning = input.output_partitioning().project(&mapping, input.equivalence_properties());
    Ok(PlanProperties::new(equivalences, partitioning, EmissionType::Incremental, input.boundedness()))
}

impl DisplayAs for MatchJourneysExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let journeys: Vec<&str> =
            self.parameters.definitions.iter().map(|definition| definition.name.as_str()).collect();
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(
                f,
                "MatchJourneysExec: journeys=[{}], conditions={}, as_of={}",
                journeys.join(", "),
                self.conditions.len(),
                instant(self.parameters.as_of)
            ),
            DisplayFormatType::TreeRender => {
                writeln!(f, "journeys={}", journeys.join(", "))?;
                writeln!(f, "as_of={}", instant(self.parameters.as_of))
            }
        }
    }
}

/// An instant as people write it.
pub(crate) fn instant(microseconds: i64) -> String {
    arrow::temporal_conversions::timestamp_us_to_datetime(microseconds)
        .map_or_else(|| format!("{microseconds} µs"), |time| format!("{}Z", time.format("%Y-%m-%dT%H:%M:%S%.f")))
}

impl ExecutionPlan for MatchJourneysExec {
    fn name(&self) -> &str {
        "MatchJourneysExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(&self.conditions, f)
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let customer = self.input_column(CUSTOMER_ID, self.columns.customer);
        InputDistributionRequirements::new(vec![Distribution::KeyPartitioned(vec![customer])])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        let order = [
            (CUSTOMER_ID, self.columns.customer),
            (OCCURRED_AT, self.columns.time),
            (TOUCHPOINT_ID, self.columns.touchpoint),
        ];
        let order =
            order.map(|(name, index)| PhysicalSortExpr::new_default(self.input_column(name, index)).asc().nulls_last());
        vec![LexOrdering::new(order).map(OrderingRequirements::from)]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        // A customer's members come out by journey, not by time.
        vec![false]
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return plan_err!("MatchJourneysExec has one child");
        };
        let (conditions, parameters) = (self.conditions.clone(), Arc::clone(&self.parameters));
        Ok(Arc::new(match options.children_properties {
            ChildrenPropertiesMode::Keep => Self {
                input,
                conditions,
                parameters,
                columns: self.columns.clone(),
                properties: Arc::clone(&self.properties),
                metrics: ExecutionPlanMetricsSet::new(),
            },
            ChildrenPropertiesMode::Recompute => Self::try_new(input, conditions, parameters)?,
        }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let names = self.parameters.definitions.iter().map(|definition| definition.name.as_str());
        let names = StringArray::from_iter_values(names);
        let form = OutputForm::new(self.schema(), names, self.columns.customer, self.columns.touchpoint);
        let counters = self
            .parameters
            .definitions
            .iter()
            .map(|definition| Counters::new(&self.metrics, partition, &definition.name))
            .collect();
        let setup = Setup {
            parameters: Arc::clone(&self.parameters),
            conditions: self.conditions.clone(),
            columns: self.columns.clone(),
            input_schema: self.input.schema(),
            form,
            counters,
            baseline: BaselineMetrics::new(&self.metrics, partition),
            reservation: MemoryConsumer::new(format!("MatchJourneys[{partition}]")).register(context.memory_pool()),
            batch_size: context.session_config().batch_size(),
        };
        let input = self.input.execute(partition, context)?;
        Ok(Box::pin(MatchStream::new(input, setup)?))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
