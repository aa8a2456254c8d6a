//! S3 and what speaks like it, as the environment of the AWS tools describes it.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};

use super::cloud::Cloud;
use super::cloud_store::CloudStore;
use super::environment::{NoCredentials, machine_vendor, retries, timeouts, variable};
use super::store_error::StoreError;

/// The store of a bucket. Timeouts and retries are set here unless the environment does: `AWS_TIMEOUT`,
/// `AWS_CONNECT_TIMEOUT`, `AWS_MAX_ATTEMPTS`.
pub(super) fn store(location: &str, bucket: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(retries(location, "AWS_MAX_ATTEMPTS")?);
    for (key, value) in timeouts("AWS_") {
        builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
    }
    // As with the AWS tools, an endpoint that is written with `http://` is meant so. Requests are signed, and the
    // secret key is in none of them.
    let endpoint = variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL"));
    if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) && variable("AWS_ALLOW_HTTP").is_none() {
        builder = builder.with_allow_http(true);
    }
    const SOURCES: [&str; 6] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SKIP_SIGNATURE",
        "AWS_METADATA_ENDPOINT",
    ];
    let disabled = variable("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    // Where the firmware says nothing, it may be a machine of Amazon's.
    let on_amazon = machine_vendor().is_none_or(|vendor| vendor.contains("amazon"));
    if SOURCES.iter().all(|name| variable(name).is_none()) && (disabled || !on_amazon) {
        builder = builder.with_credentials(NoCredentials::provider("profiles in ~/.aws are not read"));
    }
    let store = builder.build().map_err(|error| StoreError::client(location, Cloud::Amazon, error))?;
    Ok(Arc::new(CloudStore::new(Cloud::Amazon, store)))
}
