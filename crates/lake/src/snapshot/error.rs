//! What can go wrong with snapshots, and the way out of each.

use crate::stores::{StoreError, storage_help, storage_words};
use crate::warehouse::WarehouseError;

/// A snapshot cannot be read, written or copied.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A location is wrong.
    #[error(transparent)]
    Location(#[from] StoreError),
    /// A table it is to be made from cannot be read.
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    /// The object store refused or failed.
    #[error("`{path}`: {}", storage_words(error))]
    Storage {
        /// The file or folder.
        path: String,
        /// What the store says.
        #[source]
        error: object_store::Error,
    },
    /// There is no snapshot at a place.
    #[error("there is no snapshot in {place}: it has no manifest.json")]
    Missing {
        /// The folder.
        place: String,
    },
    /// The manifest is damaged or none of ours.
    #[error("the manifest {path} cannot be trusted: {reason}")]
    Manifest {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody else published the snapshot meanwhile, or the target of a copy holds another one.
    #[error("{place} already holds the snapshot {name}, and a snapshot never changes")]
    Exists {
        /// The folder.
        place: String,
        /// The snapshot that is there.
        name: String,
    },
    /// A file is not what was written or what the manifest says.
    #[error("{path} is not what it should be: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// How it differs.
        reason: String,
    },
    /// Whether the manifest arrived is unknown.
    #[error("whether the snapshot {name} was published is unknown: {}", storage_words(error))]
    Unknown {
        /// The snapshot.
        name: String,
        /// What the store says.
        #[source]
        error: object_store::Error,
    },
}

impl SnapshotError {
    /// The way out.
    pub fn help(&self) -> String {
        match self {
            Self::Location(error) => error.help(),
            Self::Warehouse(error) => error.help(),
            Self::Storage { error, .. } => storage_help(error),
            Self::Missing { .. } => "`throughline snapshot list` names those that there are".into(),
            Self::Manifest { .. } => "take the snapshot from a copy that `throughline snapshot verify` accepts".into(),
            Self::Exists { .. } => "copy it to another place, or ask for a revision with --revise".into(),
            Self::Damaged { .. } => {
                "`throughline snapshot verify` names every file that is damaged; take them from a sound copy".into()
            }
            Self::Unknown { .. } => "ask again once the store answers: it is there whole, or not at all".into(),
        }
    }
}
