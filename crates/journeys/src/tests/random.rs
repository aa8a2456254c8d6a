//! Random touchpoints and definitions: the operator against the plain reference.

use std::sync::Arc;

use arrow::compute::{SortColumn, SortOptions, concat_batches, lexsort_to_indices, take_record_batch};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::reference::{Condition, match_journey};
use crate::{Arrangement, MatchCounts, MatchJourneysExec};

#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) ids: IdType,
    pub(super) touchpoints: Vec<Touchpoint>,
    pub(super) journeys: Vec<Journey>,
    pub(super) as_of: i64,
    /// Rows of each input batch, in turn.
    pub(super) cuts: Vec<usize>,
    pub(super) batch_size: usize,
    pub(super) partitions: usize,
}

/// `PROPTEST_CASES`, or so many.
pub(super) fn cases(default: u32) -> Config {
    let named = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if named { Config::default().cases } else { default };
    Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() }
}

pub(super) fn maybe<T: Strategy>(often: f64, value: T) -> impl Strategy<Value = Option<T::Value>> {
    proptest::option::weighted(often, value)
}

fn condition() -> impl Strategy<Value = Condition> {
    let event = || proptest::sample::select(vec!["a", "b", "c", "d"]);
    prop_oneof![
        6 => event().prop_map(Condition::EventIs),
        2 => (event(), event()).prop_map(|(one, other)| Condition::EventIn(one, other)),
        1 => proptest::sample::select(vec!["x", "y"]).prop_map(Condition::TopicIsNot),
        1 => (0..3_i64).prop_map(Condition::ScoreAbove),
        1 => any::<bool>().prop_map(Condition::Constant),
    ]
}

prop_compose! {
    fn journey()(
        starts in condition(),
        ends in maybe(0.6, condition()),
        abandons in maybe(0.4, condition()),
        includes in maybe(0.5, condition()),
        within in maybe(0.6, 1..12_i64),
        idle in maybe(0.6, 1..6_i64),
        split in any::<bool>(),
        by_order in any::<bool>(),
    ) -> Journey {
        Journey { name: String::new(), starts, ends, abandons, includes, within, idle, split, by_order }
    }
}

fn touchpoints(ids: IdType, most: usize) -> impl Strategy<Value = Vec<Touchpoint>> {
    let touchpoint = (
        maybe(0.95, 0..5_i64),
        // Few distinct times: equal times and limits hit exactly are common.
        maybe(0.95, 0..24_i64),
        maybe(0.9, proptest::sample::select(vec!["a", "b", "c", "d", "e"])),
        maybe(0.7, proptest::sample::select(vec!["x", "y", "z"])),
        maybe(0.7, 0..4_i64),
        maybe(0.8, 0..3_i64),
        proptest::bool::weighted(0.03),
    );
    proptest::collection::vec(touchpoint, 0..most).prop_flat_map(move |rows| {
        let numbers: Vec<i64> = (0..rows.len() as i64).collect();
        // Ids are in no relation to time, and of different lengths.
        (Just(rows), Just(numbers).prop_shuffle()).prop_map(move |(rows, numbers)| {
            rows.into_iter()
                .zip(numbers)
                .map(|((customer, at, event, topic, score, order_id, without_id), number)| Touchpoint {
                    id: (!without_id).then(|| ids.id(number)),
                    customer: customer.map(|customer| ids.id(customer + 8)),
                    at,
                    event,
                    topic,
                    score,
                    order_id,
                })
                .collect()
        })
    })
}

pub(super) fn case() -> impl Strategy<Value = Case> {
    let ids = proptest::sample::select(vec![
        IdType::Utf8,
        IdType::LargeUtf8,
        IdType::Utf8View,
        IdType::Int64,
        IdType::Dictionary,
    ]);
    ids.prop_flat_map(|ids| {
        (
            touchpoints(ids, 80),
            proptest::collection::vec(journey(), 1..5),
            0..30_i64,
            proptest::collection::vec(1..40_usize, 1..6),
            proptest::sample::select(vec![1_usize, 2, 7, 8192]),
            1..5_usize,
        )
            .prop_map(move |(touchpoints, mut journeys, as_of, cuts, batch_size, partitions)| {
                for (index, journey) in journeys.iter_mut().enumerate() {
                    journey.name = format!("journey_{index}");
                }
                Case { ids, touchpoints, journeys, as_of, cuts, batch_size, partitions }
            })
    })
}

fn expected(case: &Case) -> (Vec<Row>, Vec<(String, MatchCounts)>) {
    let mut all = Vec::new();
    let mut counts = Vec::new();
    for journey in &case.journeys {
        let (rows, count) = match_journey(journey, &case.touchpoints, case.as_of);
        assert!(count.is_conserved());
        all.extend(rows);
        counts.push((journey.name.clone(), count));
    }
    all.sort();
    (all, counts)
}

