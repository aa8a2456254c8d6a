//! The three kinds of object stores, and what belongs to one of them alone: its words and its variables.

use object_store::Error;

/// Whose protocol an object store speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cloud {
    /// Amazon S3 and what speaks like it.
    Amazon,
    /// Azure Blob Storage, also with a hierarchical namespace.
    Azure,
    /// Google Cloud Storage.
    Google,
}

impl Cloud {
    /// By the scheme of a location.
    pub(super) fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme {
            "s3" => Some(Self::Amazon),
            "az" | "azure" | "abfs" | "abfss" => Some(Self::Azure),
            "gs" => Some(Self::Google),
            _ => None,
        }
    }

    /// By an error. Those that [`Cloud::named`] has not seen and that name no store get Amazon's words, whose protocol
    /// most stores speak.
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::Generic { store: "MicrosoftAzure", .. } => Self::Azure,
            Error::Generic { store: "GCS", .. } => Self::Google,
            Error::PermissionDenied { source, .. }
            | Error::Unauthenticated { source, .. }
            | Error::NotFound { source, .. } => {
                source.downcast_ref::<Named>().map_or(Self::Amazon, |named| named.cloud)
            }
            _ => Self::Amazon,
        }
    }

    /// The error with a mark of this cloud, where its kind alone does not say whose it is.
    pub(super) fn named(self, error: Error) -> Error {
        let named = |source| Box::new(Named { cloud: self, source });
        match error {
            Error::PermissionDenied { path, source } => Error::PermissionDenied { path, source: named(source) },
            Error::Unauthenticated { path, source } => Error::Unauthenticated { path, source: named(source) },
            Error::NotFound { path, source } => Error::NotFound { path, source: named(source) },
            other => other,
        }
    }

    /// What holds the objects.
    pub(super) fn container(self) -> &'static str {
        match self {
            Self::Amazon | Self::Google => "bucket",
            Self::Azure => "container",
        }
    }

    /// How a location is written.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Amazon => "s3://bucket/prefix",
            Self::Azure => "az://container/prefix",
            Self::Google => "gs://bucket/prefix",
        }
    }

    /// The variables that say who asks.
    pub(super) fn credentials(self) -> &'static str {
        match self {
            Self::Amazon => "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
            Self::Azure => {
                "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or \
                 AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET"
            }
            Self::Google => {
                "GOOGLE_APPLICATION_CREDENTIALS, the file that `gcloud auth application-default login` writes, or \
                 GOOGLE_SERVICE_ACCOUNT"
            }
        }
    }

    /// The variables that say where the store is.
    pub(super) fn address(self) -> &'static str {
        match self {
            Self::Amazon => "AWS_ENDPOINT_URL, AWS_REGION",
            Self::Azure => "AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ENDPOINT",
            Self::Google => "GOOGLE_BASE_URL",
        }
    }

    /// The variable with the store's address, and the one that allows it to be without TLS.
    pub(super) fn endpoint(self) -> (&'static str, &'static str) {
        match self {
            Self::Amazon => ("AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP"),
            Self::Azure => ("AZURE_STORAGE_ENDPOINT", "AZURE_ALLOW_HTTP"),
            Self::Google => ("GOOGLE_BASE_URL", "GOOGLE_ALLOW_HTTP"),
        }
    }
}

/// An error that knows whose it is.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
struct Named {
    cloud: Cloud,
    source: Box<dyn std::error::Error + Send + Sync>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_whose_it_is_and_nothing_else() {
        let denied = || Error::PermissionDenied { path: "lake".into(), source: "403 Forbidden: ".into() };
        for cloud in [Cloud::Amazon, Cloud::Azure, Cloud::Google] {
            let named = cloud.named(denied());
            assert_eq!(Cloud::of(&named), cloud);
            assert_eq!(named.to_string(), denied().to_string());
        }
        assert_eq!(Cloud::of(&denied()), Cloud::Amazon);
        let stream = Error::Generic { store: "MicrosoftAzure", source: "body error".into() };
        assert_eq!(Cloud::of(&stream), Cloud::Azure);
    }
}
