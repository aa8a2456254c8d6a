//! Models: the relations that a pipeline makes (`models:`).

use std::sync::Arc;

use indexmap::IndexMap;

use crate::{DataTest, Duration, Located, SourceFile};

/// A relation the pipeline makes.
#[derive(Debug, Clone)]
pub struct Model {
    /// Name in SQL and in the warehouse.
    pub name: Located<String>,
    /// How its rows come about.
    pub kind: ModelKind,
    /// Whether it is stored.
    pub materialized: Materialization,
    /// The instant each row belongs to. An incremental model is rebuilt since an instant of this column; of a view that
    /// one reads, an incremental run tests the rows since that instant.
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
    /// The rows of several SELECTs, a file each, columns by name; a column that one lacks is null in its rows.
    Union(Vec<Arc<SourceFile>>),
    /// The matcher over a relation of touchpoints.
    Match {
        /// The relation of touchpoints.
        input: Located<String>,
        /// What one row is.
        rows: MatchRows,
    },
    /// For every journey, the days on which customers could have been on it.
    Eligible {
        /// A relation with the customer's columns in stretches of days from `from_day` to before `until_day`.
        input: Located<String>,
    },
}

/// What a row of a `match` model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchRows {
    /// A member of an instance, with every column of the touchpoints.
    Members,
    /// The same of instances as they were known at the time (`ordered_by: known_at`, SEMANTICS 5).
    KnownMembers,
    /// An instance with its measures.
    Instances,
    /// A stretch of days on which a customer is in one state of exposure to a journey (SEMANTICS 5).
    States,
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
    /// What is rebuilt begins at a boundary of this calendar.
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