fn assert_agrees(case: &Case, output: &[Vec<RecordBatch>], plan: &dyn ExecutionPlan) {
    let mut found = Vec::new();
    for partition in output {
        let rows = rows(partition);
        assert_ordered(&rows, matches!(case.ids, IdType::Int64));
        found.extend(rows);
        assert!(partition.iter().all(|batch| batch.num_rows() <= case.batch_size));
    }
    found.sort();
    let (rows, counts) = expected(case);
    assert_eq!(found, rows);
    let found: Vec<_> = match_counts(plan).into_iter().map(|one| (one.journey, one.counts)).collect();
    assert_eq!(found, counts);
    assert!(found.iter().all(|(_, counts)| counts.is_conserved()));
}

pub(super) fn cut(batch: &RecordBatch, cuts: &[usize]) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    let (mut from, mut cuts) = (0, cuts.iter().cycle());
    while from < batch.num_rows() {
        let rows = cuts.next().copied().unwrap_or(1).min(batch.num_rows() - from);
        batches.push(batch.slice(from, rows));
        from += rows;
    }
    batches
}

/// From the text of the conditions through DataFusion's planner, its exchange and its sort.
#[test]
fn planned_by_datafusion() {
    let mut runner = TestRunner::new(cases(1_000));
    let result = runner.run(&case(), |case| {
        let context = session(config(case.batch_size, case.partitions));
        let mut partitions = vec![Vec::new(); case.cuts.len().min(3)];
        for (index, batch) in cut(&batch(case.ids, &case.touchpoints), &case.cuts).into_iter().enumerate() {
            let partition = index % partitions.len();
            partitions[partition].push(batch);
        }
        register(&context, touchpoint_schema(case.ids), partitions);
        let definitions: Vec<JourneyDefinition> = case.journeys.iter().map(JourneyDefinition::from).collect();
        block_on(async {
            let plan = match_plan(&context, &definitions, case.as_of).await;
            let plan = context.state().create_physical_plan(&plan).await.expect("planned");
            let output = collect(&context, &plan).await.expect("ran");
            assert_agrees(&case, &output, plan.as_ref());
        });
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

/// The operator alone on ordered batches: many more cases in the same time.
#[test]
fn alone_on_ordered_batches() {
    let context = session(config(8192, 1));
    let mut runner = TestRunner::new(cases(4_000));
    let result = runner.run(&case(), |case| {
        let schema = touchpoint_schema(case.ids);
        let batches = cut(&ordered(&batch(case.ids, &case.touchpoints)), &case.cuts);
        let definitions: Vec<JourneyDefinition> = case.journeys.iter().map(JourneyDefinition::from).collect();
        let input = MemorySourceConfig::try_new_exec(&[batches], Arc::clone(&schema), None).expect("a source");
        let plan = operator(&context, input, &definitions, case.as_of);
        let config = context.state().config().clone().with_batch_size(case.batch_size);
        let task = Arc::new(TaskContext::default().with_session_config(config));
        let output =
            block_on(async { plan.execute(0, task).expect("a stream").try_collect::<Vec<_>>().await.expect("ran") });
        assert_agrees(&case, &[output], plan.as_ref());
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

pub(super) fn ordered(batch: &RecordBatch) -> RecordBatch {
    let options = Some(SortOptions { descending: false, nulls_first: false });
    let column = |name: &str| SortColumn { values: Arc::clone(batch.column_by_name(name).expect(name)), options };
    let order = ["customer_id", "occurred_at", "touchpoint_id"].map(column);
    let indices = lexsort_to_indices(&order, None).expect("sorted");
    take_record_batch(batch, &indices).expect("taken")
}

/// The operator over `input` without the planner.
pub(super) fn operator(
    context: &SessionContext,
    input: Arc<dyn ExecutionPlan>,
    definitions: &[JourneyDefinition],
    as_of: i64,
) -> Arc<dyn ExecutionPlan> {
    use datafusion::common::DFSchema;
    use datafusion::logical_expr::EmptyRelation;
    let schema = Arc::new(DFSchema::try_from(input.schema()).expect("a schema"));
    let relation = LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema: Arc::clone(&schema) });
    let state = context.state();
    let plan =
        match_journeys(relation, definitions, as_of, None, OutputRows::Members, &state).expect("the definitions fit");
    let LogicalPlan::Extension(extension) = plan else { panic!("an extension node") };
    let node = extension.node.as_any().downcast_ref::<crate::MatchJourneys>().expect("a matcher");
    let conditions = node
        .conditions
        .iter()
        .map(|condition| state.create_physical_expr(condition.clone(), &schema).expect("planned"));
    let parameters = Arc::new(node.parameters.clone());
    let exec = MatchJourneysExec::try_new(input, conditions.collect(), parameters, Arrangement::Ordered);
    Arc::new(exec.expect("the parts fit"))
}

/// Larger inputs under a memory limit that the sort can only keep by spilling. Ids are plain text: views count with
/// blocks of up to a megabyte each, too much for a limit small enough to make little data spill.
#[test]
fn with_a_sort_that_spills() {
    use datafusion::execution::memory_pool::FairSpillPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    let strategy =
        (proptest::collection::vec(touchpoints(IdType::Utf8, 80), 40..60), proptest::collection::vec(journey(), 1..4));
    let mut runner = TestRunner::new(Config { cases: cases(4).cases.min(50), max_shrink_iters: 0, ..cases(4) });
    let spills = std::cell::Cell::new(0);
    let result = runner.run(&strategy, |(parts, mut journeys)| {
        let mut touchpoints: Vec<Touchpoint> = parts.into_iter().flatten().collect();
        // The same touchpoints for many customers, each under ids of its own.
        touchpoints = (0..20)
            .flat_map(|copy| touchpoints.iter().cloned().map(move |touchpoint| (copy, touchpoint)))
            .enumerate()
            .map(|(number, (copy, touchpoint))| Touchpoint {
                id: touchpoint.id.map(|_| IdType::Utf8.id(number as i64)),
                customer: touchpoint.customer.map(|customer| Id::Text(format!("{customer}-{copy}"))),
                ..touchpoint
            })
            .collect();
        journeys.iter_mut().enumerate().for_each(|(index, journey)| journey.name = format!("journey_{index}"));
        let case = Case {
            ids: IdType::Utf8,
            touchpoints,
            journeys,
            as_of: 20,
            cuts: vec![500],
            batch_size: 256,
            partitions: 2,
        };
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(6 << 20)))
            .build_arc()
            .expect("a runtime");
        let mut config = config(case.batch_size, case.partitions);
        config.options_mut().execution.sort_spill_reservation_bytes = 256 << 10;
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_default_features()
            .with_query_planner(Arc::new(MatchQueryPlanner))
            .build();
        let context = SessionContext::new_with_state(state);
        // Batches of their own: slices would each count with all of the memory they are cut from.
        let batches = case.touchpoints.chunks(500).map(|touchpoints| batch(case.ids, touchpoints)).collect();
        register(&context, touchpoint_schema(case.ids), vec![batches]);
        let definitions: Vec<JourneyDefinition> = case.journeys.iter().map(JourneyDefinition::from).collect();
        block_on(async {
            let plan = match_plan(&context, &definitions, case.as_of).await;
            let plan = context.state().create_physical_plan(&plan).await.expect("planned");
            let output = collect(&context, &plan).await.expect("ran");
            spills.set(spills.get() + spill_count(plan.as_ref()));
            assert_agrees(&case, &output, plan.as_ref());
        });
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(spills.get() > 0, "no sort spilled, so the test shows nothing");
}

pub(super) fn spill_count(plan: &dyn ExecutionPlan) -> usize {
    let own = plan.metrics().and_then(|metrics| metrics.spill_count()).unwrap_or(0);
    own + plan.children().into_iter().map(|child| spill_count(child.as_ref())).sum::<usize>()
}

/// The same touchpoints in one batch and in batches of one row give the same rows.
#[test]
fn batches_do_not_matter() {
    let touchpoint = |number: i64| Touchpoint {
        id: Some(IdType::Utf8.id(number)),
        customer: Some(IdType::Utf8.id(number / 37)),
        at: Some(number),
        event: Some(if number % 5 == 0 { "a" } else { "b" }),
        topic: None,
        score: None,
        order_id: Some(number % 2),
    };
    let touchpoints: Vec<_> = (0..500).map(touchpoint).collect();
    let whole = ordered(&batch(IdType::Utf8, &touchpoints));
    let journeys = [JourneyDefinition {
        key: vec![located("customer_id"), located("order_id")],
        ..definition("j", "event = 'a'")
    }];
    let context = session(config(8192, 1));
    let outputs = [500, 1, 3].map(|rows| {
        let input = MemorySourceConfig::try_new_exec(&[cut(&whole, &[rows])], whole.schema(), None).expect("a source");
        let plan = operator(&context, input, &journeys, 1_000);
        let output = block_on(async { collect(&context, &plan).await.expect("ran") });
        concat_batches(&plan.schema(), &output[0]).expect("one schema")
    });
    assert!(outputs[0].num_rows() > 300);
    assert!(outputs.iter().all(|output| *output == outputs[0]));
}
