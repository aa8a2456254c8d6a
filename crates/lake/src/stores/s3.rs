//! S3 and what speaks like it, as the environment of the AWS tools describes it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, S3ConditionalPut};
use object_store::{BackoffConfig, ClientConfigKey, CredentialProvider, ObjectStore, RetryConfig};
use url::Url;

use super::relisting::Relisting;
use super::store_error::StoreError;

/// A store that answers nothing for so long, over all retries of a request, is reported.
const RETRY_TIMEOUT: Duration = Duration::from_secs(180);

/// Retries of a request, unless `AWS_MAX_ATTEMPTS` says otherwise: some 25 s of pauses.
const RETRIES: usize = 8;

/// A request of 32 MB on a slow line ends well before two minutes.
const DEFAULTS: [(ClientConfigKey, &str); 2] =
    [(ClientConfigKey::Timeout, "120s"), (ClientConfigKey::ConnectTimeout, "10s")];

/// The store of a bucket. Timeouts and retries are set here unless the environment does: `AWS_TIMEOUT`,
/// `AWS_CONNECT_TIMEOUT`, `AWS_MAX_ATTEMPTS`.
pub(super) fn store(location: &str, url: &Url) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let invalid = |reason: String| StoreError::Invalid { location: location.into(), reason };
    let bucket = url
        .host_str()
        .filter(|bucket| !bucket.is_empty())
        .ok_or_else(|| invalid("the bucket is missing: write s3://bucket/prefix".into()))?;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let max_retries = match variable("AWS_MAX_ATTEMPTS") {
        None => RETRIES,
        Some(text) => match text.trim().parse::<usize>() {
            Ok(attempts) if attempts > 0 => attempts - 1,
            _ => return Err(invalid("AWS_MAX_ATTEMPTS must be a number above zero".into())),
        },
    };
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(15), base: 2.0 };
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(RetryConfig { backoff, max_retries, retry_timeout: RETRY_TIMEOUT });
    for (key, value) in DEFAULTS {
        let key = AmazonS3ConfigKey::Client(key);
        if builder.get_config_value(&key).is_none() {
            builder = builder.with_config(key, value);
        }
    }
    // As with the AWS tools, an endpoint that is written with `http://` is meant so. Requests are signed, and the
    // secret key is in none of them.
    let endpoint = variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL"));
    if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) && variable("AWS_ALLOW_HTTP").is_none() {
        builder = builder.with_allow_http(true);
    }
    // Without any credentials the client asks the metadata service of Amazon's own machines, which elsewhere takes
    // minutes to find out that there is none.
    const SOURCES: [&str; 6] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SKIP_SIGNATURE",
        "AWS_METADATA_ENDPOINT",
    ];
    let disabled = variable("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if SOURCES.iter().all(|name| variable(name).is_none()) && (disabled || !on_amazon()) {
        builder = builder.with_credentials(Arc::new(NoCredentials));
    }
    let store = builder.build().map_err(|error| StoreError::Client { location: location.into(), error })?;
    Ok(Arc::new(Relisting::new(store)))
}

/// Nothing in the environment says who asks.
#[derive(Debug)]
struct NoCredentials;

#[async_trait]
impl CredentialProvider for NoCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        Err(object_store::Error::Unauthenticated {
            path: String::new(),
            source: "the environment has no credentials (profiles in ~/.aws are not read)".into(),
        })
    }
}

/// Whether this may be a machine of Amazon's, whose metadata service gives out credentials. Where the firmware says
/// nothing, it may be.
fn on_amazon() -> bool {
    let told = |file: &str| std::fs::read_to_string(file).ok();
    let vendor = told("/sys/class/dmi/id/sys_vendor").or_else(|| told("/sys/class/dmi/id/board_vendor"));
    vendor.is_none_or(|vendor| vendor.trim().is_empty() || vendor.to_ascii_lowercase().contains("amazon"))
}
