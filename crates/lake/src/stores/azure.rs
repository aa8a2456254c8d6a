//! Azure Blob Storage, as the environment of the Azure tools describes it.

use std::sync::Arc;

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::{ClientConfigKey, ObjectStore};
use url::Url;

use super::cloud::Cloud;
use super::cloud_store::CloudStore;
use super::environment::{NoCredentials, machine_vendor, retries, timeouts, variable, variables, without_tls};
use super::store_error::StoreError;

/// The store of a container. Timeouts and retries are set here unless the environment does: `AZURE_TIMEOUT`,
/// `AZURE_CONNECT_TIMEOUT`, `AZURE_MAX_ATTEMPTS`.
pub(super) fn store(location: &str, url: &Url) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let place = Place::of(location, url)?;
    let mut builder = from_environment().with_container_name(place.container);
    if let Some((account, endpoint)) = place.account {
        builder = builder.with_account(account).with_endpoint(endpoint);
    }
    builder = builder.with_retry(retries(location, "AZURE_MAX_ATTEMPTS")?);
    for (key, value) in timeouts("AZURE_") {
        builder = builder.with_config(AzureConfigKey::Client(key), value);
    }
    let setting = |reason: &str, help: &str| StoreError::Setting {
        location: location.into(),
        reason: reason.into(),
        help: help.into(),
    };
    let set = |key: AzureConfigKey| builder.get_config_value(&key).is_some();
    let emulator = is_true(&builder, AzureConfigKey::UseEmulator);
    if !emulator && !set(AzureConfigKey::AccountName) {
        let connection = variable("AZURE_STORAGE_CONNECTION_STRING").is_some();
        let more = if connection { "; AZURE_STORAGE_CONNECTION_STRING is not read" } else { "" };
        return Err(setting(
            &format!("AZURE_STORAGE_ACCOUNT_NAME is not set{more}"),
            "set it, or name the account in the location: abfss://container@account.dfs.core.windows.net/prefix",
        ));
    }
    let given = [AzureConfigKey::AccessKey, AzureConfigKey::Token, AzureConfigKey::SasKey].into_iter().any(set);
    for (secret, name) in [
        (AzureConfigKey::ClientSecret, "AZURE_CLIENT_SECRET"),
        (AzureConfigKey::FederatedTokenFile, "AZURE_FEDERATED_TOKEN_FILE"),
    ] {
        let whole = set(AzureConfigKey::ClientId) && set(AzureConfigKey::AuthorityId);
        if !given && !emulator && set(secret) && !whole {
            return Err(setting(
                &format!("{name} is set without AZURE_CLIENT_ID and AZURE_TENANT_ID"),
                "set all three, or AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_SAS_TOKEN",
            ));
        }
    }
    let (address, name) = if emulator {
        (variable("AZURITE_BLOB_STORAGE_URL"), "AZURITE_BLOB_STORAGE_URL")
    } else {
        (builder.get_config_value(&AzureConfigKey::Endpoint), "AZURE_STORAGE_ENDPOINT")
    };
    if without_tls(location, address.as_deref(), name, "AZURE_ALLOW_HTTP")? {
        builder = builder.with_config(AzureConfigKey::Client(ClientConfigKey::AllowHttp), "true");
    }
    if !emulator && !has_credentials(&builder) {
        builder = builder.with_credentials(NoCredentials::provider(
            "connection strings are not read; AZURE_USE_AZURE_CLI=true asks the Azure CLI",
        ));
    }
    let store = builder.build().map_err(|error| StoreError::client(location, Cloud::Azure, error))?;
    Ok(Arc::new(CloudStore::new(Cloud::Azure, store)))
}

/// As [`MicrosoftAzureBuilder::from_env`], but a variable that is empty is as good as none, and the Azure CLI's own two
/// names count.
fn from_environment() -> MicrosoftAzureBuilder {
    let mut builder = MicrosoftAzureBuilder::new();
    for (name, value) in variables("AZURE_") {
        if let Ok(key) = name.parse() {
            builder = builder.with_config(key, value);
        }
    }
    for (name, key) in [
        ("IDENTITY_ENDPOINT", AzureConfigKey::MsiEndpoint),
        ("AZURE_STORAGE_ACCOUNT", AzureConfigKey::AccountName),
        ("AZURE_STORAGE_KEY", AzureConfigKey::AccessKey),
    ] {
        if let (None, Some(value)) = (builder.get_config_value(&key), variable(name)) {
            builder = builder.with_config(key, value);
        }
    }
    builder
}

