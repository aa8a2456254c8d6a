//! Rows a second through the matcher by number of definitions: members from touchpoints in order, and measured
//! instances from the same touchpoints in the order in which they arrive.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::take_record_batch;
use datafusion::catalog::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::SortExpr;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{SessionConfig, SessionContext, col};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use futures::TryStreamExt;
use throughline_config::{Duration, JourneyDefinition, Located, OnRestart, Place, SourceFile};
use throughline_journeys::{MatchQueryPlanner, OutputRows, Score, match_journeys};

const CUSTOMERS: usize = 20_000;
const TOUCHPOINTS_EACH: usize = 50;
const DAY: i64 = 86_400_000_000;
const EVENTS: [&str; 16] = [
    "order_placed",
    "order_cancelled",
    "first_bill_paid",
    "technician_visit",
    "call",
    "chat",
    "mail_sent",
    "login",
    "payment",
    "reminder",
    "complaint",
    "complaint_solved",
    "move_requested",
    "move_done",
    "offer_seen",
    "tariff_changed",
];

fn main() {
    divan::main();
}

/// In the order of customers and their time.
fn touchpoints() -> RecordBatch {
    let mut state = 7_u64;
    let mut random = move |below: usize| {
        // A linear congruential generator (Knuth, MMIX) is enough to mix events.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let rows = CUSTOMERS * TOUCHPOINTS_EACH;
    let events: Vec<&str> = (0..rows).map(|_| EVENTS[random(EVENTS.len())]).collect();
    let text = |value: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values((0..rows).map(value)))
    };
    let columns = [
        ("customer_id", text(&|row| format!("C{:07}", row / TOUCHPOINTS_EACH))),
        ("touchpoint_id", text(&|row| format!("call-{row:09}"))),
        (
            "occurred_at",
            Arc::new(
                TimestampMicrosecondArray::from_iter_values(
                    (0..rows).map(|row| (row % TOUCHPOINTS_EACH) as i64 * 6 * DAY),
                )
                .with_timezone("UTC"),
            ) as ArrayRef,
        ),
        ("event", Arc::new(StringViewArray::from_iter_values(events)) as ArrayRef),
        ("channel", text(&|row| ["phone", "web", "mail"][row % 3].to_owned())),
        ("function", text(&|row| ["sales", "billing", "technical"][row / 2 % 3].to_owned())),
        ("topic", text(&|row| ["order", "bill", "fault", "move"][row / 5 % 4].to_owned())),
        ("resolved", Arc::new(BooleanArray::from_iter((0..rows).map(|row| Some(row % 7 > 0)))) as ArrayRef),
        ("cost", Arc::new(Float64Array::from_iter_values((0..rows).map(|row| (row % 90) as f64))) as ArrayRef),
        (
            "satisfaction",
            Arc::new(Float64Array::from_iter_values((0..rows).map(|row| (row % 5) as f64 / 4.0))) as ArrayRef,
        ),
    ];
    RecordBatch::try_from_iter(columns).expect("the columns fit")
}

/// One customer's touchpoint after the other's, as they happen.
fn as_they_arrive(touchpoints: &RecordBatch) -> RecordBatch {
    let rows = (0..TOUCHPOINTS_EACH as u32)
        .flat_map(|step| (0..CUSTOMERS as u32).map(move |customer| customer * TOUCHPOINTS_EACH as u32 + step));
    take_record_batch(touchpoints, &UInt32Array::from_iter_values(rows)).expect("the rows are there")
}

fn batches(whole: &RecordBatch) -> Vec<RecordBatch> {
    let rows = whole.num_rows();
    (0..rows).step_by(8192).map(|from| whole.slice(from, (rows - from).min(8192))).collect()
}

fn located(text: String) -> Located<String> {
    let file = Arc::new(SourceFile { path: PathBuf::from("bench.yaml"), text: text.clone() });
    let span = 0..text.len();
    Located { value: text, place: Place { file, span } }
}

fn journey(number: usize) -> JourneyDefinition {
    let event = |offset: usize| EVENTS[(number + offset) % EVENTS.len()];
    let is = |offset| Some(located(format!("event = '{}'", event(offset))));
    JourneyDefinition {
        name: located(format!("journey_{number:02}")),
        label: String::new(),
        owner: None,
        description: None,
        starts: located(format!("event = '{}'", event(0))),
        ends: is(2),
        abandons: is(5),
        includes: Some(located(format!("event IN ('{}', '{}', '{}')", event(7), event(8), event(11)))),
        within: Some(Duration(120 * DAY)),
        idle: Some(Duration(30 * DAY)),
        on_restart: if number.is_multiple_of(2) { OnRestart::Absorb } else { OnRestart::Split },
        key: vec![located("customer_id".to_owned())],
        eligible: None,
        eligible_from: None,
        eligible_until: None,
        importance: None,
        rationale: None,
    }
}

#[divan::bench(args = [1, 8, 32], sample_count = 5, sample_size = 1)]
fn members(bencher: Bencher<'_, '_>, definitions: usize) {
    let order = ["customer_id", "occurred_at", "touchpoint_id"].map(|name| SortExpr::new(col(name), true, false));
    let batches = batches(&touchpoints());
    let table = MemTable::try_new(batches[0].schema(), vec![batches]).expect("a table");
    matched(bencher, table.with_sort_order(vec![order.to_vec()]), definitions, OutputRows::Members);
}

#[divan::bench(args = [1, 8, 32], sample_count = 5, sample_size = 1)]
fn instances(bencher: Bencher<'_, '_>, definitions: usize) {
    let batches = batches(&as_they_arrive(&touchpoints()));
    let table = MemTable::try_new(batches[0].schema(), vec![batches]).expect("a table");
    matched(bencher, table, definitions, OutputRows::Instances { satisfied: Score(0.75) });
}

fn matched(bencher: Bencher<'_, '_>, table: MemTable, definitions: usize, output: OutputRows) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let state = SessionStateBuilder::new()
        .with_config(SessionConfig::new().with_target_partitions(1))
        .with_default_features()
        .with_query_planner(Arc::new(MatchQueryPlanner))
        .build();
    let context = SessionContext::new_with_state(state);
    context.register_table("touchpoints", Arc::new(table)).expect("a free name");
    let journeys: Vec<JourneyDefinition> = (0..definitions).map(journey).collect();
    let plan = || -> Arc<dyn ExecutionPlan> {
        runtime.block_on(async {
            let input = context.table("touchpoints").await.expect("registered").into_unoptimized_plan();
            let plan = match_journeys(input, &journeys, 1_000 * DAY, None, output, &context.state()).expect("they fit");
            context.state().create_physical_plan(&plan).await.expect("planned")
        })
    };
    bencher.counter(ItemsCount::new(CUSTOMERS * TOUCHPOINTS_EACH)).with_inputs(plan).bench_values(|plan| {
        let rows = runtime.block_on(async {
            let stream = execute_stream(plan, context.task_ctx()).expect("a stream");
            stream.try_fold(0, |rows, batch| async move { Ok(rows + batch.num_rows()) }).await.expect("ran")
        });
        black_box(rows)
    });
}
