//! Data tests: of views and staged tables while a run makes them, and of all that is published.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{lit, when};
use datafusion::prelude::ident;
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use throughline_config::{Model, ModelKind, Timestamp};
use throughline_lake::StagedTable;
use throughline_plan::{PlannedTest, Selection, Step, planned_tests, read_by_tests};

use crate::expressions::at;
use crate::failure::EngineError;
use crate::incremental::Replacement;
use crate::prepare::Prepared;
use crate::publish::{Execution, test_record};
use crate::published::{Published, with_unpublished};
use crate::run_record::{StepRecord, StepStatus, TestRecord};

/// Tests of an increment's rows that run side by side.
const TESTED_AT_ONCE: usize = 4;

/// The data tests of one model.
#[derive(Debug, Clone, Serialize)]
pub struct ModelTests {
    /// The model.
    pub model: String,
    /// `view` or `table`.
    pub kind: &'static str,
    /// Each test, those of its grain first.
    pub tests: Vec<TestRecord>,
}

/// Runs the data tests of the selected models on what `published` holds; views are computed from the sources as they
/// are, cut at the `as_of` of `prepared`.
///
/// # Errors
/// A selected table that is not published: a test that did not run has not passed.
pub async fn test_published(
    prepared: &Arc<Prepared>,
    published: &Published,
    selection: &Selection,
) -> Result<Vec<ModelTests>, EngineError> {
    let plan = &prepared.plan;
    let selected = selection.models(&plan.pipeline, &plan.graph)?;
    let missing: Vec<&str> = selected.iter().map(String::as_str).filter(|name| plan.is_table(name)).collect();
    let missing: Vec<&str> = missing.into_iter().filter(|name| !published.record.tables.contains_key(*name)).collect();
    if !missing.is_empty() {
        return Err(EngineError::refused(
            format!("not published yet, so not tested: {}", missing.join(", ")),
            "make them first (throughline run), or leave them out with --exclude",
        ));
    }
    let session = prepared.session()?;
    for name in published.record.tables.keys() {
        published.register_table(name, &session).await?;
    }
    let models = || plan.steps.iter().filter_map(|step| plan.pipeline.models.get(&step.name));
    let mut looked_at: BTreeSet<String> = BTreeSet::new();
    for model in models().filter(|model| selected.contains(&model.name.value)) {
        looked_at.insert(model.name.value.clone());
        looked_at.extend(read_by_tests(model)?);
    }
    looked_at.retain(|name| !plan.is_table(name));
    let session = with_unpublished(prepared, &looked_at, session).await?;
    let execution = Execution::looking(prepared, session);
    let mut tested = Vec::new();
    for model in models().filter(|model| selected.contains(&model.name.value)) {
        let tests = planned_tests(model, &plan.parameters, &execution.session).await?;
        let kind = if plan.is_table(&model.name) { "table" } else { "view" };
        let tests = execution.judge(&model.name, &tests).await?;
        tested.push(ModelTests { model: model.name.value.clone(), kind, tests });
    }
    Ok(tested)
}

/// Rows of a table that a test looks at: of an increment only those of which the runs before do not know how they fare.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tested {
    /// Those made again: of all rows written, only they can break a rule about single rows anew.
    MadeAgain,
    /// All that are written: a key of theirs may stand twice among them.
    Written,
    /// The table as it will be.
    Whole,
}

impl Tested {
    /// What a test of an increment looks at; `made_again` is whether those rows are there by themselves.
    fn by(test: &PlannedTest, made_again: bool) -> Self {
        match (test.of_new_rows, test.keys.is_none() && made_again) {
            (true, true) => Self::MadeAgain,
            (true, false) => Self::Written,
            (false, _) => Self::Whole,
        }
    }
}

impl Execution {
    /// Tests a table as it would be after the commit and leaves it registered. Whether no test of severity error fails.
    pub(crate) async fn table_passes(
        &self,
        model: &Model,
        staged: &StagedTable,
        made: Option<&Replacement>,
        record: &mut StepRecord,
    ) -> Result<bool, EngineError> {
        let name = model.name.value.as_str();
        let made_again = made.and_then(|made| made.made_again.as_ref());
        let tested_by = |test: &PlannedTest| match made {
            Some(_) => Tested::by(test, made_again.is_some()),
            None => Tested::Whole,
        };
        let rounds = [
            (Tested::MadeAgain, made_again.map(|made_again| Arc::clone(&made_again.rows))),
            (Tested::Written, made.map(|made| made.written(staged))),
            (Tested::Whole, Some(staged.table_provider())),
        ];
        // Planning is dear: rows that no test looks at, as the first round tells, are passed over.
        let mut due: Option<Vec<Tested>> = None;
        for (tested, rows) in rounds.into_iter().filter_map(|(tested, rows)| Some((tested, rows?))) {
            self.register(name, rows)?;
            if due.as_ref().is_some_and(|due| !due.contains(&tested)) {
                continue;
            }
            let mut tests = planned_tests(model, &self.prepared.plan.parameters, &self.session).await?;
            due.get_or_insert_with(|| tests.iter().map(tested_by).collect());
            tests.retain(|test| tested_by(test) == tested);
            record.tests.extend(self.judge(name, &tests).await?);
        }
        Ok(record.tests.iter().all(|test| test.passed || test.severity != "error"))
    }

