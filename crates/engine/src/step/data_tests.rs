//! Data tests of views and of staged tables, before anything that reads them is published.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{Expr, lit, when};
use datafusion::prelude::ident;
use futures::{StreamExt, TryStreamExt};
use throughline_config::{Model, ModelKind, Place, Severity, Timestamp};
use throughline_lake::StagedTable;
use throughline_plan::{PlannedTest, Step, planned_tests};

use super::context::StepContext;
use super::intake::all_differ;
use super::relations::Relations;
use crate::failure::EngineError;
use crate::incremental::Replacement;
use crate::instants::at;
use crate::record::step_record::{StepRecord, StepStatus, TestRecord};

/// Tests of an increment's rows that run side by side.
const TESTED_AT_ONCE: usize = 4;

/// The rows of an incremental table that a test reads: only those that no earlier run has tested, where that is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TestedRows {
    /// The rebuilt ones: of all rows written, only they can newly break a rule about single rows.
    Rebuilt,
    /// All that are written: two of them may have the same key.
    Written,
    /// The table as it will be after the commit.
    WholeTable,
}

impl TestedRows {
    /// What a test of an incremental table reads; `has_rebuilt` is whether the rebuilt rows are there by themselves.
    fn of(test: &PlannedTest, has_rebuilt: bool) -> Self {
        match (test.of_new_rows, test.keys.is_none() && has_rebuilt) {
            (true, true) => Self::Rebuilt,
            (true, false) => Self::Written,
            (false, _) => Self::WholeTable,
        }
    }
}

/// Tests a table as it will be after the commit, and leaves it registered. Whether no test of severity error fails.
pub(crate) async fn test_table(
    relations: &Relations,
    model: &Model,
    staged: &StagedTable,
    replacement: Option<&Replacement>,
    record: &mut StepRecord,
) -> Result<bool, EngineError> {
    let name = model.name.value.as_str();
    let rebuilt = replacement.and_then(|replacement| replacement.rebuilt.as_ref());
    let reads = |test: &PlannedTest| match replacement {
        Some(_) => TestedRows::of(test, rebuilt.is_some()),
        None => TestedRows::WholeTable,
    };
    let rounds = [
        (TestedRows::Rebuilt, rebuilt.map(|rebuilt| Arc::clone(&rebuilt.rows))),
        (TestedRows::Written, replacement.map(|replacement| replacement.written(staged))),
        (TestedRows::WholeTable, Some(staged.table_provider())),
    ];
    // Planning takes long: once the first round has shown which rows tests read, rounds without a test are left out.
    let mut needed: Option<Vec<TestedRows>> = None;
    for (round, rows) in rounds.into_iter().filter_map(|(round, rows)| Some((round, rows?))) {
        relations.register(name, rows)?;
        if needed.as_ref().is_some_and(|needed| !needed.contains(&round)) {
            continue;
        }
        let mut tests = planned_tests(model, &relations.prepared.plan.parameters, &relations.session).await?;
        needed.get_or_insert_with(|| tests.iter().map(reads).collect());
        tests.retain(|test| reads(test) == round);
        record.tests.extend(run_tests(relations, name, &tests).await?);
    }
    Ok(record.passes())
}

/// Tests a view before anything that reads it is published. A failed test of severity error keeps its readers from
/// running.
pub(crate) async fn test_view(context: &StepContext, step: &Step, record: &mut StepRecord) -> Result<(), EngineError> {
    let relations = &context.relations;
    let plan = &relations.prepared.plan;
    let name = step.name.as_str();
    let Some(model) = plan.pipeline.models.get(name) else { return Ok(()) };
    // Earlier rows were tested by earlier runs.
    let whole = match untested_since(context, model) {
        Some((time, since)) => {
            let rows = relations.session.table(name).await?;
            let recent = rows.clone().filter(ident(time).gt_eq(at(since)).or(ident(time).is_null()))?;
            // Tests read it more than once.
            let recent = relations.hold_in_memory(recent.clone(), &mut record.usage).await?.unwrap_or(recent);
            relations.register(name, recent.into_view())?;
            Some(rows.into_view())
        }
        None => None,
    };
    let mut tests = planned_tests(model, &plan.parameters, &relations.session).await?;
    if has_grain_by_construction(relations, model) {
        let grain = model.grain.first().map(|column| &column.place);
        tests.retain(|test| Some(&test.place) != grain);
    }
    record.tests.extend(run_tests(relations, name, &tests).await?);
    if let Some(whole) = whole {
        relations.register(name, whole)?;
    }
    if !record.passes() {
        relations.session.deregister_table(name)?;
        record.status = StepStatus::TestsFailed;
    }
    Ok(())
}

