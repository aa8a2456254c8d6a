//! What to load.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::BuiltInLibrary;

/// Which pipeline to load, and the values it is given from outside.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The workspace: the folder that holds `pipelines/`.
    pub project: PathBuf,
    /// The pipeline's name; `None` takes the only one, or `key_journeys` of several.
    pub pipeline: Option<String>,
    /// Values of `--vars`, name and text; each must be a variable the pipeline declares.
    pub variables: Vec<(String, String)>,
    /// Where `${VAR}` looks.
    pub environment: HashMap<String, String>,
    /// The libraries that come with the program.
    pub libraries: &'static [BuiltInLibrary],
}

impl LoadOptions {
    /// The default pipeline of `project`, with the environment of this process. Variables of the environment that are
    /// not UTF-8 count as not set.
    pub fn new(project: impl Into<PathBuf>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { project: project.into(), environment, ..Self::default() }
    }
}
