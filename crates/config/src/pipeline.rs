//! The validated pipeline: what the rest of the program works with.

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::{JourneyDefinition, Located, Model, Source, SourceFile, Timestamp, Trigger, UnitTest, Variable};

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
    /// Sources and seeds by name.
    pub sources: IndexMap<String, Source>,
    /// Journey definitions by name, in the order of their files' names.
    pub journeys: IndexMap<String, JourneyDefinition>,
    /// Models by name, in the order written.
    pub models: IndexMap<String, Model>,
    /// Triggers by name, in the order written.
    pub triggers: IndexMap<String, Trigger>,
    /// Unit tests by name, in the order of their files' names.
    pub unit_tests: IndexMap<String, UnitTest>,
    /// One comment a column name, for every table in which the column appears (`dictionary:`).
    pub dictionary: IndexMap<String, String>,
}
