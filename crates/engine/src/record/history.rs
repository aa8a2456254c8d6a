//! The run history as tables: `runs`, `run_steps` and `run_tests`, read from the run records when they are asked for.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::DateTime;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::MemTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt};
use throughline_lake::Warehouse;

use super::run_record::RunRecord;
use super::step_record::{IntakeCounts, StepRecord, StepStatus, TestRecord};
use super::stored::{is_of_one_record, read_record};

/// The history's tables; no model, source, seed or journey has one of these names.
pub(crate) const RUN_TABLES: [&str; 3] = ["runs", "run_steps", "run_tests"];

/// Older runs are left out: each is a file of its own to read.
const MOST_RUNS: usize = 1_000;
const READ_AT_ONCE: usize = 16;

/// Registers the history of a pipeline's runs. Nothing is read before a query does.
///
/// # Errors
/// A table of one of these names is registered already.
pub(crate) fn register_run_tables(warehouse: &Warehouse, pipeline: &str, session: &SessionContext) -> Result<()> {
    for (name, kind) in RUN_TABLES.into_iter().zip([Kind::Runs, Kind::Steps, Kind::Tests]) {
        let table = RunTable {
            warehouse: warehouse.clone(),
            pipeline: pipeline.to_owned(),
            kind,
            schema: kind.rows(&[])?.schema(),
        };
        session.register_table(name, Arc::new(table))?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Runs,
    Steps,
    Tests,
}

#[derive(Debug)]
struct RunTable {
    warehouse: Warehouse,
    pipeline: String,
    kind: Kind,
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for RunTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let runs = self.runs().await?;
        let table = MemTable::try_new(self.schema(), vec![vec![self.kind.rows(&runs)?]])?;
        table.scan(state, projection, &[], limit).await
    }
}

/// A run's id and its record; `None` when the record cannot be read.
type Run = (String, Option<RunRecord>);

impl RunTable {
    /// The newest runs, newest first. A record that is damaged, or of another version of the program, hides no other.
    async fn runs(&self) -> Result<Vec<Run>> {
        let external = |error| DataFusionError::External(Box::new(error));
        let ids = self.warehouse.run_ids().await.map_err(external)?;
        let read = |id: String| async move {
            match read_record(&self.warehouse, &id).await {
                Ok(record) => Ok((id, record)),
                Err(error) if is_of_one_record(&error) => Ok((id, None)),
                Err(error) => Err(DataFusionError::External(Box::new(error))),
            }
        };
        let runs = futures::stream::iter(ids.into_iter().take(MOST_RUNS)).map(read).buffered(READ_AT_ONCE);
        let runs: Vec<Run> = runs.try_collect().await?;
        let own = |run: &Run| run.1.as_ref().is_none_or(|record| record.pipeline == self.pipeline);
        Ok(runs.into_iter().filter(own).collect())
    }
}

/// Columns under construction: name, comment, values.
#[derive(Default)]
struct Columns(Vec<(&'static str, &'static str, ArrayRef)>);

impl Columns {
    fn text<'a>(&mut self, name: &'static str, comment: &'static str, values: impl Iterator<Item = Option<&'a str>>) {
        self.0.push((name, comment, Arc::new(values.collect::<StringArray>())));
    }

    fn count(&mut self, name: &'static str, comment: &'static str, values: impl Iterator<Item = Option<u64>>) {
        let values = values.map(|value| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX)));
        self.0.push((name, comment, Arc::new(values.collect::<Int64Array>())));
    }

    fn number(&mut self, name: &'static str, comment: &'static str, values: impl Iterator<Item = Option<f64>>) {
        self.0.push((name, comment, Arc::new(values.collect::<Float64Array>())));
    }

    fn time<'a>(&mut self, name: &'static str, comment: &'static str, values: impl Iterator<Item = Option<&'a str>>) {
        let micros = |text: &str| Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros());
        let values: TimestampMicrosecondArray = values.map(|text| text.and_then(micros)).collect();
        self.0.push((name, comment, Arc::new(values.with_timezone("UTC"))));
    }

    fn batch(self) -> Result<RecordBatch> {
        let field = |(name, comment, array): &(&str, &str, ArrayRef)| {
            let comment = HashMap::from([("comment".to_owned(), (*comment).to_owned())]);
            Field::new(*name, array.data_type().clone(), true).with_metadata(comment)
        };
        let schema = Arc::new(Schema::new(self.0.iter().map(field).collect::<Vec<_>>()));
        Ok(RecordBatch::try_new(schema, self.0.into_iter().map(|(_, _, array)| array).collect())?)
    }
}

impl Kind {
    fn rows(self, runs: &[Run]) -> Result<RecordBatch> {
        match self {
            Self::Runs => run_rows(runs),
            Self::Steps => step_rows(runs),
            Self::Tests => test_rows(runs),
        }
    }
}

