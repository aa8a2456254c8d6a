//! The physical operator.

use std::fmt;
use std::sync::Arc;

use arrow::array::StringArray;
use arrow::datatypes::Schema;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, plan_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::equivalence::ProjectionMapping;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, OrderingRequirements, Partitioning, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{EmissionType, apply_expression_roots};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, SpillMetrics};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, PlanProperties, ReplaceChildrenOptions,
};
use futures::{FutureExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use crate::classes::{ClassCoder, Classes, SharedClasses, TraitColumns};
use crate::counters::Counters;
use crate::customers::KeySet;
use crate::grouped::OutputForm;
use crate::instances::InstanceOutput;
use crate::matcher::Matcher;
use crate::measures::Measuring;
use crate::ordered::{AmountColumns, Held, OrderedCustomers};
use crate::parameters::{
    CHANNEL, COST, CUSTOMER_ID, FUNCTION, MatchParameters, OCCURRED_AT, OutputRows, RESOLVED, SATISFACTION, TOPIC,
    TOUCHPOINT_ID, column_index, further_keys, output_fields,
};
use crate::prepare::{InputColumns, Preparation};
use crate::shuffle::{BlockColumns, BlockValues, BucketCustomers, Collecting, Collection};
use crate::states::StateOutput;
use crate::stream::{Matching, Output, Source};

/// How touchpoints come to stand by customer and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arrangement {
    /// They arrive partitioned by customer and ordered by `(customer_id, occurred_at, touchpoint_id)`, known members by
    /// `(customer_id, known_at, occurred_at, touchpoint_id)`; DataFusion plans an exchange and a sort where the input has
    /// neither.
    Ordered,
    /// They arrive in any order; the operator spreads them over buckets by customer and orders those.
    Shuffled {
        /// Partitions of the output, each with its share of the buckets.
        partitions: usize,
    },
}

/// Matches every definition in one pass over the touchpoints of each customer.
///
/// Output: one row for each member of each instance, for each instance with its measures, or for each stretch of days in
/// one state of exposure. From an ordered input it comes ordered within a partition by `(customer_id, journey,
/// journey_id, step)`.
#[derive(Debug)]
pub struct MatchJourneysExec {
    input: Arc<dyn ExecutionPlan>,
    conditions: Vec<Arc<dyn PhysicalExpr>>,
    parameters: Arc<MatchParameters>,
    arrangement: Arrangement,
    columns: Columns,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    collection: Arc<Collection>,
}

/// Where the columns that are read stand in the input.
#[derive(Debug, Clone)]
struct Columns {
    input: InputColumns,
    /// In which order the input is read.
    order: Vec<Column>,
    traits: Option<TraitColumns>,
    amounts: Option<AmountColumns>,
    /// The distinct further key columns, for the output of instances.
    keys: Vec<usize>,
}

/// The arrangement of the first matcher in a plan.
pub fn arrangement(plan: &dyn ExecutionPlan) -> Option<Arrangement> {
    match plan.downcast_ref::<MatchJourneysExec>() {
        Some(matcher) => Some(matcher.arrangement),
        None => plan.children().into_iter().find_map(|child| arrangement(child.as_ref())),
    }
}

impl MatchJourneysExec {
    /// An operator over `input`; `conditions` are boolean expressions over its columns, to which `parameters` refers
    /// by index.
    ///
    /// # Errors
    /// The parameters do not fit the conditions or the input's schema; members cannot be shuffled.
    pub fn try_new(
        input: Arc<dyn ExecutionPlan>,
        conditions: Vec<Arc<dyn PhysicalExpr>>,
        parameters: Arc<MatchParameters>,
        arrangement: Arrangement,
    ) -> Result<Self> {
        parameters.validate(conditions.len())?;
        let schema = input.schema();
        for condition in &conditions {
            if condition.data_type(&schema)? != arrow::datatypes::DataType::Boolean {
                return plan_err!("the journey condition {condition} is not boolean");
            }
        }
        match (arrangement, parameters.rows) {
            (Arrangement::Shuffled { .. }, OutputRows::Members | OutputRows::KnownMembers) => {
                return plan_err!("members are matched in the order of their customers");
            }
            (Arrangement::Ordered, OutputRows::States { .. }) => {
                return plan_err!("states are made of touchpoints that the operator orders itself");
            }
            _ => {}
        }
        let columns = Columns::new(&schema, &parameters)?;
        let properties = Arc::new(plan_properties(&input, &parameters, arrangement)?);
        Ok(Self {
            input,
            conditions,
            parameters,
            arrangement,
            columns,
            properties,
            metrics: ExecutionPlanMetricsSet::new(),
            collection: Arc::default(),
        })
    }

