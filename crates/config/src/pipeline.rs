//! The validated pipeline: what the rest of the program works with.

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::{Located, SourceFile, Trigger, UnitTest};

/// Microseconds since 1970-01-01 00:00 UTC.
pub type Timestamp = i64;

/// A length of time in microseconds; a day is 24 h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub i64);

/// One pipeline of the workspace, everything it names included.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The workspace folder, which holds `pipelines/`.
    pub project: PathBuf,
    /// The pipeline's own file.
    pub file: Arc<SourceFile>,
    /// Name, also the stem of its file.
    pub name: Located<String>,
    /// The team that answers for it.
    pub owner: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// No landmark's exposure window begins before this instant.
    pub start: Located<Timestamp>,
    /// A path relative to the workspace, an absolute path, or a URL: `s3://bucket/prefix`, `az://container/prefix`,
    /// `gs://bucket/prefix`.
    pub warehouse: Located<String>,
    /// SQL parameters `$name` besides `$as_of` and `$start`; command-line overrides applied.
    pub variables: IndexMap<String, Located<Variable>>,
    /// Sources and seeds by name.
    pub sources: IndexMap<String, Source>,
    /// Journey definitions by name, in the order of their files' names.
    pub journeys: IndexMap<String, JourneyDefinition>,
    /// Models by name, in the order written.
    pub models: IndexMap<String, Model>,
    /// Triggers by name, in the order written.
    pub triggers: IndexMap<String, Trigger>,
    /// Unit tests by name, in the order of their files' names.
    pub unit_tests: IndexMap<String, UnitTest>,
    /// One comment a column name, for every table in which the column appears (`dictionary:`).
    pub dictionary: IndexMap<String, String>,
}

/// A pipeline variable.
#[derive(Debug, Clone, PartialEq)]
pub enum Variable {
    /// `90 days`.
    Duration(Duration),
    /// `2024-10-01` or an RFC 3339 instant.
    Timestamp(Timestamp),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// Anything else.
    Text(String),
}

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
    /// The times at which a row says something. A row whose times all lie before what an incremental run makes again
    /// is not read by it. Empty: the source is always read whole.
    pub active_at: Vec<Located<String>>,
    /// What a row must satisfy; the others go to `<source>__rejected`.
    pub contract: Vec<RowRule>,
    /// How old the newest row may be.
    pub freshness: Option<Freshness>,
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

/// A rule one row can be held against.
#[derive(Debug, Clone)]
pub enum RowRule {
    /// None of the columns is null.
    NotNull(Vec<Located<String>>),
    /// Every non-null value is one of these.
    AcceptedValues {
        /// The column.
        column: Located<String>,
        /// The values, as text.
        values: Vec<String>,
    },
    /// `min <= column <= max`, each bound an SQL literal or expression; null passes.
    Range {
        /// The column.
        column: Located<String>,
        /// Lower bound.
        min: Option<Located<String>>,
        /// Upper bound.
        max: Option<Located<String>>,
    },
    /// An SQL condition that is true; null counts as false.
    Expression(Located<String>),
}

/// A journey definition (SEMANTICS 2).
#[derive(Debug, Clone)]
pub struct JourneyDefinition {
    /// Name: `snake_case`, the prefix of `journey_id`.
    pub name: Located<String>,
    /// For people.
    pub label: String,
    /// The function that answers for it.
    pub owner: Option<String>,
    /// What the customer is trying to do.
    pub description: Option<String>,
    /// Opens an instance.
    pub starts: Located<String>,
    /// Closes it as completed.
    pub ends: Option<Located<String>>,
    /// Closes it as abandoned.
    pub abandons: Option<Located<String>>,
    /// Which other touchpoints belong; all when absent.
    pub includes: Option<Located<String>>,
    /// Limit from the first touchpoint, strict.
    pub within: Option<Duration>,
    /// Limit between two members, strict.
    pub idle: Option<Duration>,
    /// What a second start does to an open instance.
    pub on_restart: OnRestart,
    /// Always contains `customer_id`; `[customer_id]` by default.
    pub key: Vec<Located<String>>,
    /// Who could have been on it: over the customer's columns and `landmark`.
    pub eligible: Option<Located<String>>,
    /// Expert judgement, 1 to 5.
    pub importance: Option<u8>,
    /// Why that importance.
    pub rationale: Option<String>,
}

