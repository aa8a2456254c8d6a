//! Why a run cannot be reported.

use throughline_engine::EngineError;

/// No events can be delivered.
#[derive(Debug, thiserror::Error)]
pub enum LineageError {
    /// What was asked for is no address.
    #[error("`{url}` is no address for OpenLineage")]
    NoAddress {
        /// What was asked for.
        url: String,
    },
    /// The file cannot be opened.
    #[error("the file for OpenLineage `{path}` cannot be opened: {source}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The thread that delivers events, or what it needs, does not start.
    #[error("the client for OpenLineage does not start: {0}")]
    NoThread(#[source] std::io::Error),
    /// The HTTP client does not start.
    #[error("the client for OpenLineage does not start: {0}")]
    NoClient(#[source] reqwest::Error),
    /// The lineage of columns cannot be traced.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl LineageError {
    /// The way out, if one is known.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::NoAddress { .. } => Some("write e.g. http://localhost:5000 or file:/var/log/lineage.jsonl"),
            Self::File { .. } => Some("name a file in a folder that exists: --openlineage file:PATH"),
            Self::NoThread(_) | Self::NoClient(_) | Self::Engine(_) => None,
        }
    }
}
