//! What an object store's error means, in a line, and the way out of it.

use std::borrow::Cow;

use object_store::Error;

use super::cloud::Cloud;
use super::credentials::credentials_help;

/// The error in words for a person: of an answer in XML its code and message, without signatures and request ids.
pub(crate) fn storage_words(error: &Error) -> String {
    plain_words(&error.to_string())
}

/// A text in which each XML answer of an object store is shortened to its code and message, and no address carries a
/// signature.
pub fn plain_words(text: &str) -> String {
    let text = without_signatures(text);
    let text = text.as_ref();
    const END: &str = "</Error>";
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = beginning_of_answer(rest) {
        let Some(end) = rest[begin..].find(END).map(|end| begin + end) else { break };
        let before = rest[..begin].trim_end();
        let before = before.rfind("<?xml").map_or(before, |declaration| &before[..declaration]);
        let answer = &rest[begin..end];
        // Azure's answers begin with a byte order mark.
        words.push_str(before.trim_end_matches('\u{feff}'));
        match (element(answer, "Code"), message(answer)) {
            (Some(code), Some(message)) => words.push_str(&format!("{code}: {message}")),
            (Some(one), None) => words.push_str(one),
            (None, Some(one)) => words.push_str(&one),
            (None, None) => {}
        }
        rest = &rest[end + END.len()..];
    }
    words.push_str(rest);
    words
}

/// Where `<Error>` stands, also with a namespace.
fn beginning_of_answer(text: &str) -> Option<usize> {
    text.match_indices("<Error").map(|(at, _)| at).find(|at| text[at + "<Error".len()..].starts_with(['>', ' ']))
}

/// The message without the lines in which Azure numbers its requests.
fn message(answer: &str) -> Option<String> {
    let lines = element(answer, "Message")?.lines().map(str::trim);
    let kept: Vec<&str> = lines.filter(|line| !line.starts_with("RequestId:") && !line.starts_with("Time:")).collect();
    Some(kept.join(" ").trim().to_owned()).filter(|message| !message.is_empty())
}

/// The signature of a SAS token (`sig=`) opens a store to whoever reads it.
fn without_signatures(text: &str) -> Cow<'_, str> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = ["?sig=", "&sig="].iter().filter_map(|begins| rest.find(begins)).min() {
        let (before, signature) = rest.split_at(at + "?sig=".len());
        let end = signature.find(|letter: char| !letter.is_ascii_alphanumeric() && !"%+/=-_.~".contains(letter));
        plain.push_str(before);
        plain.push('…');
        rest = &signature[end.unwrap_or(signature.len())..];
    }
    if plain.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(plain + rest) }
}

fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text.trim()).filter(|text| !text.is_empty())
}

