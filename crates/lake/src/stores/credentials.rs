//! What is wrong with the credentials, by the codes that the clouds answer with. Most come with 403, as a right that is
//! missing does.

use super::cloud::Cloud;

/// The way out, where the answer's code or message says what is wrong. `says` returns whether it contains one of some
/// words.
pub(super) fn credentials_help(cloud: Cloud, says: &dyn Fn(&[&str]) -> bool) -> Option<&'static str> {
    match cloud {
        Cloud::Amazon => amazon(says),
        Cloud::Azure => azure(says),
        Cloud::Google => google(says),
    }
}

/// Codes of Amazon and of those who speak its protocol.
fn amazon(says: &dyn Fn(&[&str]) -> bool) -> Option<&'static str> {
    // Garage answers `AccessDenied: Forbidden: Invalid signature`, and R2 `InvalidArgument: Credential access key …`.
    if says(&["SignatureDoesNotMatch", "Invalid signature"]) {
        return Some(
            "the secret is not that of the access key: check AWS_SECRET_ACCESS_KEY, and AWS_ACCESS_KEY_ID to which it \
             belongs",
        );
    }
    if says(&["InvalidAccessKeyId", "InvalidClientTokenId", "Forbidden: No such key", "Credential access key"]) {
        return Some(
            "the store does not know the access key: check AWS_ACCESS_KEY_ID, AWS_SESSION_TOKEN where the key is a \
             temporary one, and that AWS_ENDPOINT_URL is the store that gave it out",
        );
    }
    if says(&["ExpiredToken", "InvalidToken", "TokenRefreshRequired"]) {
        return Some(
            "the session is over or not one of the access key: get new credentials and set AWS_ACCESS_KEY_ID, \
             AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN together",
        );
    }
    says(&["AuthFailure", "MissingSecurityHeader", "InvalidSecurity"])
        .then_some("the store does not accept the credentials: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
}

/// Codes of Azure Blob Storage, and of its directory, which gives out tokens (`AADSTS…`).
fn azure(says: &dyn Fn(&[&str]) -> bool) -> Option<&'static str> {
    if says(&["AADSTS"]) {
        return Some(
            "the directory gives out no token: check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or \
             AZURE_FEDERATED_TOKEN_FILE)",
        );
    }
    if says(&["Request date header too old", "RequestTimeTooSkewed"]) {
        return Some("set this machine's clock: it is too far from the store's");
    }
    if says(&["specified time frame", "token is expired", "token has expired"]) {
        return Some(
            "the token is over or not yet valid: get a new one and set AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_TOKEN",
        );
    }
    if says(&["Invalid Access Key"]) {
        return Some("AZURE_STORAGE_ACCOUNT_KEY is not a key: it is 88 characters of base64 and ends with ==");
    }
    if says(&["KeyBasedAuthenticationNotPermitted"]) {
        return Some(
            "the account accepts no keys: unset AZURE_STORAGE_ACCOUNT_KEY and set AZURE_CLIENT_ID, AZURE_TENANT_ID and \
             AZURE_CLIENT_SECRET, or run on a machine with an identity of its own",
        );
    }
    // Codes differ (AuthenticationFailed, and AuthorizationFailure of Azurite), the message does not.
    if says(&["failed to authenticate the request", "AuthenticationFailed", "InvalidAuthenticationInfo"]) {
        return Some(
            "the key or token is not one of the account: check AZURE_STORAGE_ACCOUNT_KEY (or AZURE_STORAGE_SAS_TOKEN), \
             and AZURE_STORAGE_ACCOUNT_NAME to which it belongs",
        );
    }
    if says(&["NoAuthenticationInformation", "PublicAccessNotPermitted"]) {
        return Some(
            "the container is not public: unset AZURE_SKIP_SIGNATURE and set AZURE_STORAGE_ACCOUNT_KEY or \
             AZURE_STORAGE_SAS_TOKEN",
        );
    }
    if says(&["AuthorizationSourceIPMismatch", "not authorized to perform this operation using this source IP"]) {
        return Some("the token is for other addresses than this machine's: get one for it");
    }
    says(&["AuthorizationFailure", "AuthorizationPermissionMismatch", "InsufficientAccountPermissions"]).then_some(
        "the identity may not do this: grant read, write, list and delete on the container (the role Storage Blob Data \
         Contributor, or rights r w c l d of a SAS token), and let the account's firewall through",
    )
}

/// Codes of Google Cloud Storage, and of the service that gives out tokens.
fn google(says: &dyn Fn(&[&str]) -> bool) -> Option<&'static str> {
    if says(&["invalid_grant", "invalid_client", "invalid_rapt"]) {
        return Some(
            "Google gives out no token: the key was removed or the log-in is over; run `gcloud auth application-default \
             login`, or point GOOGLE_SERVICE_ACCOUNT to the file of a current key",
        );
    }
    if says(&["unknown variant", "missing field", "Unable to decode service account file"]) {
        return Some(
            "the file is not one of a service account, nor what `gcloud auth application-default login` writes: check \
             GOOGLE_APPLICATION_CREDENTIALS and GOOGLE_SERVICE_ACCOUNT (other kinds, such as external_account, are not \
             read)",
        );
    }
    if says(&["Unable to open service account file"]) {
        return Some("correct the path in GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT");
    }
    says(&["metadata.google.internal", "computeMetadata"]).then_some(
        "this machine gives out no token: set GOOGLE_APPLICATION_CREDENTIALS, or give the machine a service account",
    )
}