/// A number of a run: the column's name, its comment, and how it follows from the record.
type RunCount = (&'static str, &'static str, fn(&RunRecord) -> u64);

const RUN_COUNTS: [RunCount; 13] = [
    ("steps", "Steps of the run", |run| sum_of_steps(run, |_| 1)),
    ("steps_failed", "Steps that failed, for whatever reason but a data test", |run| {
        with_status(run, StepStatus::Failed)
    }),
    ("steps_with_failed_tests", "Steps of which nothing was published because a data test failed", |run| {
        with_status(run, StepStatus::TestsFailed)
    }),
    ("steps_not_run", "Steps that did not run because of another", |run| with_status(run, StepStatus::NotRun)),
    ("tables", "Tables published by this run, without those reused of an earlier one", |run| {
        sum_of_steps(run, |step| u64::from(step.published_version().is_some()))
    }),
    ("table_rows", "Rows of these tables", |run| {
        sum_of_steps(run, |step| step.published_version().and(step.rows).unwrap_or(0))
    }),
    ("rows_set_aside", "Rows of sources that broke their contract", |run| {
        sum_of_steps(run, |step| step.intake.as_ref().map_or(0, IntakeCounts::rejected_rows))
    }),
    ("tests", "Data tests that ran", |run| number_of_tests(run, |_| true)),
    ("tests_failed", "Of these, failures of severity error", |run| {
        number_of_tests(run, |test| !test.passed && test.severity == "error")
    }),
    ("test_warnings", "Of these, failures of severity warning", |run| {
        number_of_tests(run, |test| !test.passed && test.severity != "error")
    }),
    ("triggers_fired", "New firings of triggers", |run| run.triggers.iter().map(|trigger| trigger.fired).sum()),
    ("bytes_read", "Bytes that scans read from storage", |run| sum_of_steps(run, |step| step.usage.bytes_read)),
    ("bytes_spilled", "Bytes that operators spilled", |run| sum_of_steps(run, |step| step.usage.bytes_spilled)),
];

fn sum_of_steps(run: &RunRecord, of: impl Fn(&StepRecord) -> u64) -> u64 {
    run.steps.iter().map(of).sum()
}

fn with_status(run: &RunRecord, status: StepStatus) -> u64 {
    sum_of_steps(run, |step| u64::from(step.status == status))
}

fn number_of_tests(run: &RunRecord, counts: impl Fn(&TestRecord) -> bool) -> u64 {
    sum_of_steps(run, |step| step.tests.iter().filter(|test| counts(test)).count() as u64)
}

fn run_rows(runs: &[Run]) -> Result<RecordBatch> {
    let records = || runs.iter().map(|(_, record)| record.as_ref());
    let mut columns = Columns::default();
    columns.text(
        "run_id",
        "Identifies the run; sorts in the order of runs",
        runs.iter().map(|(id, _)| Some(id.as_str())),
    );
    columns.text("pipeline", "The pipeline that ran", records().map(|run| run.map(|run| run.pipeline.as_str())));
    columns.text(
        "status",
        "done, failed, tests_failed and the like; unreadable: its record cannot be read",
        records().map(|run| Some(run.map_or("unreadable", |run| run.status.word()))),
    );
    columns.time(
        "as_of",
        "The instant at which sources were cut",
        records().map(|run| run.map(|run| run.as_of.as_str())),
    );
    columns.time("started_at", "When it began", records().map(|run| run.map(|run| run.started_at.as_str())));
    columns.time("finished_at", "When it ended", records().map(|run| run.map(|run| run.finished_at.as_str())));
    columns.number("seconds", "Wall time", records().map(|run| run.map(|run| run.seconds)));
    for (name, comment, count) in RUN_COUNTS {
        columns.count(name, comment, records().map(|run| run.map(count)));
    }
    columns.count(
        "peak_memory_bytes",
        "Most memory held by the process, where known",
        records().map(|run| run.and_then(|run| run.peak_memory_bytes)),
    );
    columns.text("program", "Version of throughline", records().map(|run| run.map(|run| run.program.as_str())));
    columns.batch()
}