/// What a touchpoint that starts a journey does when one is already open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnRestart {
    /// It is a member like any other.
    Absorb,
    /// The open instance closes as restarted and a new one opens.
    Split,
}

/// A relation the pipeline makes.
#[derive(Debug, Clone)]
pub struct Model {
    /// Name in SQL and in the warehouse.
    pub name: Located<String>,
    /// How its rows come about.
    pub kind: ModelKind,
    /// Whether it is stored.
    pub materialized: Materialization,
    /// The instant each row belongs to. An incremental model is made again from an instant of this column on; of a view
    /// that one reads, an incremental run tests the rows from there on.
    pub time_column: Option<Located<String>>,
    /// Columns that identify a row; tested as not null and unique.
    pub grain: Vec<Located<String>>,
    /// Checked on the staged rows before anything is published.
    pub tests: Vec<DataTest>,
    /// For `--select tag:…`.
    pub tags: Vec<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What one row is.
    pub description: Option<String>,
    /// Comments of single columns, over the pipeline's dictionary.
    pub columns: IndexMap<String, String>,
}

/// How a model's rows come about.
#[derive(Debug, Clone)]
pub enum ModelKind {
    /// One SELECT in a file.
    Sql(Arc<SourceFile>),
    /// The matcher over a relation of touchpoints.
    Match {
        /// The relation of touchpoints.
        input: Located<String>,
        /// What one row is.
        rows: MatchRows,
    },
    /// For every journey, the rows of a relation for which the journey's `eligible` holds.
    Eligible {
        /// A relation with the customer's columns and `landmark`.
        input: Located<String>,
    },
}

/// What a row of a `match` model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchRows {
    /// A member of an instance, with every column of the touchpoints.
    Members,
    /// An instance with its measures.
    Instances,
}

/// Whether a model is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Materialization {
    /// Computed where it is used.
    View,
    /// A Delta table, replaced as a whole.
    Table,
    /// A Delta table of which a run replaces what new and late rows can have changed.
    Incremental(Increment),
}

impl Materialization {
    /// Whether a run publishes rows.
    pub fn is_stored(self) -> bool {
        self != Self::View
    }
}

/// How far an incremental model looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Increment {
    /// How late a source's row may come and still be taken in.
    pub lookback: Duration,
    /// How far before a new row, or before what changed in a table it reads, this model's own rows may change.
    pub reach: Duration,
    /// What is made again begins at a boundary of this calendar.
    pub interval: Calendar,
}

/// Units of the calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calendar {
    /// From any instant.
    Instant,
    /// From midnight.
    Day,
    /// From the first of a month.
    Month,
    /// From the first of a quarter.
    Quarter,
}

/// A test of a model's rows.
#[derive(Debug, Clone)]
pub struct DataTest {
    /// What is tested.
    pub kind: TestKind,
    /// Error: the model is not published. Warning: it is, and the run says so.
    pub severity: crate::Severity,
    /// Where the test stands.
    pub place: crate::Place,
}

/// The kinds of data test.
#[derive(Debug, Clone)]
pub enum TestKind {
    /// A rule every row must satisfy.
    Rows(RowRule),
    /// No two rows share these columns.
    Unique(Vec<Located<String>>),
    /// Every non-null value of a column is found in another model's or source's column.
    Relationship {
        /// The column.
        column: Located<String>,
        /// `model.column`.
        references: Located<String>,
    },
    /// The number of rows lies in these bounds.
    RowCount {
        /// At least.
        min: Option<u64>,
        /// At most.
        max: Option<u64>,
    },
    /// A SELECT that returns the offending rows; it passes when it returns none.
    Sql(Arc<SourceFile>),
}
