//! What a published table's figures mean to those who add them up (`semantics:`): measures, joins, other names.

use indexmap::IndexMap;

use crate::Located;

/// What a pipeline and its libraries say of their tables, for BI tools.
#[derive(Debug, Clone, Default)]
pub struct Semantics {
    /// By table.
    pub tables: IndexMap<String, TableSemantics>,
    /// Other words for a column, wherever it stands.
    pub columns: IndexMap<String, Vec<String>>,
}

/// What is said of one table.
#[derive(Debug, Clone)]
pub struct TableSemantics {
    /// The table's name, where it is written.
    pub name: Located<String>,
    /// Whether a library says it: then what a replaced table has no columns for is left out, not refused.
    pub of_library: bool,
    /// Other words for the table.
    pub synonyms: Vec<String>,
    /// Columns of which a figure holds one value at a time, because rows of different values overlap: a month lies in
    /// its quarter, and a customer is on several journeys.
    pub one_of: Vec<Located<String>>,
    /// Columns and the `table.column` that each names a row of. Unlike the test `relationships` nothing is tested.
    pub joins: Vec<(Located<String>, Located<String>)>,
    /// Measures by name, in the order written.
    pub measures: IndexMap<String, Measure>,
}

/// A figure that a BI tool computes over the rows that a reader chooses.
#[derive(Debug, Clone)]
pub struct Measure {
    /// Name, unique in its table.
    pub name: Located<String>,
    /// How it is computed.
    pub kind: MeasureKind,
    /// Only rows in which each of these columns has one of the values.
    pub filters: Vec<(Located<String>, Vec<Located<String>>)>,
    /// Columns of the table's `one_of` whose values do not overlap for this measure.
    pub adds_over: Vec<Located<String>>,
    /// What it is.
    pub description: Option<String>,
    /// Other words for it.
    pub synonyms: Vec<String>,
}

/// How a measure is computed.
#[derive(Debug, Clone)]
pub enum MeasureKind {
    /// The number of rows.
    Rows,
    /// The number of rows in which a column is not null.
    Count(Located<String>),
    /// The number of a column's different values.
    Distinct(Located<String>),
    /// A column's sum.
    Sum(Located<String>),
    /// One measure of the table over another one, never a mean of rates.
    Ratio(Ratio),
    /// The value of a single row. Over several rows it is null, because the figure must not be added or averaged.
    NonAdditive(Located<String>),
}

/// Numerator over denominator.
#[derive(Debug, Clone)]
pub struct Ratio {
    /// A measure of the same table that adds up.
    pub numerator: Located<String>,
    /// Another one.
    pub denominator: Located<String>,
    /// What the quotient is multiplied with: 90 makes leavers a day a rate in 90 days.
    pub times: f64,
    /// Which limits are computed beside it, where a tool can call the SQL functions of the endpoint.
    pub interval: Option<RatioInterval>,
}

/// The interval of a ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RatioInterval {
    /// Of a share, whose numerator is part of its denominator (Wilson).
    Wilson,
    /// Of events over time (exact Poisson).
    Poisson,
}
