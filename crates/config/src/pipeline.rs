//! The validated pipeline: what the rest of the program works with.

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::{
    Input, JourneyDefinition, Library, Located, Model, Place, Semantics, Source, SourceFile, Timestamp, Trigger,
    TurnedOff, UnitTest, Variable,
};

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
    /// Channels with a person at the other end; `$assisted_channels` in SQL.
    pub assisted_channels: Vec<String>,
    /// Sources and seeds by name.
    pub sources: IndexMap<String, Source>,
    /// Journey definitions by name, in the order of their files' names.
    pub journeys: IndexMap<String, JourneyDefinition>,
    /// Models by name: the pipeline's own in the order written, then those of its libraries.
    pub models: IndexMap<String, Model>,
    /// The libraries that it uses, in the order written.
    pub libraries: Vec<Library>,
    /// What the libraries ask for, by name.
    pub inputs: IndexMap<String, Input>,
    /// The models of libraries that the pipeline makes in its own way, and where it says so.
    pub replaced: IndexMap<String, Place>,
    /// The models of libraries that the pipeline leaves out.
    pub off: IndexMap<String, TurnedOff>,
    /// Triggers by name, in the order written.
    pub triggers: IndexMap<String, Trigger>,
    /// Unit tests by name, in the order of their files' names.
    pub unit_tests: IndexMap<String, UnitTest>,
    /// One comment a column name, for every table in which the column appears (`dictionary:`).
    pub dictionary: IndexMap<String, String>,
    /// What tables and their figures mean to BI tools (`semantics:`).
    pub semantics: Semantics,
}

impl Pipeline {
    /// The library that a model is of; `None` for the pipeline's own and for what it makes in its own way.
    pub fn library_of(&self, model: &str) -> Option<&Library> {
        let library = self.libraries.iter().find(|library| library.models.contains_key(model))?;
        (!self.replaced.contains_key(model) && self.models.contains_key(model)).then_some(library)
    }

    /// Whether a relation stands for an optional input that is not given.
    pub fn is_absent(&self, relation: &str) -> bool {
        self.inputs.get(relation).is_some_and(|input| !input.given)
    }

    /// What is not shown because optional inputs are not given, a sentence each.
    pub fn not_shown(&self) -> impl Iterator<Item = String> {
        self.inputs.values().filter_map(Input::not_shown)
    }
}
