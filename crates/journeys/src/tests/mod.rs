//! The operator inside DataFusion.

mod edges;
mod instances;
mod known;
mod memory;
mod planning;
mod random;
mod refusals;
mod states;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use datafusion::catalog::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use throughline_config::{Duration, JourneyDefinition, Located, OnRestart, Place, SourceFile};

use crate::reference::{Id, Journey, Row, Touchpoint};
use crate::{DefinitionCounts, MatchQueryPlanner, OutputRows, match_counts, match_journeys};

const DAY: i64 = 86_400_000_000;

/// One runtime for all tests of the process.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let build = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    RUNTIME.get_or_init(build).block_on(future)
}

fn located(text: &str) -> Located<String> {
    let file = Arc::new(SourceFile { path: PathBuf::from("journeys/test.yaml"), text: text.to_owned() });
    Located { value: text.to_owned(), place: Place { file, span: 0..text.len() } }
}

fn definition(name: &str, starts: &str) -> JourneyDefinition {
    JourneyDefinition {
        name: located(name),
        label: name.to_owned(),
        owner: None,
        description: None,
        starts: located(starts),
        ends: None,
        abandons: None,
        includes: None,
        within: None,
        idle: None,
        on_restart: OnRestart::Absorb,
        key: vec![located("customer_id")],
        eligible: None,
        eligible_from: None,
        eligible_until: None,
        importance: None,
        rationale: None,
    }
}

impl From<&Journey> for JourneyDefinition {
    fn from(journey: &Journey) -> Self {
        let mut key = vec![located("customer_id")];
        key.extend(journey.by_order.then(|| located("order_id")));
        JourneyDefinition {
            ends: journey.ends.as_ref().map(|condition| located(&condition.sql())),
            abandons: journey.abandons.as_ref().map(|condition| located(&condition.sql())),
            includes: journey.includes.as_ref().map(|condition| located(&condition.sql())),
            within: journey.within.map(Duration),
            idle: journey.idle.map(Duration),
            on_restart: if journey.split { OnRestart::Split } else { OnRestart::Absorb },
            key,
            ..definition(&journey.name, &journey.starts.sql())
        }
    }
}

/// How ids are stored.
#[derive(Debug, Clone, Copy)]
enum IdType {
    Utf8,
    LargeUtf8,
    Utf8View,
    Int64,
    Dictionary,
}

impl IdType {
    fn data_type(self) -> DataType {
        match self {
            Self::Utf8 => DataType::Utf8,
            Self::LargeUtf8 => DataType::LargeUtf8,
            Self::Utf8View => DataType::Utf8View,
            Self::Int64 => DataType::Int64,
            Self::Dictionary => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        }
    }

    fn id(self, number: i64) -> Id {
        match self {
            Self::Int64 => Id::Number(number),
            // Long enough that a view needs a buffer.
            _ => Id::Text(format!("source-of-touchpoints-{number}")),
        }
    }
}

fn touchpoint_schema(ids: IdType) -> SchemaRef {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("event", DataType::Utf8),
        field("touchpoint_id", ids.data_type()),
        field("topic", DataType::Utf8View),
        field("customer_id", ids.data_type()),
        field("score", DataType::Int64),
        field("occurred_at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        field("order_id", DataType::Int64),
    ]))
}

fn batch(ids: IdType, touchpoints: &[Touchpoint]) -> RecordBatch {
    let id_column = |value: fn(&Touchpoint) -> &Option<Id>| -> ArrayRef {
        let values = touchpoints.iter().map(value);
        let array: ArrayRef = match ids {
            IdType::Int64 => Arc::new(Int64Array::from_iter(values.map(|id| match id {
                Some(Id::Number(number)) => Some(*number),
                _ => None,
            }))),
            _ => Arc::new(StringArray::from_iter(values.map(|id| id.as_ref().map(Id::to_string)))),
        };
        cast(&array, &ids.data_type()).expect("ids cast")
    };
    let topics = StringArray::from_iter(touchpoints.iter().map(|touchpoint| touchpoint.topic));
    let times = TimestampMicrosecondArray::from_iter(touchpoints.iter().map(|touchpoint| touchpoint.at));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter(touchpoints.iter().map(|touchpoint| touchpoint.event))),
        id_column(|touchpoint| &touchpoint.id),
        cast(&topics, &DataType::Utf8View).expect("topics cast"),
        id_column(|touchpoint| &touchpoint.customer),
        Arc::new(Int64Array::from_iter(touchpoints.iter().map(|touchpoint| touchpoint.score))),
        Arc::new(times.with_timezone("UTC")),
        Arc::new(Int64Array::from_iter(touchpoints.iter().map(|touchpoint| touchpoint.order_id))),
    ];
    RecordBatch::try_new(touchpoint_schema(ids), columns).expect("the columns fit")
}