    /// The arrangement that suits an input. One that stands by customer as it is keeps its order; members are many and
    /// wide, and what follows them streams in their order, so DataFusion sorts for them.
    pub(crate) fn arrangement_for(
        input: &Arc<dyn ExecutionPlan>,
        rows: OutputRows,
        partitions: usize,
    ) -> Result<Arrangement> {
        Ok(match rows {
            OutputRows::Instances { .. } if stands_by_customer(input)? => Arrangement::Ordered,
            OutputRows::Instances { .. } | OutputRows::States { .. } => {
                Arrangement::Shuffled { partitions: partitions.max(1) }
            }
            OutputRows::Members | OutputRows::KnownMembers => Arrangement::Ordered,
        })
    }

    /// Definitions and `as_of`.
    pub fn parameters(&self) -> &MatchParameters {
        &self.parameters
    }

    /// The distinct conditions, to which the parameters refer.
    pub fn conditions(&self) -> &[Arc<dyn PhysicalExpr>] {
        &self.conditions
    }

    /// How touchpoints come to stand by customer and time.
    pub fn arrangement(&self) -> Arrangement {
        self.arrangement
    }

    /// The relation of touchpoints.
    pub fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.input
    }

    fn preparation(&self, shared: &Arc<SharedClasses>, partition: usize) -> Preparation {
        Preparation {
            columns: self.columns.input.clone(),
            coder: ClassCoder::new(
                Arc::clone(shared),
                Arc::clone(&self.parameters),
                self.conditions.clone(),
                self.columns.traits,
                &self.input.schema(),
            ),
            counters: self.counters(partition),
            as_of: self.parameters.as_of,
        }
    }

    fn counters(&self, partition: usize) -> Vec<Counters> {
        let definitions = self.parameters.definitions.iter();
        definitions.map(|definition| Counters::new(&self.metrics, partition, &definition.name)).collect()
    }

    /// Complete customers of an input that is ordered.
    fn ordered(&self, partition: usize, context: &Arc<TaskContext>, shared: &Arc<SharedClasses>) -> Result<Source> {
        let consumer = MemoryConsumer::new(format!("MatchJourneys[{partition}] customers"));
        Ok(Source::Ordered(Box::new(OrderedCustomers {
            input: self.input.execute(partition, Arc::clone(context))?,
            schema: self.input.schema(),
            preparation: self.preparation(shared, partition),
            amounts: self.columns.amounts,
            batch_size: context.session_config().batch_size(),
            baseline: BaselineMetrics::new(&self.metrics, partition),
            reservation: consumer.register(context.memory_pool()),
            is_limited: matches!(context.memory_pool().memory_limit(), MemoryLimit::Finite(_)),
            held: Held::default(),
        })))
    }

    /// A share of the buckets; the first partition that asks begins to fill them.
    fn buckets(
        &self,
        partition: usize,
        partitions: usize,
        context: &Arc<TaskContext>,
    ) -> Result<(Source, Arc<SharedClasses>)> {
        let values = match (self.columns.amounts, self.parameters.rows) {
            (Some(amounts), _) => BlockValues::Amounts(amounts),
            (None, OutputRows::States { .. }) => BlockValues::Occurred(self.columns.input.occurred),
            (None, _) => return plan_err!("members are not shuffled"),
        };
        let (collected, shared) = self.collection.join(partitions, || {
            let shared = Arc::new(SharedClasses::new(self.parameters.definitions.len()));
            let inputs = self.input.output_partitioning().partition_count();
            let columns = BlockColumns { input: self.columns.input.clone(), values, keys: self.columns.keys.clone() };
            let preparations = (0..partitions.min(inputs)).map(|task| {
                let preparation = self.preparation(&shared, task);
                let baseline = BaselineMetrics::new(&self.metrics, task);
                (preparation, baseline, SpillMetrics::new(&self.metrics, task))
            });
            let preparations = preparations.collect();
            let collecting =
                Collecting { input: Arc::clone(&self.input), context: Arc::clone(context), columns, preparations };
            Ok((collecting.run().boxed(), shared))
        })?;
        Ok((Source::Buckets(BucketCustomers::share(collected, partition, partitions)), shared))
    }

    fn matcher(&self) -> Result<Matcher> {
        let schema = self.input.schema();
        let InputColumns { key_sets, set_of, .. } = &self.columns.input;
        let set = |columns: &Vec<usize>| match self.arrangement {
            Arrangement::Ordered => KeySet::new(columns.clone(), &schema),
            // Buckets hold the key columns alone.
            Arrangement::Shuffled { .. } => {
                let place = |column: &usize| self.columns.keys.iter().position(|key| key == column);
                let keys = schema.project(&self.columns.keys)?;
                KeySet::new(columns.iter().filter_map(place).collect(), &keys)
            }
        };
        let sets = key_sets.iter().map(set).collect::<Result<_>>()?;
        Ok(Matcher::new(&self.parameters.definitions, self.parameters.as_of, sets, set_of))
    }

    /// What becomes of the instances that are found.
    fn output(&self, shared: &SharedClasses) -> Output {
        let satisfied = match self.parameters.rows {
            OutputRows::Members | OutputRows::KnownMembers => return Output::Members,
            OutputRows::States { horizon, .. } => {
                return Output::States(StateOutput::new(&self.parameters.definitions, horizon));
            }
            OutputRows::Instances { satisfied } => satisfied,
        };
        let keys = further_keys(&self.parameters).into_iter().zip(&self.columns.keys).enumerate();
        let keys = keys.map(|(place, (name, &column))| {
            let definitions = self.parameters.definitions.iter();
            let of = definitions.map(|definition| definition.further_key.iter().any(|key| key == name));
            let column = if self.arrangement == Arrangement::Ordered { column } else { place };
            (column, of.collect())
        });
        Output::Instances(InstanceOutput {
            measuring: Measuring::new(satisfied.0),
            channels: Arc::clone(&shared.channels),
            keys: keys.collect(),
        })
    }
}