fn is_true(builder: &MicrosoftAzureBuilder, key: AzureConfigKey) -> bool {
    // As object_store reads it; what is neither yes nor no is refused when the client is made.
    let value = builder.get_config_value(&key).unwrap_or_default().to_ascii_lowercase();
    ["1", "true", "on", "yes", "y"].contains(&value.as_str())
}

fn has_credentials(builder: &MicrosoftAzureBuilder) -> bool {
    let given = [
        AzureConfigKey::AccessKey,
        AzureConfigKey::Token,
        AzureConfigKey::SasKey,
        AzureConfigKey::ClientSecret,
        AzureConfigKey::FederatedTokenFile,
        AzureConfigKey::MsiEndpoint,
        AzureConfigKey::FabricTokenServiceUrl,
    ];
    let asked = [AzureConfigKey::UseAzureCli, AzureConfigKey::SkipSignature];
    // Machines of Azure's say who made them, and what runs there without such firmware has IDENTITY_ENDPOINT.
    given.iter().any(|key| builder.get_config_value(key).is_some())
        || asked.into_iter().any(|key| is_true(builder, key))
        || machine_vendor().is_some_and(|vendor| vendor.contains("microsoft"))
}

/// What a location says of the store.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    container: String,
    /// The account and the address of its blobs, where the location names them.
    account: Option<(String, String)>,
}

impl Place {
    /// `az://container/…`, or as Hadoop and Azure's own pages write it:
    /// `abfss://container@account.dfs.core.windows.net/…`. Files of an account with a hierarchical namespace (`dfs`)
    /// are blobs, too, at the address with `blob`.
    fn of(location: &str, url: &Url) -> Result<Self, StoreError> {
        let host = url.host_str().unwrap_or_default();
        let invalid = |reason: &str| StoreError::Invalid { location: location.into(), reason: reason.into() };
        if url.username().is_empty() {
            if host.contains('.') {
                return Err(invalid(
                    "a container's name has no dot: write abfss://container@account.dfs.core.windows.net",
                ));
            }
            return Ok(Self { container: host.to_owned(), account: None });
        }
        let mut parts = host.splitn(3, '.');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(account), Some("dfs" | "blob"), Some(rest)) if !account.is_empty() && !rest.is_empty() => Ok(Self {
                container: url.username().to_owned(),
                account: Some((account.to_owned(), format!("https://{account}.blob.{rest}"))),
            }),
            _ => Err(invalid("after `@` stands account.dfs.core.windows.net or account.blob.core.windows.net")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(location: &str) -> Result<Place, String> {
        Place::of(location, &Url::parse(location).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_container_is_written_in_two_ways() {
        let short = Place { container: "lake".into(), account: None };
        assert_eq!(place("az://lake/calls"), Ok(short));
        for service in ["dfs", "blob"] {
            let long = place(&format!("abfss://lake@company.{service}.core.windows.net/calls")).unwrap();
            assert_eq!(long.container, "lake");
            let address = "https://company.blob.core.windows.net".to_owned();
            assert_eq!(long.account, Some(("company".to_owned(), address)));
        }
        let china = place("abfss://lake@company.dfs.core.chinacloudapi.cn/").unwrap().account.unwrap();
        assert_eq!(china.1, "https://company.blob.core.chinacloudapi.cn");
    }

    #[test]
    fn what_is_no_container_is_refused() {
        assert!(place("az://company.blob.core.windows.net/lake").unwrap_err().contains("has no dot"));
        for location in ["abfss://lake@company/", "abfss://lake@company.file.core.windows.net/", "abfss://lake@.dfs.a/"]
        {
            assert!(place(location).unwrap_err().contains("account.dfs.core.windows.net"), "{location}");
        }
    }
}
