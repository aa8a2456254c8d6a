//! What can be wrong with a location, and the way out of each.

use super::storage_error::storage_words;

/// A location cannot be turned into a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A scheme this program does not read.
    #[error("`{location}` has the scheme `{scheme}`, which is not supported")]
    UnsupportedScheme {
        /// The location as written.
        location: String,
        /// Its scheme.
        scheme: String,
    },
    /// Not a location at all.
    #[error("`{location}` is not a location: {reason}")]
    Invalid {
        /// The location as written.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The client of an object store could not be made from the environment.
    #[error("the object store of `{location}` cannot be used: {}", storage_words(error))]
    Client {
        /// The location as written.
        location: String,
        /// What the client says.
        error: object_store::Error,
    },
}

impl StoreError {
    /// The way out.
    pub fn help(&self) -> String {
        match self {
            Self::UnsupportedScheme { .. } | Self::Invalid { .. } => {
                "use a path relative to the workspace, an absolute path, `file:///path` or `s3://bucket/prefix`".into()
            }
            Self::Client { .. } => {
                "check AWS_REGION, AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".into()
            }
        }
    }
}