    /// Tests a view before anything that reads it is published. What breaks a test of severity error keeps its readers
    /// from running.
    pub(crate) async fn test_view(&self, step: &Step, record: &mut StepRecord) -> Result<(), EngineError> {
        let plan = &self.prepared.plan;
        let Some(model) = plan.pipeline.models.get(&step.name).filter(|_| self.publishes) else { return Ok(()) };
        // The rest was tested by the runs before.
        let whole = match self.tested_since(model) {
            Some((time, since)) => {
                let rows = self.session.table(step.name.as_str()).await?;
                let recent = rows.clone().filter(ident(time).gt_eq(at(since)).or(ident(time).is_null()))?;
                // Tests read it more than once.
                let recent = self.held(recent.clone(), record).await?.unwrap_or(recent);
                self.register(&step.name, recent.into_view())?;
                Some(rows.into_view())
            }
            None => None,
        };
        let mut tests = planned_tests(model, &plan.parameters, &self.session).await?;
        if self.has_grain_by_construction(model) {
            let grain = model.grain.first().map(|column| &column.place);
            tests.retain(|test| Some(&test.place) != grain);
        }
        record.tests.extend(self.judge(&step.name, &tests).await?);
        if let Some(whole) = whole {
            self.register(&step.name, whole)?;
        }
        if record.tests.iter().any(|test| !test.passed && test.severity == "error") {
            self.session.deregister_table(step.name.as_str())?;
            record.status = StepStatus::TestsFailed;
        }
        Ok(())
    }

    /// The view's time, and from when on its rows may differ from those that the last run tested: from where on the
    /// incremental models that read it are made again. `None` where it is not known.
    fn tested_since<'a>(&self, model: &'a Model) -> Option<(&'a str, Timestamp)> {
        let plan = &self.prepared.plan;
        let time = model.time_column.as_ref()?;
        let reads = |step: &&Step| {
            self.increments.get(&step.name).is_some()
                && plan.through_views([step.name.as_str()], None).contains(model.name.value.as_str())
        };
        let starts = plan.steps.iter().filter(reads).map(|step| self.increments.get(&step.name)?.start);
        Some((time.value.as_str(), starts.collect::<Option<Vec<_>>>()?.into_iter().min()?))
    }

    /// The matcher's rows have the grain it gives them, and the touchpoints it reads are held against their key on the
    /// way in: testing these would only compute the costliest relations once more.
    fn has_grain_by_construction(&self, model: &Model) -> bool {
        if let ModelKind::Match { .. } = model.kind {
            return true;
        }
        let [only] = model.grain.as_slice() else { return false };
        let mut models = self.prepared.plan.pipeline.models.values();
        let matched = models
            .any(|other| matches!(&other.kind, ModelKind::Match { input, .. } if input.value == model.name.value));
        only.value == "touchpoint_id" && matched
    }

    /// What comes of each test of a relation; rules about single rows share one pass over it.
    pub(crate) async fn judge(&self, relation: &str, tests: &[PlannedTest]) -> Result<Vec<TestRecord>, EngineError> {
        let rules: Vec<_> = tests.iter().filter_map(|test| test.broken.clone()).collect();
        let others = tests.iter().filter(|test| test.broken.is_none()).map(|test| self.test(test));
        // The few rows of an increment are tested in moments, most of which tests spend in waiting.
        let at_once = if self.windows.is_empty() { 1 } else { TESTED_AT_ONCE };
        let others = futures::stream::iter(others.collect::<Vec<_>>()).buffered(at_once).try_collect::<Vec<_>>();
        let (broken, others) = match at_once {
            1 => (self.broken_rows(relation, rules).await?, others.await?),
            _ => futures::try_join!(self.broken_rows(relation, rules), others)?,
        };
        let (mut broken, mut others) = (broken.into_iter(), others.into_iter());
        let record = |test: &PlannedTest| {
            let record = match test.broken {
                Some(_) => broken.next().map(|count| test_record(test, count)),
                None => others.next(),
            };
            record.ok_or_else(|| EngineError::failed(format!("the test `{}` returned no number", test.name), ""))
        };
        tests.iter().map(record).collect()
    }

    /// For each rule the rows that break it.
    async fn broken_rows(
        &self,
        relation: &str,
        rules: Vec<datafusion::logical_expr::Expr>,
    ) -> Result<Vec<i64>, EngineError> {
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let mut sums = Vec::with_capacity(rules.len());
        for (place, broken) in rules.into_iter().enumerate() {
            sums.push(sum(when(broken, lit(1_i64)).otherwise(lit(0_i64))?).alias(format!("rule_{place}")));
        }
        let counted = self.session.table(relation).await?.aggregate(vec![], sums)?.collect().await?;
        let Some(batch) = counted.first().filter(|batch| batch.num_rows() == 1) else { return Ok(Vec::new()) };
        // The sum over no rows is null, and no row offends.
        let numbers = batch.columns().iter().map(|column| {
            column.as_primitive_opt::<Int64Type>().and_then(|numbers| numbers.iter().next().flatten()).unwrap_or(0)
        });
        Ok(numbers.collect())
    }
}