fn step_rows(runs: &[Run]) -> Result<RecordBatch> {
    let steps: Vec<(&str, u64, &StepRecord)> = runs
        .iter()
        .flat_map(|(id, record)| record.iter().map(move |record| (id, record)))
        .flat_map(|(id, record)| (1_u64..).zip(&record.steps).map(|(place, step)| (id.as_str(), place, step)))
        .collect();
    let of = || steps.iter().map(|(_, _, step)| *step);
    let intake = |of_counts: fn(&IntakeCounts) -> u64| of().map(move |step| step.intake.as_ref().map(of_counts));
    let mut columns = Columns::default();
    columns.text("run_id", "The run", steps.iter().map(|(id, _, _)| Some(*id)));
    columns.count("step_number", "Place in the plan's order, from 1", steps.iter().map(|(_, place, _)| Some(*place)));
    columns.text("step", "The relation", of().map(|step| Some(step.step.as_str())));
    columns.text(
        "kind",
        "source, seed, view or table; log: the log of triggers; unknown: a step that the plan does not have",
        of().map(|step| Some(step.kind.as_str())),
    );
    columns.text("status", "done, failed, tests_failed or not_run", of().map(|step| Some(step.status.word())));
    columns.number("seconds", "Wall time", of().map(|step| Some(step.seconds)));
    columns.count("table_rows", "Rows of the table, or kept rows of the source", of().map(|step| step.rows));
    columns.count("bytes", "Bytes of the table's files", of().map(|step| step.bytes));
    columns.count("version", "Version of the table that was published or reused", of().map(|step| step.version));
    columns.count("rows_taken_in", "Rows read of the source, before its contract", intake(|counts| counts.read));
    columns.count("rows_set_aside", "Rows that broke its contract", intake(IntakeCounts::rejected_rows));
    columns.count("copies_collapsed", "Identical copies of a row beyond the first", intake(|counts| counts.collapsed));
    columns.count("rows_after_as_of", "Rows at or after as_of: not there yet", intake(|counts| counts.after_as_of));
    columns.count("bytes_read", "Bytes that its scans read from storage", of().map(|step| Some(step.usage.bytes_read)));
    columns.count("bytes_spilled", "Bytes that its operators spilled", of().map(|step| Some(step.usage.bytes_spilled)));
    columns.text("error", "Why it failed or did not run", of().map(|step| step.error.as_deref()));
    columns.text("help", "The way out", of().map(|step| step.help.as_deref()));
    columns.text(
        "fingerprint",
        "Changes with its definition and with that of anything it reads",
        of().map(|step| Some(step.fingerprint.as_str())),
    );
    columns.batch()
}

fn test_rows(runs: &[Run]) -> Result<RecordBatch> {
    let tests: Vec<(&str, &str, &TestRecord)> = runs
        .iter()
        .flat_map(|(id, record)| record.iter().map(move |record| (id, record)))
        .flat_map(|(id, record)| record.steps.iter().map(move |step| (id, step)))
        .flat_map(|(id, step)| step.tests.iter().map(move |test| (id.as_str(), step.step.as_str(), test)))
        .collect();
    let of = || tests.iter().map(|(_, _, test)| *test);
    let mut columns = Columns::default();
    columns.text("run_id", "The run", tests.iter().map(|(id, _, _)| Some(*id)));
    columns.text("step", "The relation", tests.iter().map(|(_, step, _)| Some(*step)));
    columns.text("test", "What was tested", of().map(|test| Some(test.test.as_str())));
    columns.text(
        "severity",
        "error: nothing is published; warning: it is",
        of().map(|test| Some(test.severity.as_str())),
    );
    let passed: BooleanArray = of().map(|test| Some(test.passed)).collect();
    columns.0.push(("passed", "Whether it passed", Arc::new(passed)));
    columns.count(
        "offending",
        "Offending rows; for a row count the rows",
        of().map(|test| Some(test.count.unsigned_abs())),
    );
    columns.text("place", "File, line and column of the test", of().map(|test| Some(test.place.as_str())));
    columns.batch()
}

#[cfg(test)]
mod tests {
    use super::super::run_record::RunStatus;
    use super::*;

    fn table(name: &str, rows: u64, reused_from: Option<&str>) -> StepRecord {
        let reused_from = reused_from.map(ToOwned::to_owned);
        let record = StepRecord::new(name, "table", "", StepStatus::Done);
        StepRecord { version: Some(3), rows: Some(rows), reused_from, ..record }
    }

    #[test]
    fn a_run_has_published_what_it_did_not_reuse() {
        let run = RunRecord {
            run_id: "20261124T065003Z-1a2b3c4d".to_owned(),
            pipeline: "main".to_owned(),
            as_of: "2026-10-01T00:00:00Z".to_owned(),
            started_at: "2026-11-24T06:50:03Z".to_owned(),
            finished_at: "2026-11-24T06:50:04Z".to_owned(),
            seconds: 1.0,
            status: RunStatus::Done,
            program: "0.1.0".to_owned(),
            peak_memory_bytes: None,
            steps: vec![table("a", 10, Some("20261123T065003Z-1a2b3c4d")), table("b", 7, None)],
            triggers: Vec::new(),
            not_shown: Vec::new(),
            tables: [("a".to_owned(), 3), ("b".to_owned(), 3)].into(),
            carried: Default::default(),
        };
        let count = |column: &str| {
            let (.., of) = RUN_COUNTS.iter().find(|(name, ..)| *name == column).expect("a column");
            of(&run)
        };
        assert_eq!((count("steps"), count("tables"), count("table_rows")), (2, 1, 7));
    }
}
