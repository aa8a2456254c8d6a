//! The semantic model: published tables with their columns, joins and measures, whatever the tool.

use throughline_config::RatioInterval;

/// All that a BI tool has to know.
#[derive(Debug, Clone)]
pub struct SemanticModel {
    /// The pipeline's name.
    pub name: String,
    /// What the pipeline is for.
    pub description: Option<String>,
    /// The published tables for readers.
    pub tables: Vec<Table>,
    /// Which rows belong to which.
    pub joins: Vec<Join>,
    /// The level of intervals, between 0 and 1.
    pub confidence: f64,
}

/// A published table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Name in SQL.
    pub name: String,
    /// What one row is.
    pub description: Option<String>,
    /// Other words for it.
    pub synonyms: Vec<String>,
    /// The columns that identify a row.
    pub key: Vec<String>,
    /// Without a key, columns whose values together are never the same in two rows, though some may be null.
    pub unique: Vec<String>,
    /// All columns.
    pub columns: Vec<Column>,
    /// All measures, each ratio followed by its limits.
    pub figures: Vec<Figure>,
}

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name in SQL.
    pub name: String,
    /// What its values are.
    pub kind: ColumnKind,
    /// What it means.
    pub description: Option<String>,
    /// Other words for it.
    pub synonyms: Vec<String>,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text.
    Text,
    /// Whole numbers.
    Integer,
    /// Exact decimal numbers.
    Decimal,
    /// Floating-point numbers.
    Float,
    /// True or false.
    Boolean,
    /// Calendar days.
    Date,
    /// Instants in UTC.
    Instant,
    /// Times without a zone.
    DateTime,
    /// Lists and the like, which BI tools have no type for.
    Other,
}

impl ColumnKind {
    /// Whether values can be summed.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal | Self::Float)
    }
}

/// Many rows of `from` name one row of `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// The table on the side of the many.
    pub from: String,
    /// Its columns.
    pub from_columns: Vec<String>,
    /// The table of which one row is named.
    pub to: String,
    /// Its columns, in the same order; they identify a row.
    pub to_columns: Vec<String>,
}

/// A measure.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Name, unique in its table and without two underscores together.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Other words for it.
    pub synonyms: Vec<String>,
    /// It is null unless each of these columns holds at most one value in the rows chosen.
    pub one_of: Vec<String>,
    /// How it is computed.
    pub kind: FigureKind,
}

/// How a measure is computed.
#[derive(Debug, Clone)]
pub enum FigureKind {
    /// A count or sum.
    Aggregate(Aggregate),
    /// `times` a count or sum over another one.
    Ratio {
        /// The measures' names.
        names: (String, String),
        /// Above the line.
        numerator: Aggregate,
        /// Below the line.
        denominator: Aggregate,
        /// What the quotient is multiplied with.
        times: f64,
        /// Whether the quotient is a share of a whole, or a rate of customers.
        interval: Option<RatioInterval>,
    },
    /// A limit of a ratio's interval, by a function that the endpoint's sessions have.
    Limit {
        /// The measures' names.
        names: (String, String),
        /// Above the line.
        numerator: Aggregate,
        /// Below the line.
        denominator: Aggregate,
        /// What the quotient is multiplied with.
        times: f64,
        /// Which interval.
        interval: RatioInterval,
        /// The upper limit, else the lower one.
        upper: bool,
    },
    /// The value of a single row, null over several.
    NonAdditive(String),
}

/// A count or sum over rows.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// Of what.
    pub of: AggregateOf,
    /// Only rows that all of these let through.
    pub filters: Vec<Filter>,
}

/// What is counted or summed.
#[derive(Debug, Clone)]
pub enum AggregateOf {
    /// Rows.
    Rows,
    /// Rows in which the column is not null.
    Count(String),
    /// Different values of the column.
    Distinct(String),
    /// The column.
    Sum(String),
}

/// Rows in which a column has one of the values.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The column.
    pub column: String,
    /// The values.
    pub values: Vec<FilterValue>,
}

/// A value that rows are chosen by.
#[derive(Debug, Clone, PartialEq)]
pub enum FilterValue {
    /// Text.
    Text(String),
    /// A number, as it is written.
    Number(f64),
    /// True or false.
    Boolean(bool),
}

impl SemanticModel {
    /// A table by name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// The joins of a table to tables of which it names rows.
    pub fn joins_from<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Join> {
        self.joins.iter().filter(move |join| join.from == table)
    }
}

impl Table {
    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// Its description and other words for it, for formats that know no synonyms.
pub(crate) fn in_words(description: Option<&str>, synonyms: &[String]) -> Option<String> {
    match (description, synonyms) {
        (description, []) => description.map(str::to_owned),
        (None, synonyms) => Some(format!("Also called {}", synonyms.join(", "))),
        (Some(description), synonyms) => {
            let end = if description.ends_with('.') { "" } else { "." };
            Some(format!("{description}{end} Also called {}", synonyms.join(", ")))
        }
    }
}