fn session(config: SessionConfig) -> SessionContext {
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_query_planner(Arc::new(MatchQueryPlanner))
        .build();
    SessionContext::new_with_state(state)
}

fn config(batch_size: usize, partitions: usize) -> SessionConfig {
    SessionConfig::new().with_batch_size(batch_size).with_target_partitions(partitions)
}

/// Registers the touchpoints as `touchpoints`, spread over `partitions` lists of batches.
fn register(context: &SessionContext, schema: SchemaRef, partitions: Vec<Vec<RecordBatch>>) {
    let table = MemTable::try_new(schema, partitions).expect("a table");
    context.register_table("touchpoints", Arc::new(table)).expect("a free name");
}

async fn match_plan(context: &SessionContext, definitions: &[JourneyDefinition], as_of: i64) -> LogicalPlan {
    let input = context.table("touchpoints").await.expect("registered").into_unoptimized_plan();
    match_journeys(input, definitions, as_of, None, OutputRows::Members, &context.state()).expect("the definitions fit")
}

/// Runs a physical plan: the batches of each partition.
async fn collect(
    context: &SessionContext,
    plan: &Arc<dyn ExecutionPlan>,
) -> datafusion::common::Result<Vec<Vec<RecordBatch>>> {
    let streams = execute_stream_partitioned(Arc::clone(plan), context.task_ctx())?;
    futures::future::try_join_all(streams.into_iter().map(TryStreamExt::try_collect)).await
}

/// Rows of the matcher's output; checks that a partition is in the declared order.
fn rows(partition: &[RecordBatch]) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in partition {
        let column = |name: &str| Arc::clone(batch.column_by_name(name).expect(name));
        let text = |name: &str| {
            let text = cast(&column(name), &DataType::Utf8).expect("text");
            (0..text.len()).map(|row| text.as_string::<i32>().value(row).to_owned()).collect::<Vec<_>>()
        };
        let time = |name: &str| column(name).as_primitive::<TimestampMicrosecondType>().clone();
        let steps = column("step").as_primitive::<Int64Type>().clone();
        let (customers, journeys, ids) = (text("customer_id"), text("journey"), text("journey_id"));
        let (statuses, touchpoints) = (text("status"), text("touchpoint_id"));
        let (started, last, ended) = (time("started_at"), time("last_at"), time("ended_at"));
        let occurred = time("occurred_at");
        rows.extend((0..batch.num_rows()).map(|row| Row {
            customer: customers[row].clone(),
            journey: journeys[row].clone(),
            journey_id: ids[row].clone(),
            step: steps.value(row),
            started_at: started.value(row),
            last_at: last.value(row),
            ended_at: (!arrow::array::Array::is_null(&ended, row)).then(|| ended.value(row)),
            status: statuses[row].clone(),
            touchpoint: touchpoints[row].clone(),
            occurred_at: occurred.value(row),
        }));
    }
    rows
}

fn assert_ordered(rows: &[Row], numeric_customers: bool) {
    let key = |row: &Row| {
        let number = numeric_customers.then(|| row.customer.parse::<i64>().expect("a number"));
        let text = if numeric_customers { String::new() } else { row.customer.clone() };
        (number, text, row.journey.clone(), row.journey_id.clone(), row.step)
    };
    assert!(rows.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])), "the declared order does not hold: {rows:#?}");
}

/// Everything the operator says about these touchpoints, in the order of `Row`, and its counts.
fn run(definitions: &[JourneyDefinition], touchpoints: &[Touchpoint], as_of: i64) -> (Vec<Row>, Vec<DefinitionCounts>) {
    let context = session(config(8192, 1));
    register(&context, touchpoint_schema(IdType::Utf8), vec![vec![batch(IdType::Utf8, touchpoints)]]);
    block_on(async {
        let plan = match_plan(&context, definitions, as_of).await;
        let plan = context.state().create_physical_plan(&plan).await.expect("planned");
        let output = collect(&context, &plan).await.expect("ran");
        let mut found: Vec<Row> = output.iter().flat_map(|partition| rows(partition)).collect();
        found.sort();
        (found, match_counts(plan.as_ref()))
    })
}
