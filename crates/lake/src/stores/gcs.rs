//! Google Cloud Storage, as the environment of Google's tools describes it.

use std::path::Path;
use std::sync::Arc;

use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientConfigKey, ObjectStore};

use super::cloud::Cloud;
use super::cloud_store::CloudStore;
use super::environment::{NoCredentials, machine_vendor, retries, timeouts, variable, variables, without_tls};
use super::store_error::StoreError;

/// Where `gcloud auth application-default login` writes, below the home folder.
const USER_CREDENTIALS: &str = ".config/gcloud/application_default_credentials.json";

/// The store of a bucket. Timeouts and retries are set here unless the environment does: `GOOGLE_TIMEOUT`,
/// `GOOGLE_CONNECT_TIMEOUT`, `GOOGLE_MAX_ATTEMPTS`.
pub(super) fn store(location: &str, bucket: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let mut builder = from_environment().with_bucket_name(bucket).with_retry(retries(location, "GOOGLE_MAX_ATTEMPTS")?);
    for (key, value) in timeouts("GOOGLE_") {
        builder = builder.with_config(GoogleConfigKey::Client(key), value);
    }
    // Left alone, the client allows it anywhere.
    let address = builder.get_config_value(&GoogleConfigKey::BaseUrl);
    let plain = without_tls(location, address.as_deref(), "GOOGLE_BASE_URL", "GOOGLE_ALLOW_HTTP")?;
    builder = builder.with_config(GoogleConfigKey::Client(ClientConfigKey::AllowHttp), plain.to_string());
    if !has_credentials(&builder) {
        builder = builder.with_credentials(NoCredentials::provider("and ~/.config/gcloud has no application default"));
    }
    let store = builder.build().map_err(|error| StoreError::client(location, Cloud::Google, error))?;
    Ok(Arc::new(CloudStore::new(Cloud::Google, store)))
}

/// As [`GoogleCloudStorageBuilder::from_env`], but a variable that is empty is as good as none, and `SERVICE_ACCOUNT`,
/// whose name says nothing of Google, is not read.
fn from_environment() -> GoogleCloudStorageBuilder {
    let mut builder = GoogleCloudStorageBuilder::new();
    for (name, value) in variables("GOOGLE_") {
        if let Ok(key) = name.parse() {
            builder = builder.with_config(key, value);
        }
    }
    builder
}

fn has_credentials(builder: &GoogleCloudStorageBuilder) -> bool {
    let given =
        [GoogleConfigKey::ServiceAccount, GoogleConfigKey::ServiceAccountKey, GoogleConfigKey::ApplicationCredentials];
    let user = variable("HOME").is_some_and(|home| Path::new(&home).join(USER_CREDENTIALS).exists());
    let metadata = ["GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"];
    let disabled = variable("NO_GCE_CHECK").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    // Where the firmware says nothing, it may be a container of Google's.
    let on_google = !disabled && machine_vendor().is_none_or(|vendor| vendor.contains("google"));
    given.iter().any(|key| builder.get_config_value(key).is_some())
        || user
        || metadata.iter().any(|name| variable(name).is_some())
        || on_google
}
