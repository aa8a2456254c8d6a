//! One customer's members in memory, and no more than that.

use std::sync::Arc;

use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;

use super::*;
use crate::reference::Condition;
use crate::reference::match_journey;

const ROWS_IN_A_BATCH: i64 = 1_000;

fn giant(batches: i64, members_in: i64) -> Vec<RecordBatch> {
    let touchpoint = |number: i64| Touchpoint {
        id: Some(IdType::Utf8View.id(1_000_000 + number)),
        customer: Some(Id::Text("a customer with a long name".to_owned())),
        at: Some(number),
        event: Some(if number == 0 {
            "a"
        } else if number % members_in == 0 {
            "b"
        } else {
            "c"
        }),
        topic: Some("x"),
        score: None,
        order_id: None,
    };
    let rows = |first| (first..first + ROWS_IN_A_BATCH).map(touchpoint).collect::<Vec<_>>();
    (0..batches).map(|index| batch(IdType::Utf8View, &rows(index * ROWS_IN_A_BATCH))).collect()
}

fn journey() -> Journey {
    Journey {
        name: "giant".to_owned(),
        starts: Condition::EventIs("a"),
        ends: None,
        abandons: None,
        includes: Some(Condition::EventIs("b")),
        within: None,
        idle: None,
        split: false,
        by_order: false,
    }
}

fn limited(bytes: usize) -> SessionContext {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(bytes)))
        .build_arc()
        .expect("a runtime");
    let state = SessionStateBuilder::new()
        .with_config(config(512, 1))
        .with_runtime_env(runtime)
        .with_default_features()
        .with_query_planner(Arc::new(MatchQueryPlanner))
        .build();
    SessionContext::new_with_state(state)
}

fn run_giant(context: &SessionContext, batches: Vec<RecordBatch>) -> datafusion::common::Result<Vec<RecordBatch>> {
    let input = MemorySourceConfig::try_new_exec(&[batches], touchpoint_schema(IdType::Utf8View), None)?;
    let plan = random::operator(context, input, &[JourneyDefinition::from(&journey())], i64::MAX);
    Ok(block_on(collect(context, &plan))?.remove(0))
}

#[test]
fn a_customer_of_100_batches_comes_out_whole_and_in_full_batches() {
    let output = run_giant(&limited(64 << 20), giant(100, 2)).expect("ran");
    let sizes: Vec<usize> = output.iter().map(RecordBatch::num_rows).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 50_000);
    assert!(sizes[..sizes.len() - 1].iter().all(|size| *size == 512), "{sizes:?}");
    let found = rows(&output);
    assert_ordered(&found, false);
    let touchpoints: Vec<Touchpoint> = (0..100 * ROWS_IN_A_BATCH)
        .map(|number| Touchpoint {
            id: Some(IdType::Utf8View.id(1_000_000 + number)),
            customer: Some(Id::Text("a customer with a long name".to_owned())),
            at: Some(number),
            event: Some(if number == 0 {
                "a"
            } else if number % 2 == 0 {
                "b"
            } else {
                "c"
            }),
            topic: Some("x"),
            score: None,
            order_id: None,
        })
        .collect();
    assert_eq!(found, match_journey(&journey(), &touchpoints, i64::MAX).0);
}

#[test]
fn touchpoints_that_are_no_members_take_no_memory() {
    // 100 batches of about 100 kB each, of which 100 touchpoints are members.
    let output = run_giant(&limited(256 << 10), giant(100, 1_000)).expect("the members alone fit");
    assert_eq!(output.iter().map(RecordBatch::num_rows).sum::<usize>(), 100);
}

#[test]
fn a_customer_too_large_for_the_pool_is_named() {
    let error = run_giant(&limited(256 << 10), giant(100, 1)).expect_err("too large").to_string();
    assert!(error.contains("customer `a customer with a long name`"), "{error}");
    assert!(error.contains("raise the memory limit"), "{error}");
}

#[test]
fn an_order_that_is_declared_and_false_is_an_error() {
    let mut batches = giant(2, 2);
    batches.reverse();
    let one = arrow::compute::concat_batches(&batches[0].schema(), &batches).expect("one schema");
    let error = run_giant(&limited(64 << 20), vec![one]).expect_err("refused").to_string();
    assert!(error.contains("not in the order of occurred_at"), "{error}");
}

#[test]
fn an_order_that_breaks_between_batches_is_an_error_too() {
    let mut batches = giant(2, 2);
    batches.reverse();
    let error = run_giant(&limited(64 << 20), batches).expect_err("refused").to_string();
    assert!(error.contains("not in the order of occurred_at"), "{error}");
}