/// The way out, where one is known.
pub(crate) fn storage_help(error: &Error) -> String {
    let text = error.to_string();
    let cloud = Cloud::of(error);
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if let Some(help) = credentials_help(cloud, &says) {
        return help.into();
    }
    if matches!(error, Error::Unauthenticated { .. }) {
        return format!("the store does not accept the credentials: check {}", cloud.credentials());
    }
    if says(&["NoSuchBucket", "ContainerNotFound", "BucketNotFound"]) {
        return format!("the {} does not exist: create it, or correct its name in the location", cloud.container());
    }
    if says(&["scheme is not allowed", "URL scheme", "builder error"]) {
        let (endpoint, without_tls) = cloud.endpoint();
        return format!("check {endpoint}; for an endpoint without TLS set {without_tls}=true");
    }
    if says(&["without LOCATION", "PermanentRedirect", "AuthorizationHeaderMalformed"]) {
        return "the bucket lies in another region: set AWS_REGION".into();
    }
    if says(&["RequestTimeTooSkewed"]) {
        return "set this machine's clock: it is too far from the store's".into();
    }
    if says(&["dns error", "Connection refused", "error trying to connect", "tcp connect", "HTTP error: error sending"])
    {
        return format!(
            "the store cannot be reached: check {} and the network; if it is only down for the moment, run again",
            cloud.address()
        );
    }
    match error {
        // An answer to HEAD has no body, so of some refusals nothing is known but the number.
        Error::PermissionDenied { .. } if text.trim_end().ends_with("403 Forbidden:") => format!(
            "the store refuses it without saying why: check {}, and grant read, write and list on the location",
            cloud.credentials()
        ),
        Error::PermissionDenied { .. } => {
            "the credentials (or the file's permissions) do not allow this: grant read, write and list on the location"
                .into()
        }
        Error::NotFound { .. } => "the object is gone: something removed it while it was read; run again".into(),
        Error::Generic { .. } if says(&["No space left"]) => "free space on the disk and run again".into(),
        _ => "the store may be out of reach for the moment: run again; if it stays, check the location and the network"
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(body: &str) -> Error {
        let source = format!("Server returned non-2xx status code: 403 Forbidden: {body}").into();
        Error::PermissionDenied { path: "lake/calls".into(), source }
    }

    #[test]
    fn an_answer_in_xml_is_shortened_to_its_code_and_message() {
        let error = denied(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>SignatureDoesNotMatch</Code><Message>The request \
             signature does not match</Message><AWSAccessKeyId>AKIAEXAMPLE</AWSAccessKeyId><StringToSign>AWS4-HMAC\
             </StringToSign><SignatureProvided>abc</SignatureProvided></Error>",
        );
        let words = storage_words(&error);
        assert!(
            words.ends_with("403 Forbidden: SignatureDoesNotMatch: The request signature does not match"),
            "{words}"
        );
        assert!(storage_help(&error).contains("AWS_SECRET_ACCESS_KEY"));
        assert!(storage_help(&denied("<Error><Code>AccessDenied</Code></Error>")).contains("grant read, write"));
    }

    /// Answers as these servers give them; of Ceph there is no message, of MinIO a namespace may be declared.
    #[test]
    fn each_answer_has_its_way_out() {
        let cases = [
            ("<Error><Code>InvalidAccessKeyId</Code><RequestId>tx0</RequestId></Error>", "check AWS_ACCESS_KEY_ID"),
            (
                "<Error xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Code>SignatureDoesNotMatch</Code></Error>",
                "check AWS_SECRET_ACCESS_KEY",
            ),
            ("<Error><Code>ExpiredToken</Code><Message>The token has expired</Message></Error>", "AWS_SESSION_TOKEN"),
            (
                "<Error><Code>AccessDenied</Code><Message>Forbidden: No such key: GK1</Message></Error>",
                "know the access key",
            ),
            ("<Error><Code>RequestTimeTooSkewed</Code></Error>", "clock"),
            ("<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>", "grant read, write and list"),
            ("", "without saying why: check AWS_ACCESS_KEY_ID"),
        ];
        for (body, way_out) in cases {
            assert_way_out(&denied(body), way_out);
        }
    }

    /// Answers of Azure and Azurite: a byte order mark, and a message that ends with the request's number and time.
    #[test]
    fn each_answer_of_azure_has_its_way_out() {
        let authenticate = "Server failed to authenticate the request. Make sure the value of the Authorization header is \
                            formed correctly including the signature.\nRequestId:6f-0\nTime:2026-11-30T16:00:00Z";
        let cases = [
            ("AuthenticationFailed", authenticate, "check AZURE_STORAGE_ACCOUNT_KEY"),
            ("AuthorizationFailure", authenticate, "check AZURE_STORAGE_ACCOUNT_KEY"),
            (
                "AuthenticationFailed",
                "Server failed to authenticate the request. Signature not valid in the specified time frame",
                "AZURE_STORAGE_SAS_TOKEN",
            ),
            ("AuthenticationFailed", "The Date header: Request date header too old: 'Mon'", "clock"),
            ("InvalidAuthenticationInfo", "Lifetime validation failed. The token is expired.", "AZURE_STORAGE_TOKEN"),
            (
                "AuthorizationPermissionMismatch",
                "Not authorized with this permission.",
                "Storage Blob Data Contributor",
            ),
            ("KeyBasedAuthenticationNotPermitted", "Key based authentication is not permitted.", "accepts no keys"),
            ("NoAuthenticationInformation", "Missing", "AZURE_SKIP_SIGNATURE"),
        ];
        for (code, message, way_out) in cases {
            let body = format!(
                "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message>\
                 <AuthenticationErrorDetail>string to sign: 'GET'</AuthenticationErrorDetail></Error>"
            );
            let error = Cloud::Azure.named(denied(&body));
            assert_way_out(&error, way_out);
            let words = storage_words(&error);
            assert!(words.contains(&format!("403 Forbidden: {code}: ")), "{words}");
            let hidden = ["RequestId", "string to sign", "\u{feff}", "AWS_"];
            assert!(!hidden.iter().any(|hidden| words.contains(hidden)), "{words}");
            assert!(!storage_help(&error).contains("AWS_"), "{}", storage_help(&error));
        }
        let gone = Error::Generic {
            store: "MicrosoftAzure",
            source: "Server returned non-2xx status code: 404 Not Found: <Error><Code>ContainerNotFound</Code></Error>"
                .into(),
        };
        assert_way_out(&gone, "the container does not exist");
        let elsewhere = Error::Generic { store: "MicrosoftAzure", source: "HTTP error: dns error".into() };
        assert_way_out(&elsewhere, "check AZURE_STORAGE_ACCOUNT_NAME");
        assert_way_out(&Cloud::Azure.named(denied("")), "without saying why: check AZURE_STORAGE_ACCOUNT_NAME");
    }

    #[test]
    fn each_answer_of_google_has_its_way_out() {
        let token = "Error performing token request: 400 Bad Request: {\"error\":\"invalid_grant\",\
                     \"error_description\":\"Invalid JWT Signature.\"}";
        let file = "GCP credential error: Unable to decode service account file: unknown variant `external_account`";
        let missing = "GCP credential error: Unable to open service account file from /k.json: No such file";
        let bucket = "non-2xx status code: 404 Not Found: <Error><Code>NoSuchBucket</Code></Error>";
        for (text, way_out) in [
            (token, "gcloud auth application-default login"),
            (file, "GOOGLE_APPLICATION_CREDENTIALS"),
            (missing, "correct the path in GOOGLE_APPLICATION_CREDENTIALS"),
            (bucket, "the bucket does not exist"),
            ("HTTP error: dns error", "check GOOGLE_BASE_URL"),
        ] {
            assert_way_out(&Error::Generic { store: "GCS", source: text.into() }, way_out);
        }
        let denied =
            Cloud::Google.named(denied("<Error><Code>AccessDenied</Code><Message>Access denied.</Message></Error>"));
        assert_way_out(&denied, "grant read, write and list");
        let unknown = Error::Unauthenticated { path: "lake".into(), source: "401 Unauthorized".into() };
        assert_way_out(&Cloud::Google.named(unknown), "check GOOGLE_APPLICATION_CREDENTIALS");
    }

    #[test]
    fn signatures_in_addresses_are_not_repeated() {
        let text = "Error performing POST https://a.blob.core.windows.net/c?sv=2024&sig=ab%2Fc%3D&comp=batch in 3ms";
        let plain = "Error performing POST https://a.blob.core.windows.net/c?sv=2024&sig=…&comp=batch in 3ms";
        assert_eq!(plain_words(text), plain);
        assert_eq!(plain_words("?sig=abc"), "?sig=…");
    }

    fn assert_way_out(error: &Error, way_out: &str) {
        assert!(storage_help(error).contains(way_out), "{error}: {}", storage_help(error));
        assert!(!storage_words(error).contains(['<', '>']), "{}", storage_words(error));
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in ["", "connection reset", "a <Error> that does not end", "<?xml?><Other/>", "<Errors></Error>"] {
            assert_eq!(plain_words(text), text);
        }
    }
}
