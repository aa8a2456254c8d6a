//! Which workspace a command works in, and with what.

use std::collections::HashMap;
use std::path::PathBuf;

use throughline_config::{BuiltInLibrary, LoadOptions, Timestamp};

use crate::workspace::sessions::SessionOptions;

/// Which workspace and pipeline a command reads, and with which settings.
#[derive(Debug, Clone)]
pub struct PrepareOptions {
    /// The workspace folder.
    pub project: PathBuf,
    /// The pipeline's name, when there are several.
    pub pipeline: Option<String>,
    /// Another warehouse than the pipeline's.
    pub warehouse: Option<String>,
    /// Overrides of variables.
    pub variables: Vec<(String, String)>,
    /// Where `${VAR}` looks.
    pub environment: HashMap<String, String>,
    /// The cut of every source.
    pub as_of: Timestamp,
    /// Memory and parallelism.
    pub session: SessionOptions,
    /// Open no source: each has the columns that it declares, and no row. Seeds are files of the workspace and opened.
    pub offline: bool,
    /// The libraries that come with the program.
    pub libraries: &'static [BuiltInLibrary],
}

impl PrepareOptions {
    /// What loading the pipeline's files needs.
    pub(crate) fn load(&self) -> LoadOptions {
        LoadOptions {
            project: self.project.clone(),
            pipeline: self.pipeline.clone(),
            variables: self.variables.clone(),
            environment: self.environment.clone(),
            libraries: self.libraries,
        }
    }
}
