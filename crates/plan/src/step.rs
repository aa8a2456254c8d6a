//! The plan: every step in the order it can run, type-checked.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use sha2::{Digest, Sha256};
use throughline_config::{Diagnostics, Pipeline};

use crate::graph::Graph;
use crate::parameters::Parameters;
use crate::replaced_rows::ReplacedRows;
use crate::sql_text::SqlText;

/// What a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// Reads a source, holds its rows against the contract.
    Source,
    /// Reads a seed.
    Seed,
    /// Names a SELECT without storing it.
    View,
    /// Makes and publishes a table.
    Table,
}

/// One relation of the plan.
#[derive(Debug, Clone)]
pub struct Step {
    /// The relation's name.
    pub name: String,
    /// What it is.
    pub kind: StepKind,
    /// The relations it reads, by name.
    pub inputs: Vec<String>,
    /// The columns of its rows.
    pub schema: SchemaRef,
    /// Changes when its own definition or that of anything it reads changes: 16 hex digits.
    pub fingerprint: String,
    /// The parsed SELECT of an SQL model.
    pub sql: Option<Arc<SqlText>>,
    /// Columns that a library asks for and that hold nothing, by the SELECT itself.
    pub always_null: Vec<String>,
    /// For an incremental model, how the rows to be replaced are recognised.
    pub replaced: Option<ReplacedRows>,
}

/// A pipeline made ready to run.
#[derive(Debug)]
pub struct Plan {
    /// What it was made from.
    pub pipeline: Arc<Pipeline>,
    /// The values of `$as_of`, `$start` and the variables.
    pub parameters: Parameters,
    /// Sources and seeds, then models, each after what it reads.
    pub steps: Vec<Step>,
    /// Who reads whom.
    pub graph: Arc<Graph>,
    /// What is odd but no error.
    pub warnings: Diagnostics,
}

impl Plan {
    /// A step by name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// Changes when the definition of any relation changes: 16 hex digits.
    pub fn fingerprint(&self) -> String {
        digest(self.steps.iter().flat_map(|step| [step.name.as_str(), step.fingerprint.as_str()]))
    }

    /// What is not shown because optional inputs of libraries, or columns of them, are not given, a sentence each.
    pub fn not_shown(&self) -> Vec<String> {
        let mut sentences: Vec<String> = self.pipeline.not_shown().collect();
        for step in &self.steps {
            let Some(input) = self.pipeline.inputs.get(&step.name).filter(|input| input.given) else { continue };
            for column in step.always_null.iter().filter_map(|name| input.columns.get(name)) {
                let without = column.without.iter();
                sentences
                    .extend(without.map(|without| format!("no {} of {}: {without}", column.name.value, input.words())));
            }
        }
        sentences
    }

    /// Whether a step of this name makes a table.
    pub fn is_table(&self, name: &str) -> bool {
        self.step(name).is_some_and(|step| step.kind == StepKind::Table)
    }

    /// What `from` read, directly or by way of views, `from` included. Tables end the way, and so does `closed`.
    pub fn through_views<'a>(
        &'a self,
        from: impl IntoIterator<Item = &'a str>,
        closed: Option<&str>,
    ) -> BTreeSet<&'a str> {
        let from: BTreeSet<&str> = from.into_iter().collect();
        let start = from.clone();
        Graph::closure(from, |name| {
            let ends = !start.contains(name) && (self.is_table(name) || closed == Some(name));
            self.graph.inputs(name).filter(move |_| !ends)
        })
    }

    /// The relation whose definition made `name` another one than it was `then`: the first in the order of reading,
    /// because its fingerprint is part of the others'. `then` gives the fingerprints of that time.
    pub fn changed_since<'a>(&'a self, name: &'a str, then: impl Fn(&str) -> Option<&'a str>) -> Option<&'a str> {
        let closure = Graph::closure([name], |name| self.graph.inputs(name));
        let has_changed =
            |name: &&str| self.step(name).is_some_and(|step| then(name) != Some(step.fingerprint.as_str()));
        let changed: Vec<&str> = closure.iter().copied().filter(has_changed).collect();
        let first = changed.iter().find(|name| !self.graph.inputs(name).any(|input| changed.contains(&input)));
        first.or(changed.first()).copied()
    }

    /// What [`changed_since`](Self::changed_since) found for `name`, in words.
    pub fn changed_in_words(&self, name: &str, changed: &str) -> String {
        let library = self.pipeline.library_of(changed).map(|library| library.name.value.as_str());
        match (changed == name, library) {
            (true, None) => "its definition has changed".to_owned(),
            (true, Some(library)) => format!("its definition in the library {library} has changed"),
            (false, None) => format!("the definition of `{changed}`, which it reads, has changed"),
            (false, Some(library)) => {
                format!("the definition of `{changed}` in the library {library}, which it reads, has changed")
            }
        }
    }

    /// The comment of a column: the model's own, else the pipeline's dictionary.
    pub fn column_comment(&self, model: &str, column: &str) -> Option<&str> {
        let own = self.pipeline.models.get(model).and_then(|model| model.columns.get(column));
        own.or_else(|| self.pipeline.dictionary.get(column)).map(String::as_str)
    }
}

/// Part of every fingerprint. Raise it when the program makes other rows of the same definitions and the same files, so
/// that tables made before are rebuilt.
pub(crate) const ROWS_VERSION: &str = "rows 1";

/// Sixteen hex digits over texts; the same texts give the same digits.
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
