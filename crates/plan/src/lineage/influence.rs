//! In which ways columns bear on values and on which rows there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use indexmap::IndexMap;

/// How a column bears on a value or on which rows there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Influence {
    /// The value as it is.
    Identity,
    /// Computed from it.
    Transformation,
    /// Aggregated over it.
    Aggregation,
    /// A condition on it chooses the value.
    Conditional,
    /// It partitions or orders the window the value is computed over.
    Window,
    /// A condition on it keeps or drops rows.
    Filter,
    /// Rows are joined by it.
    Join,
    /// Rows are grouped by it.
    GroupBy,
    /// Rows are ordered by it.
    Sort,
}

impl Influence {
    /// Whether the value is made of the column.
    pub fn is_direct(self) -> bool {
        matches!(self, Self::Identity | Self::Transformation | Self::Aggregation)
    }

    /// OpenLineage's subtype.
    pub fn subtype(self) -> &'static str {
        match self {
            Self::Identity => "IDENTITY",
            Self::Transformation => "TRANSFORMATION",
            Self::Aggregation => "AGGREGATION",
            Self::Conditional => "CONDITIONAL",
            Self::Window => "WINDOW",
            Self::Filter => "FILTER",
            Self::Join => "JOIN",
            Self::GroupBy => "GROUP_BY",
            Self::Sort => "SORT",
        }
    }

    /// A column's influence that reaches further by way of `self`.
    pub(super) fn after(self, inner: Self) -> Self {
        match (self.is_direct(), inner.is_direct()) {
            (true, true) => self.max(inner),
            (_, false) => inner,
            (false, true) => self,
        }
    }
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnOf {
    /// A source, seed, model or `journey_definitions`.
    pub relation: String,
    /// The column.
    pub column: String,
}

impl fmt::Display for ColumnOf {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.relation, self.column)
    }
}

/// Columns, each with the ways in which it bears on something.
pub type Influences = BTreeMap<ColumnOf, BTreeSet<Influence>>;

/// Where the columns and rows of one relation come from, one step back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnLineage {
    /// For each column, what its values are made of and what chooses among them.
    pub columns: IndexMap<String, Influences>,
    /// What decides which rows there are; bears on every column.
    pub rows: Influences,
}