/// The view's time column, and the instant since which its rows may differ from those that earlier runs tested: the
/// earliest since which the incremental models that read it are rebuilt. `None` where all rows are tested.
fn untested_since<'a>(context: &StepContext, model: &'a Model) -> Option<(&'a str, Timestamp)> {
    let plan = &context.relations.prepared.plan;
    let time = model.time_column.as_ref()?;
    let reads = |step: &&Step| {
        context.rebuilds.get(&step.name).is_some()
            && plan.through_views([step.name.as_str()], None).contains(model.name.value.as_str())
    };
    let rebuilt = plan.steps.iter().filter(reads).map(|step| context.rebuilds.get(&step.name)?.since);
    Some((time.value.as_str(), rebuilt.collect::<Option<Vec<_>>>()?.into_iter().min()?))
}

/// The matcher's rows have the grain it gives them, and the intake of the touchpoints that it reads has compared
/// their keys: testing these would only compute the costliest relations once more.
fn has_grain_by_construction(relations: &Relations, model: &Model) -> bool {
    if let ModelKind::Match { .. } = model.kind {
        return true;
    }
    let [only] = model.grain.as_slice() else { return false };
    only.value == "touchpoint_id" && relations.is_matched(&model.name.value)
}

/// Runs tests of a relation; rules about single rows share one pass over it.
pub(crate) async fn run_tests(
    relations: &Relations,
    relation: &str,
    tests: &[PlannedTest],
) -> Result<Vec<TestRecord>, EngineError> {
    let rules: Vec<_> = tests.iter().filter_map(|test| test.broken.clone()).collect();
    let others = tests.iter().filter(|test| test.broken.is_none()).map(|test| run_test(relations, test));
    // The few rows of an increment are tested in moments, most of which tests spend in waiting.
    let at_once = if relations.windows.is_empty() { 1 } else { TESTED_AT_ONCE };
    let others = futures::stream::iter(others.collect::<Vec<_>>()).buffered(at_once).try_collect::<Vec<_>>();
    let (broken, others) = match at_once {
        1 => (broken_rows(relations, relation, rules).await?, others.await?),
        _ => futures::try_join!(broken_rows(relations, relation, rules), others)?,
    };
    let (mut broken, mut others) = (broken.into_iter(), others.into_iter());
    let record = |test: &PlannedTest| {
        let record = match test.broken {
            Some(_) => broken.next().map(|count| test_record(test, count)),
            None => others.next(),
        };
        record.ok_or_else(|| no_number(test))
    };
    tests.iter().map(record).collect()
}

async fn run_test(relations: &Relations, test: &PlannedTest) -> Result<TestRecord, EngineError> {
    let count = match &test.keys {
        Some(keys) if all_differ(keys.clone(), &relations.session).await? => 0,
        _ => offending_rows(relations, test).await?,
    };
    Ok(test_record(test, count))
}

async fn offending_rows(relations: &Relations, test: &PlannedTest) -> Result<i64, EngineError> {
    let batches = relations.session.execute_logical_plan(test.query.clone()).await?.collect().await?;
    let count = batches
        .iter()
        .find(|batch| batch.num_rows() > 0)
        .and_then(|batch| batch.column(0).as_primitive_opt::<Int64Type>().map(|numbers| numbers.value(0)));
    count.ok_or_else(|| no_number(test))
}

fn no_number(test: &PlannedTest) -> EngineError {
    EngineError::internal(format!("the test `{}` returned no number", test.name))
}

/// For each rule the rows that break it.
async fn broken_rows(relations: &Relations, relation: &str, rules: Vec<Expr>) -> Result<Vec<i64>, EngineError> {
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    let mut sums = Vec::with_capacity(rules.len());
    for (place, broken) in rules.into_iter().enumerate() {
        sums.push(sum(when(broken, lit(1_i64)).otherwise(lit(0_i64))?).alias(format!("rule_{place}")));
    }
    let counted = relations.session.table(relation).await?.aggregate(vec![], sums)?.collect().await?;
    let Some(batch) = counted.first().filter(|batch| batch.num_rows() == 1) else { return Ok(Vec::new()) };
    // The sum over no rows is null, and no row breaks a rule.
    let numbers = batch.columns().iter().map(|column| {
        column.as_primitive_opt::<Int64Type>().and_then(|numbers| numbers.iter().next().flatten()).unwrap_or(0)
    });
    Ok(numbers.collect())
}

/// The record of a test that counted so many rows.
fn test_record(test: &PlannedTest, count: i64) -> TestRecord {
    TestRecord {
        test: test.name.clone(),
        kind: Some(test.kind.to_owned()),
        column: test.column.clone(),
        severity: if test.severity == Severity::Error { "error" } else { "warning" }.to_owned(),
        passed: test.passes.contains(&count),
        count,
        place: shown_place(&test.place),
    }
}

/// File, line and column.
pub(crate) fn shown_place(place: &Place) -> String {
    let (line, column) = place.line_and_column();
    format!("{}:{line}:{column}", place.file.path.display())
}
