//! What rows are held against: a source's contract, a model's tests.

use std::sync::Arc;

use crate::{Located, Place, Severity, SourceFile};

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

impl RowRule {
    /// The columns that the rule names, each tested by itself; an expression names none.
    pub fn columns(&self) -> &[Located<String>] {
        match self {
            Self::NotNull(columns) => columns,
            Self::AcceptedValues { column, .. } | Self::Range { column, .. } => std::slice::from_ref(column),
            Self::Expression(_) => &[],
        }
    }
}

/// A test of a model's rows.
#[derive(Debug, Clone)]
pub struct DataTest {
    /// What is tested.
    pub kind: TestKind,
    /// Error: the model is not published. Warning: it is, and the run says so.
    pub severity: Severity,
    /// Where the test is written.
    pub place: Place,
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

impl TestKind {
    /// The test's key in YAML.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Rows(RowRule::NotNull(_)) => "not_null",
            Self::Rows(RowRule::AcceptedValues { .. }) => "accepted_values",
            Self::Rows(RowRule::Range { .. }) => "range",
            Self::Rows(RowRule::Expression(_)) => "expression",
            Self::Unique(_) => "unique",
            Self::Relationship { .. } => "relationships",
            Self::RowCount { .. } => "row_count",
            Self::Sql(_) => "sql",
        }
    }
}
