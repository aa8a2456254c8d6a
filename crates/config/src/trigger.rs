//! Triggers: what people are notified of once a run has published its tables.

use crate::Located;

/// A condition over a published table, and who is notified when it holds (SEMANTICS 6).
#[derive(Debug, Clone)]
pub struct Trigger {
    /// Name: `snake_case`.
    pub name: Located<String>,
    /// The published table whose rows are evaluated.
    pub table: Located<String>,
    /// An SQL condition over the table's columns; it fires for a row for which it is true.
    pub condition: Located<String>,
    /// The team or role that has to act; may name columns.
    pub route: Template,
    /// How bad it is.
    pub severity: TriggerSeverity,
    /// The columns that identify a firing: each combination of their values fires once and never again.
    pub key: Vec<Located<String>>,
    /// The message, with columns' values in it.
    pub message: Option<Template>,
    /// What it is for.
    pub description: Option<String>,
}

/// How bad it is that a trigger fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerSeverity {
    /// Good to know.
    Info,
    /// Somebody should look at it.
    Warning,
    /// Somebody has to act.
    Critical,
}

impl TriggerSeverity {
    /// The word in YAML and in the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// A text with columns' values in it: `{journey} loses {excess_churners} customers`.
#[derive(Debug, Clone)]
pub struct Template {
    /// Words and columns, in order.
    pub parts: Vec<TemplatePart>,
}

/// A piece of a [`Template`].
#[derive(Debug, Clone)]
pub enum TemplatePart {
    /// Words as they are.
    Words(String),
    /// The value of a column.
    Column(Located<String>),
}
