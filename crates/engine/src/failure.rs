//! What can go wrong, by what a person can do about it.

use datafusion::error::DataFusionError;
use throughline_config::Diagnostics;
use throughline_lake::{SnapshotError, WarehouseError, plain_words};

/// A failure that ends a command.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Something a person wrote is wrong; nothing ran.
    #[error("{0}")]
    Configuration(Diagnostics),
    /// The command cannot be carried out as asked; nothing ran.
    #[error("{message}")]
    Refused {
        /// What was asked and why not.
        message: String,
        /// The way out.
        help: String,
    },
    /// Another run holds the pipeline or a table; nothing of it was replaced.
    #[error("{message}")]
    Held {
        /// Who holds what.
        message: String,
        /// The way out.
        help: String,
    },
    /// The run was asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A source, table or step failed; a rerun may help.
    #[error("{message}")]
    Failed {
        /// What failed, where.
        message: String,
        /// The way out; may be empty.
        help: String,
    },
}

impl EngineError {
    /// A refusal.
    pub fn refused(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), help: help.into() }
    }

    /// A failure.
    pub fn failed(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), help: help.into() }
    }

    /// The run was asked to stop.
    pub(crate) fn interrupted() -> Self {
        Self::Interrupted
    }

    /// The way out, if one is known.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Configuration(_) | Self::Interrupted => None,
            Self::Refused { help, .. } | Self::Held { help, .. } | Self::Failed { help, .. } => {
                Some(help).filter(|help| !help.is_empty()).map(String::as_str)
            }
        }
    }
}

impl From<Diagnostics> for EngineError {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Configuration(diagnostics)
    }
}

impl From<WarehouseError> for EngineError {
    fn from(error: WarehouseError) -> Self {
        let help = error.help();
        let message = plain_words(&error.to_string());
        if error.is_held() { Self::Held { message, help } } else { Self::Failed { message, help } }
    }
}

impl From<SnapshotError> for EngineError {
    fn from(error: SnapshotError) -> Self {
        let help = error.help();
        match error {
            SnapshotError::Missing { .. } | SnapshotError::Exists { .. } | SnapshotError::Location(_) => {
                Self::refused(error.to_string(), help)
            }
            _ => Self::failed(error.to_string(), help),
        }
    }
}

impl From<DataFusionError> for EngineError {
    fn from(error: DataFusionError) -> Self {
        let help = match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => {
                "raise --memory-limit, lower --partitions, or free space in the spill folder (--spill-folder)"
            }
            _ => "",
        };
        Self::failed(plain_words(&error.strip_backtrace()), help)
    }
}
