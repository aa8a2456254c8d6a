//! Azure and Google Cloud Storage when the environment does not say enough: refused at once, by the variable's name.
//! What stores themselves answer, with and without faults, `make test-stores` tries on servers.

use crate::tiny::PIPELINE;
use crate::workspace::{Outcome, Workspace};

/// Base64 of nothing secret.
const KEY: &str = "bm90IGEga2V5";

/// `check` of the tiny workspace with its source at `place`.
fn checked(place: &str, environment: &[(&str, &str)]) -> Outcome {
    let workspace = Workspace::tiny();
    workspace.edit(PIPELINE, "path: data/contacts/", "path: ${LAKE}");
    let environment = [environment, &[("LAKE", place)]].concat();
    let outcome = workspace.run_with(&["check"], &environment).ends_with(2);
    assert!(!outcome.stderr.contains(KEY), "{outcome}");
    outcome
}

fn refused(place: &str, environment: &[(&str, &str)], words: &[&str]) {
    let outcome = checked(place, environment);
    for word in words {
        assert!(outcome.stderr.contains(word), "`{word}` is missing:\n{outcome}");
    }
}

#[test]
fn azure_without_an_account_or_credentials() {
    let lake = "az://lake/contacts";
    refused(
        lake,
        &[],
        &["the object store of `az://lake/contacts` cannot be used", "AZURE_STORAGE_ACCOUNT_NAME is not set"],
    );
    refused(lake, &[("AZURE_STORAGE_CONNECTION_STRING", "x")], &["AZURE_STORAGE_CONNECTION_STRING is not read"]);
    let account = ("AZURE_STORAGE_ACCOUNT_NAME", "company");
    let nobody =
        ["the environment has no credentials", "help: ", "AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN"];
    refused(lake, &[account], &nobody);
    refused(lake, &[account, ("AZURE_STORAGE_ACCOUNT_KEY", " ")], &nobody);
    refused("abfss://lake@company.dfs.core.windows.net/contacts", &[], &nobody);
    refused(
        lake,
        &[account, ("AZURE_CLIENT_SECRET", KEY), ("AZURE_CLIENT_ID", "me")],
        &["AZURE_CLIENT_SECRET is set without AZURE_CLIENT_ID and AZURE_TENANT_ID"],
    );
    refused(lake, &[account, ("AZURE_STORAGE_KEY", "no base64!")], &["AZURE_STORAGE_ACCOUNT_KEY"]);
    let key = ("AZURE_STORAGE_ACCOUNT_KEY", KEY);
    refused(
        lake,
        &[account, key, ("AZURE_MAX_ATTEMPTS", "often")],
        &["AZURE_MAX_ATTEMPTS must be a number above zero"],
    );
}

/// Tokens and signatures are in every request.
#[test]
fn other_machines_are_not_spoken_to_without_tls() {
    let account = [("AZURE_STORAGE_ACCOUNT_NAME", "company"), ("AZURE_STORAGE_ACCOUNT_KEY", KEY)];
    // An address for documentation, where nobody is.
    let elsewhere = "http://192.0.2.1:1";
    let with = |name: &'static str| [account[0], account[1], (name, elsewhere)];
    refused(
        "az://lake/contacts",
        &with("AZURE_STORAGE_ENDPOINT"),
        &["AZURE_STORAGE_ENDPOINT", "AZURE_ALLOW_HTTP=true"],
    );
    let emulator = [("AZURE_STORAGE_USE_EMULATOR", "true"), ("AZURITE_BLOB_STORAGE_URL", elsewhere)];
    refused("az://lake/contacts", &emulator, &["AZURITE_BLOB_STORAGE_URL", "AZURE_ALLOW_HTTP=true"]);
    let key = r#"{"disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}"#;
    let google = [("GOOGLE_BASE_URL", elsewhere), ("GOOGLE_SERVICE_ACCOUNT_KEY", key)];
    refused("gs://lake/contacts", &google, &["GOOGLE_BASE_URL", "GOOGLE_ALLOW_HTTP=true"]);
}

#[test]
fn google_without_credentials() {
    let nobody = [("NO_GCE_CHECK", "true"), ("HOME", "/no/such/home")];
    refused(
        "gs://lake/contacts",
        &nobody,
        &[
            "the environment has no credentials",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "gcloud auth application-default login",
        ],
    );
    let missing = [("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/key.json")];
    refused(
        "gs://lake/contacts",
        &missing,
        &["/no/such/key.json", "correct the path in GOOGLE_APPLICATION_CREDENTIALS"],
    );
    let other = [("GOOGLE_SERVICE_ACCOUNT_KEY", r#"{"type": "external_account"}"#)];
    refused("gs://lake/contacts", &other, &["GOOGLE_SERVICE_ACCOUNT", "external_account"]);
}

#[test]
fn nothing_of_a_token_in_a_location_is_repeated() {
    let outcome = checked("az://lake/contacts?sv=2024&sig=bm90IGEga2V5", &[]);
    assert!(outcome.stderr.contains("AZURE_STORAGE_SAS_TOKEN"), "{outcome}");
}