impl Columns {
    fn new(schema: &Schema, parameters: &MatchParameters) -> Result<Self> {
        let column = |name: &str| column_index(schema, name);
        let mut key_sets: Vec<Vec<usize>> = Vec::new();
        let mut set_of = Vec::with_capacity(parameters.definitions.len());
        for definition in &parameters.definitions {
            let mut set = definition.further_key.iter().map(|name| column(name)).collect::<Result<Vec<usize>>>()?;
            set.sort_unstable();
            set.dedup();
            set_of.push((!set.is_empty()).then(|| {
                key_sets.iter().position(|known| *known == set).unwrap_or_else(|| {
                    key_sets.push(set);
                    key_sets.len() - 1
                })
            }));
        }
        let input = InputColumns {
            customer: column(CUSTOMER_ID)?,
            touchpoint: column(TOUCHPOINT_ID)?,
            time: column(parameters.rows.time())?,
            occurred: column(OCCURRED_AT)?,
            key_sets,
            set_of,
        };
        let order = [CUSTOMER_ID].iter().chain(parameters.rows.order());
        let order = order.map(|name| Ok(Column::new(name, column(name)?))).collect::<Result<_>>()?;
        if parameters.rows.are_members() {
            return Ok(Self { input, order, traits: None, amounts: None, keys: Vec::new() });
        }
        let are_instances = matches!(parameters.rows, OutputRows::Instances { .. });
        let function = if are_instances { Some(column(FUNCTION)?) } else { None };
        let traits =
            TraitColumns { channel: column(CHANNEL)?, function, topic: column(TOPIC)?, resolved: column(RESOLVED)? };
        let amounts = match are_instances {
            true => Some(AmountColumns { satisfaction: column(SATISFACTION)?, cost: column(COST)? }),
            false => None,
        };
        let keys = further_keys(parameters).into_iter().map(column).collect::<Result<_>>()?;
        Ok(Self { input, order, traits: Some(traits), amounts, keys })
    }
}

