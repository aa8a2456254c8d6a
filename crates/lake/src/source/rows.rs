//! Rows of a text file on their way into record batches.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use throughline_config::Column;
use tokio::sync::mpsc::Sender;

use super::value::ValueBuilder;

/// Rows a batch, DataFusion's default.
const BATCH_ROWS: usize = 8192;

/// A row has more problems than anyone reads at once.
const PROBLEMS_SHOWN: usize = 3;

/// The reader of a file has to end: the consumer is gone, or a batch could not be made.
pub(super) struct Stopped;

/// Takes rows one value after the other and sends full batches to the scan.
pub(super) struct RowSink {
    schema: SchemaRef,
    names: Vec<String>,
    values: Vec<ValueBuilder>,
    problems: StringBuilder,
    origins: StringBuilder,
    file: String,
    problem: String,
    problems_of_row: usize,
    rows: usize,
    batches: Sender<Result<RecordBatch>>,
}

impl RowSink {
    /// `schema` is the declared columns, then problem and origin.
    pub(super) fn new<'a>(
        schema: SchemaRef,
        columns: impl Iterator<Item = (&'a String, &'a Column)>,
        batches: Sender<Result<RecordBatch>>,
    ) -> Self {
        let (names, values) = columns.map(|(name, column)| (name.clone(), ValueBuilder::new(column))).unzip();
        Self {
            schema,
            names,
            values,
            problems: StringBuilder::new(),
            origins: StringBuilder::new(),
            file: String::new(),
            problem: String::new(),
            problems_of_row: 0,
            rows: 0,
            batches,
        }
    }

    /// The following rows come from this file.
    pub(super) fn begin_file(&mut self, shown: &str) {
        shown.clone_into(&mut self.file);
    }

    /// Appends a null to the column of this index.
    pub(super) fn null(&mut self, column: usize) {
        self.values[column].append_null();
    }

    /// Whether the column of this index holds text.
    pub(super) fn is_text(&self, column: usize) -> bool {
        self.values[column].is_text()
    }

    /// Appends the value a text stands for; a text that stands for none becomes null and a problem of the row.
    pub(super) fn text(&mut self, column: usize, text: &str) {
        if let Err(problem) = self.values[column].append(text) {
            let problem = format!("column {}: {problem}", self.names[column]);
            self.problem(&problem);
        }
    }

    /// Appends a null and a problem of the row's column.
    pub(super) fn unread(&mut self, column: usize, problem: &str) {
        self.values[column].append_null();
        let problem = format!("column {}: {problem}", self.names[column]);
        self.problem(&problem);
    }

    /// Notes what is wrong with the row as a whole.
    pub(super) fn problem(&mut self, problem: &str) {
        self.problems_of_row += 1;
        if self.problems_of_row > PROBLEMS_SHOWN {
            return;
        }
        if !self.problem.is_empty() {
            self.problem.push_str("; ");
        }
        self.problem.push_str(problem);
    }

    /// A row without a single readable value.
    pub(super) fn unreadable_row(&mut self, line: u64, problem: &str) -> Result<(), Stopped> {
        for column in 0..self.values.len() {
            self.null(column);
        }
        self.problem(problem);
        self.end_row(line)
    }

    /// Ends the row, into which every column has got one value.
    pub(super) fn end_row(&mut self, line: u64) -> Result<(), Stopped> {
        if self.problems_of_row == 0 {
            self.problems.append_null();
        } else {
            let more = self.problems_of_row.saturating_sub(PROBLEMS_SHOWN);
            let separator = if self.problem.starts_with("column ") { ", " } else { ": " };
            let mut text = format!("line {line}{separator}{}", self.problem);
            if more > 0 {
                let _ = write!(text, "; and {more} more");
            }
            self.problems.append_value(text);
            self.problem.clear();
            self.problems_of_row = 0;
        }
        let _ = write!(self.origins, "{}:{line}", self.file);
        self.origins.append_value("");
        self.rows += 1;
        if self.rows == BATCH_ROWS { self.send() } else { Ok(()) }
    }

    /// Sends what is left.
    pub(super) fn send(&mut self) -> Result<(), Stopped> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let mut columns: Vec<ArrayRef> = self.values.iter_mut().map(ValueBuilder::finish).collect();
        columns.push(Arc::new(self.problems.finish()));
        columns.push(Arc::new(self.origins.finish()));
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(DataFusionError::from);
        let failed = batch.is_err();
        if self.batches.blocking_send(batch).is_err() || failed { Err(Stopped) } else { Ok(()) }
    }

    /// Ends the scan with an error that names the file.
    pub(super) fn fail(&mut self, problem: &str) {
        let error = DataFusionError::Execution(format!("file `{}` cannot be read: {problem}", self.file));
        // A consumer that is gone needs no error.
        let _ = self.batches.blocking_send(Err(error));
    }
}
