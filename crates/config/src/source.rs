//! Sources and seeds: what a pipeline reads (`sources:`, `seeds:`).

use indexmap::IndexMap;

use crate::{Duration, Located, RowRule};

/// Sources are cut by `as_of` and checked; seeds are small hand-kept CSV files of the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// Raw data of a source system.
    Source,
    /// A small CSV kept with the pipelines.
    Seed,
}

/// A raw table of a source system, or a seed.
#[derive(Debug, Clone)]
pub struct Source {
    /// Name in SQL.
    pub name: Located<String>,
    /// Source or seed.
    pub kind: SourceKind,
    /// A file, a folder or a URL; relative to the workspace.
    pub path: Located<String>,
    /// How the bytes are read.
    pub format: Format,
    /// Columns and types. Required for CSV and JSON; for Parquet and Delta, where given, exactly these columns are
    /// read and each file's column must have a type that casts to it without loss.
    pub columns: IndexMap<String, Column>,
    /// Event time: rows at or after `as_of` are not there yet.
    pub time_column: Option<Located<String>>,
    /// Columns that identify a row: identical copies collapse, contradicting copies are set aside.
    pub key: Vec<Located<String>>,
    /// The order of the rows, smallest first, nulls last: in each file and, by their names, from file to file.
    pub sorted_by: Vec<Located<String>>,
    /// The times at which a row says something. An incremental run does not read a row whose times all lie before what
    /// it rebuilds. Empty: the source is always read whole.
    pub active_at: Vec<Located<String>>,
    /// What a row must satisfy; the others go to `<source>__rejected`.
    pub contract: Vec<RowRule>,
    /// How old the newest row may be.
    pub freshness: Option<Freshness>,
    /// How many of its rows may be set aside.
    pub rejected: RejectedLimits,
    /// How many rows it has to have.
    pub rows: RowLimits,
    /// What one row is.
    pub description: Option<String>,
    /// Who keeps the source system.
    pub owner: Option<String>,
}

/// How a source's bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Parquet files.
    Parquet,
    /// CSV with a header line; UTF-8, with or without a byte-order mark.
    Csv {
        /// Field separator.
        delimiter: u8,
    },
    /// One JSON object a line.
    Json,
    /// A Delta table.
    Delta,
}

/// A declared column: its type and, for text formats, how a time is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The type.
    pub data_type: Located<ColumnType>,
    /// `strftime` pattern of a date or timestamp in a CSV or JSON file; ISO 8601 by default.
    pub format: Option<Located<String>>,
}

/// The types a source may declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    String,
    /// 64-bit integer.
    Int64,
    /// Double.
    Float64,
    /// Boolean.
    Boolean,
    /// A calendar day.
    Date,
    /// Microseconds, UTC.
    Timestamp,
}

/// `rejected: { warn: …, error: … }`: shares of the rows read, 0 to 1. More than one of them is a failed test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RejectedLimits {
    /// More: a warning.
    pub warn: f64,
    /// More: the source fails, and what reads it does not run.
    pub error: f64,
}

impl Default for RejectedLimits {
    /// One row in a hundred is a reason to look; one in five means that the source is not what the pipeline expects.
    fn default() -> Self {
        Self { warn: 0.01, error: 0.2 }
    }
}

/// `rows: { min: … }`. Without it a source may be empty: some have no row for their first months.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowLimits {
    /// Fewer good rows, those at or after `as_of` among them: the source fails.
    pub min: u64,
}

/// `freshness: { column: …, warn_after: …, error_after: … }`.
#[derive(Debug, Clone)]
pub struct Freshness {
    /// The column whose newest value counts.
    pub column: Located<String>,
    /// Older than this: a warning.
    pub warn_after: Option<Duration>,
    /// Older than this: the source fails, and what reads it does not run.
    pub error_after: Option<Duration>,
}