/// Whether an input needs neither an exchange nor a sort to be matched.
fn stands_by_customer(input: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let order = ordering(&input.schema(), &[CUSTOMER_ID, OCCURRED_AT, TOUCHPOINT_ID])?;
    let is_together = input.output_partitioning().partition_count() == 1;
    Ok(is_together && input.equivalence_properties().ordering_satisfy(order)?)
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

/// Order and partitioning of the output. From an ordered input, that of customers is the input's, and everything
/// within a customer is new; from buckets there is none to rely on.
fn plan_properties(
    input: &Arc<dyn ExecutionPlan>,
    parameters: &MatchParameters,
    arrangement: Arrangement,
) -> Result<PlanProperties> {
    let input_schema = input.schema();
    let fields = output_fields(input_schema.fields(), parameters)?;
    let schema = Arc::new(Schema::new_with_metadata(fields, input_schema.metadata().clone()));
    if let Arrangement::Shuffled { partitions } = arrangement {
        let equivalences = EquivalenceProperties::new(schema);
        let partitioning = Partitioning::UnknownPartitioning(partitions);
        return Ok(PlanProperties::new(equivalences, partitioning, EmissionType::Final, input.boundedness()));
    }
    let equivalences = match parameters.rows {
        OutputRows::Members | OutputRows::KnownMembers => {
            let by_step = ordering(&schema, &[CUSTOMER_ID, "journey", "journey_id", "step"])?;
            // Steps follow time, so that windows ordered by time need no sort either.
            let of_instance = [CUSTOMER_ID, "journey", "journey_id"];
            let by_time: Vec<&str> = of_instance.iter().chain(parameters.rows.order()).copied().collect();
            let by_time = ordering(&schema, &by_time)?;
            EquivalenceProperties::new_with_orderings(Arc::clone(&schema), [by_step, by_time])
        }
        OutputRows::Instances { .. } | OutputRows::States { .. } => {
            let by_id = ordering(&schema, &[CUSTOMER_ID, "journey", "journey_id"])?;
            EquivalenceProperties::new_with_orderings(Arc::clone(&schema), [by_id])
        }
    };
    // Of the input's columns, those that are in the output as they were.
    let kept = match parameters.rows {
        OutputRows::Members | OutputRows::KnownMembers => {
            input_schema.fields().iter().map(|field| field.name().as_str()).collect()
        }
        OutputRows::Instances { .. } | OutputRows::States { .. } => vec![CUSTOMER_ID],
    };
    let mapping = kept
        .into_iter()
        .map(|name| {
            let from: Arc<dyn PhysicalExpr> = Arc::new(Column::new(name, column_index(&input_schema, name)?));
            let index = column_index(&schema, name)?;
            let to: Arc<dyn PhysicalExpr> = Arc::new(Column::new(name, index));
            Ok((from, vec![(to, index)].into()))
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
        let arranged = match self.arrangement {
            Arrangement::Ordered => "ordered",
            Arrangement::Shuffled { .. } => "shuffled",
        };
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(
                f,
                "MatchJourneysExec: input={arranged}, journeys=[{}], conditions={}, as_of={}",
                journeys.join(", "),
                self.conditions.len(),
                instant(self.parameters.as_of)
            ),
            DisplayFormatType::TreeRender => {
                writeln!(f, "input={arranged}")?;
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
        InputDistributionRequirements::new(vec![match self.arrangement {
            // An exchange would cost the order that saves the shuffle.
            Arrangement::Ordered if self.columns.amounts.is_some() => Distribution::SinglePartition,
            Arrangement::Ordered => {
                let customer: Arc<dyn PhysicalExpr> = Arc::new(Column::new(CUSTOMER_ID, self.columns.input.customer));
                Distribution::KeyPartitioned(vec![customer])
            }
            Arrangement::Shuffled { .. } => Distribution::UnspecifiedDistribution,
        }])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        if let Arrangement::Shuffled { .. } = self.arrangement {
            return vec![None];
        }
        let order = self.columns.order.iter();
        let order = order.map(|column| PhysicalSortExpr::new_default(Arc::new(column.clone())).asc().nulls_last());
        vec![LexOrdering::new(order).map(OrderingRequirements::from)]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        let is_kept = self.arrangement == Arrangement::Ordered && self.columns.amounts.is_some();
        vec![!is_kept]
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
                arrangement: self.arrangement,
                columns: self.columns.clone(),
                properties: Arc::clone(&self.properties),
                metrics: ExecutionPlanMetricsSet::new(),
                collection: Arc::default(),
            },
            ChildrenPropertiesMode::Recompute => Self::try_new(input, conditions, parameters, self.arrangement)?,
        }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let definitions = self.parameters.definitions.len();
        let (source, shared) = match self.arrangement {
            Arrangement::Ordered => {
                let shared = Arc::new(SharedClasses::new(definitions));
                (self.ordered(partition, &context, &shared)?, shared)
            }
            Arrangement::Shuffled { partitions } => self.buckets(partition, partitions, &context)?,
        };
        let names = self.parameters.definitions.iter().map(|definition| definition.name.as_str());
        let consumer = MemoryConsumer::new(format!("MatchJourneys[{partition}] instances"));
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let matching = Matching {
            source,
            matcher: self.matcher()?,
            classes: Classes::new(definitions),
            output: self.output(&shared),
            shared,
            form: OutputForm::new(self.schema(), StringArray::from_iter_values(names)),
            counters: self.counters(partition),
            baseline: baseline.clone(),
            reservation: consumer.register(context.memory_pool()),
            batch_size: context.session_config().batch_size(),
            current: None,
        };
        let batches = futures::stream::try_unfold(matching, |mut matching| async move {
            Ok(matching.next().await?.map(|batch| (batch, matching)))
        });
        let batches = batches.inspect_ok(move |batch| {
            baseline.record_output(batch.num_rows());
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
