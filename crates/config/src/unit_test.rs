//! Unit tests of models: given rows, expected rows (`unit_tests:`).

use indexmap::IndexMap;

use crate::{Column, JourneyDefinition, Located, Place, Timestamp, Variable};

/// A model's rows held against what is expected of them, over rows given for what it reads.
#[derive(Debug, Clone)]
pub struct UnitTest {
    /// Name: `snake_case`.
    pub name: Located<String>,
    /// What it shows.
    pub description: Option<String>,
    /// The model under test.
    pub model: Located<String>,
    /// `$as_of`; an instant after everything when absent.
    pub as_of: Option<Timestamp>,
    /// The pipeline's variables, with the test's own values in place.
    pub variables: IndexMap<String, Located<Variable>>,
    /// Journey definitions that are used instead of all of the pipeline's.
    pub journeys: Option<IndexMap<String, JourneyDefinition>>,
    /// Rows of relations that the model reads, directly or by way of other models. The others are empty.
    pub given: IndexMap<String, GivenRows>,
    /// What the model's rows should be.
    pub expect: ExpectedRows,
}

/// The rows of one relation.
#[derive(Debug, Clone)]
pub struct GivenRows {
    /// The relation.
    pub relation: Located<String>,
    /// Types of columns that are not known without a lake and not plain from the values.
    pub columns: IndexMap<String, Column>,
    /// The rows; a column that a row leaves out is null.
    pub rows: Vec<TestRow>,
}

/// The rows that a model should have.
#[derive(Debug, Clone)]
pub struct ExpectedRows {
    /// All of them; a column that a row leaves out is not compared.
    pub rows: Vec<TestRow>,
    /// Whether they come in this order.
    pub ordered: bool,
}

/// A row of a test.
#[derive(Debug, Clone)]
pub struct TestRow {
    /// Where it is written.
    pub place: Place,
    /// Its values by column, in the order written.
    pub cells: Vec<(Located<String>, Cell)>,
}

impl TestRow {
    /// The value of a column, when the row has one.
    pub fn cell(&self, column: &str) -> Option<&Cell> {
        self.cells.iter().find(|(name, _)| name.value == column).map(|(_, cell)| cell)
    }
}

/// A value of a test's row. What it means depends on the column's type.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Its letters; `None` is null.
    pub text: Option<String>,
    /// Whether it is quoted: then it is text, whatever it looks like.
    pub quoted: bool,
    /// Where it is written.
    pub place: Place,
}
