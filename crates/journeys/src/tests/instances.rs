//! Instances with their measures, shuffled by the operator itself, against the plain reference.

use arrow::array::{Array, BooleanArray, Float64Array, StringViewArray};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::displayable;
use proptest::test_runner::TestRunner;

use super::random::{Case, case, cases, spill_count};
use super::*;
use crate::reference::{InstanceRow, measure_journey};
use crate::{OutputRows, Score};

const SATISFIED: f64 = 0.75;

/// The touchpoints with what measures are made of, in a mixture of types.
pub(super) fn measured_batch(ids: IdType, touchpoints: &[Touchpoint]) -> RecordBatch {
    let plain = batch(ids, touchpoints);
    let details = || touchpoints.iter().map(Touchpoint::details);
    let added: Vec<(&str, ArrayRef)> = vec![
        ("channel", Arc::new(StringViewArray::from_iter(details().map(|one| one.channel)))),
        ("function", Arc::new(StringArray::from_iter(details().map(|one| one.function)))),
        ("resolved", Arc::new(BooleanArray::from_iter(details().map(|one| one.resolved)))),
        ("satisfaction", Arc::new(Float64Array::from_iter(details().map(|one| one.satisfaction)))),
        ("cost", Arc::new(Int64Array::from_iter(details().map(|one| one.cost)))),
    ];
    let mut fields: Vec<_> = plain.schema().fields().iter().cloned().collect();
    fields.extend(added.iter().map(|(name, array)| Arc::new(Field::new(*name, array.data_type().clone(), true))));
    let columns = plain.columns().iter().cloned().chain(added.into_iter().map(|(_, array)| array)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("the columns fit")
}

/// Rows of an output of instances.
fn instance_rows(output: &[RecordBatch], by_order: bool) -> Vec<InstanceRow> {
    let mut rows = Vec::new();
    for batch in output {
        let column = |name: &str| Arc::clone(batch.column_by_name(name).expect(name));
        let text = |name: &str| cast(&column(name), &DataType::Utf8).expect("text").as_string::<i32>().clone();
        let time = |name: &str| column(name).as_primitive::<TimestampMicrosecondType>().clone();
        let count = |name: &str| column(name).as_primitive::<Int64Type>().clone();
        let number = |name: &str| column(name).as_primitive::<arrow::datatypes::Float64Type>().clone();
        let flag = |name: &str| column(name).as_boolean().clone();
        let value = |array: StringArray, row: usize| array.is_valid(row).then(|| array.value(row).to_owned());
        let amount = |array: Float64Array, row: usize| array.is_valid(row).then(|| array.value(row));
        rows.extend((0..batch.num_rows()).map(|row| {
            InstanceRow {
                journey_id: text("journey_id").value(row).to_owned(),
                journey: text("journey").value(row).to_owned(),
                customer: text("customer_id").value(row).to_owned(),
                order_id: by_order.then(|| count("order_id")).and_then(|key| key.is_valid(row).then(|| key.value(row))),
                times: (
                    time("started_at").value(row),
                    time("last_at").value(row),
                    time("ended_at").is_valid(row).then(|| time("ended_at").value(row)),
                ),
                status: text("status").value(row).to_owned(),
                duration_s: number("duration_s").value(row),
                counts: [
                    "touchpoints",
                    "channels",
                    "channel_switches",
                    "functions",
                    "handoffs",
                    "contacts",
                    "repeat_contacts",
                    "unresolved",
                    "touchpoint_responses",
                ]
                .map(|name| count(name).value(row)),
                is_multichannel: flag("is_multichannel").value(row),
                first_channel: value(text("first_channel"), row),
                last_channel: value(text("last_channel"), row),
                cost: amount(number("cost"), row),
                satisfaction: amount(number("touchpoint_satisfaction"), row),
                worst: amount(number("worst_touchpoint_satisfaction"), row),
                all_satisfied: flag("all_satisfied").is_valid(row).then(|| flag("all_satisfied").value(row)),
            }
        }));
    }
    rows.sort_by(|left, right| left.partial_cmp(right).expect("no score is NaN"));
    rows
}

fn context(case: &Case, memory: Option<usize>) -> SessionContext {
    let mut runtime = RuntimeEnvBuilder::new();
    if let Some(bytes) = memory {
        runtime = runtime.with_memory_pool(Arc::new(GreedyMemoryPool::new(bytes)));
    }
    let state = SessionStateBuilder::new()
        .with_config(config(case.batch_size, case.partitions))
        .with_runtime_env(runtime.build_arc().expect("a runtime"))
        .with_default_features()
        .with_query_planner(Arc::new(MatchQueryPlanner))
        .build();
    SessionContext::new_with_state(state)
}

async fn instances_plan(context: &SessionContext, case: &Case) -> Arc<dyn ExecutionPlan> {
    let input = context.table("touchpoints").await.expect("registered").into_unoptimized_plan();
    let definitions: Vec<JourneyDefinition> = case.journeys.iter().map(JourneyDefinition::from).collect();
    let rows = OutputRows::Instances { satisfied: Score(SATISFIED) };
    let plan = match_journeys(input, &definitions, case.as_of, None, rows, &context.state()).expect("they fit");
    context.state().create_physical_plan(&plan).await.expect("planned")
}

fn assert_measured(case: &Case, output: &[RecordBatch], plan: &dyn ExecutionPlan) {
    let by_order = case.journeys.iter().any(|journey| journey.by_order);
    let mut expected: Vec<InstanceRow> = case
        .journeys
        .iter()
        .flat_map(|journey| measure_journey(journey, &case.touchpoints, case.as_of, SATISFIED))
        .collect();
    expected.sort_by(|left, right| left.partial_cmp(right).expect("no score is NaN"));
    assert_eq!(instance_rows(output, by_order), expected);
    for (counts, journey) in match_counts(plan).iter().zip(&case.journeys) {
        let (_, expected) = crate::reference::match_journey(journey, &case.touchpoints, case.as_of);
        assert_eq!(counts.counts, expected, "{}", journey.name);
    }
}

fn register_case(context: &SessionContext, case: &Case) {
    let whole = measured_batch(case.ids, &case.touchpoints);
    let mut partitions = vec![Vec::new(); case.cuts.len().min(3)];
    let number = partitions.len();
    for (index, batch) in super::random::cut(&whole, &case.cuts).into_iter().enumerate() {
        partitions[index % number].push(batch);
    }
    register(context, whole.schema(), partitions);
}

#[test]
fn shuffled_by_the_operator() {
    let mut runner = TestRunner::new(cases(1_000));
    let result = runner.run(&case(), |case| {
        let context = context(&case, None);
        register_case(&context, &case);
        block_on(async {
            let plan = instances_plan(&context, &case).await;
            let output = collect(&context, &plan).await.expect("ran").concat();
            assert_measured(&case, &output, plan.as_ref());
        });
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Many customers in little memory: blocks are spilled and come back bucket by bucket.
#[test]
fn shuffled_through_spill_files() {
    let strategy = (case(), 30..60_i64);
    let mut runner = TestRunner::new(cases(20));
    let spills = std::cell::Cell::new(0);
    let result = runner.run(&strategy, |(mut case, copies)| {
        let touchpoints = std::mem::take(&mut case.touchpoints);
        let copy = |number: i64, id: &Id, each: i64| match id {
            Id::Number(id) => Id::Number(id + number * each),
            Id::Text(id) => Id::Text(format!("{id}/{number}")),
        };
        case.touchpoints = (0..copies)
            .flat_map(|number| touchpoints.iter().map(move |touchpoint| (number, touchpoint)))
            .map(|(number, touchpoint)| Touchpoint {
                id: touchpoint.id.as_ref().map(|id| copy(number, id, 1_000)),
                customer: touchpoint.customer.as_ref().map(|id| copy(number, id, 1_000)),
                ..touchpoint.clone()
            })
            .collect();
        case.batch_size = 16;
        // What is read at a time must fit, all blocks together must not.
        let context = context(&case, Some(100 << 10));
        register_case(&context, &case);
        block_on(async {
            let plan = instances_plan(&context, &case).await;
            let output = collect(&context, &plan).await.expect("ran").concat();
            spills.set(spills.get() + spill_count(plan.as_ref()));
            assert_measured(&case, &output, plan.as_ref());
        });
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(spills.get() > 0, "nothing was spilled, so the test shows nothing");
}

#[test]
fn an_ordered_input_is_neither_shuffled_nor_sorted() {
    use datafusion::logical_expr::SortExpr;
    use datafusion::prelude::col;
    let mut runner = TestRunner::new(cases(200));
    let result = runner.run(&case(), |case| {
        // A memory table that is spread over partitions forgets its order.
        let case = Case { partitions: 1, ..case };
        let context = context(&case, None);
        let whole = super::random::ordered(&measured_batch(case.ids, &case.touchpoints));
        let batches = super::random::cut(&whole, &case.cuts);
        let order = ["customer_id", "occurred_at", "touchpoint_id"].map(|name| SortExpr::new(col(name), true, false));
        let table = MemTable::try_new(whole.schema(), vec![batches]).expect("a table");
        let table = table.with_sort_order(vec![order.to_vec()]);
        context.register_table("touchpoints", Arc::new(table)).expect("a free name");
        block_on(async {
            let plan = instances_plan(&context, &case).await;
            let shown = displayable(plan.as_ref()).indent(false).to_string();
            assert!(shown.contains("input=ordered") && !shown.contains("SortExec"), "{shown}");
            let output = collect(&context, &plan).await.expect("ran").concat();
            assert_measured(&case, &output, plan.as_ref());
        });
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
