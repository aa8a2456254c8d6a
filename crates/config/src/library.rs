//! Libraries: models that come with the program or lie in a folder, and what they ask of a pipeline (`uses:`).

use indexmap::IndexMap;

use crate::{ColumnType, Located, Model, Place, Variable};

/// A library that comes with the program.
#[derive(Debug, Clone, Copy)]
pub struct BuiltInLibrary {
    /// What `uses:` calls it.
    pub name: &'static str,
    /// Its files, `library.yaml` among them: paths and texts.
    pub files: &'static [(&'static str, &'static str)],
}

/// A library that a pipeline uses.
#[derive(Debug, Clone)]
pub struct Library {
    /// Its name, as its `library.yaml` says it.
    pub name: Located<String>,
    /// How `uses:` names it.
    pub used: Located<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it asks for. Whether a pipeline gives it is for the pipeline's own `inputs` to say.
    pub inputs: IndexMap<String, Input>,
    /// Its models as it declares them, whatever the pipeline makes of them.
    pub models: IndexMap<String, Model>,
    /// Its variables with their defaults.
    pub variables: IndexMap<String, Located<Variable>>,
    /// Its comments by column.
    pub dictionary: IndexMap<String, String>,
}

/// A relation that a library asks for.
#[derive(Debug, Clone)]
pub struct Input {
    /// Name in SQL.
    pub name: Located<String>,
    /// The library that asks for it.
    pub library: String,
    /// Whether nothing works without it.
    pub required: bool,
    /// What one row is.
    pub description: Option<String>,
    /// The columns that are asked for; there may be more.
    pub columns: IndexMap<String, InputColumn>,
    /// What is not shown without it, e.g. "satisfaction is not shown".
    pub without: Option<String>,
    /// Whether the pipeline has it. Without it, it is an empty relation of its columns.
    pub given: bool,
}

impl Input {
    /// What is not shown because it is not given, as a sentence: "no survey answers: satisfaction is not shown".
    pub fn not_shown(&self) -> Option<String> {
        let without = self.without.as_ref().filter(|_| !self.given)?;
        Some(format!("no {}: {without}", self.words()))
    }

    /// Its name for people.
    pub fn words(&self) -> String {
        self.name.value.replace('_', " ")
    }
}

/// A column that a library asks for.
#[derive(Debug, Clone)]
pub struct InputColumn {
    /// Name.
    pub name: Located<String>,
    /// Type.
    pub data_type: ColumnType,
    /// Whether a model has to have it.
    pub required: bool,
    /// The column whose value it takes where a model leaves it out; null without one.
    pub default: Option<String>,
    /// What is not shown where it is null, e.g. "cost to serve is not shown".
    pub without: Option<String>,
    /// What it means.
    pub description: Option<String>,
}

/// A model of a library that the pipeline turned off.
#[derive(Debug, Clone)]
pub struct TurnedOff {
    /// Where the pipeline says so.
    pub place: Place,
    /// The library's triggers that watch it and are off with it.
    pub triggers: Vec<String>,
}
