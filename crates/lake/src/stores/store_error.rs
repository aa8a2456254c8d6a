//! What can be wrong with a location, and the way out of each.

use super::cloud::Cloud;
use super::credentials::credentials_help;
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
    /// A variable of the environment is missing or wrong.
    #[error("the object store of `{location}` cannot be used: {reason}")]
    Setting {
        /// The location as written.
        location: String,
        /// The variable, and what is wrong with it.
        reason: String,
        /// The way out.
        help: String,
    },
    /// The client of an object store could not be made from the environment.
    #[error("the object store of `{location}` cannot be used: {}", storage_words(error))]
    Client {
        /// The location as written.
        location: String,
        /// The way out.
        help: String,
        /// What the client says; boxed, as it is the largest by far.
        #[source]
        error: Box<object_store::Error>,
    },
}

impl StoreError {
    /// The way out.
    pub fn help(&self) -> String {
        match self {
            Self::UnsupportedScheme { .. } | Self::Invalid { .. } => {
                "use a path relative to the workspace, an absolute path, `file:///path`, `s3://bucket/prefix`, \
                 `az://container/prefix` or `gs://bucket/prefix`"
                    .into()
            }
            Self::Setting { help, .. } | Self::Client { help, .. } => help.clone(),
        }
    }

    pub(super) fn client(location: &str, cloud: Cloud, error: object_store::Error) -> Self {
        let text = error.to_string();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let help = credentials_help(cloud, &says)
            .map_or_else(|| format!("check {}, and {}", cloud.address(), cloud.credentials()), ToOwned::to_owned);
        Self::Client { location: location.into(), help, error: Box::new(error) }
    }
}
