//! What an object store's error means, in a line, and the way out of it.

use object_store::Error;

/// The error in words for a person: of an answer in XML its code and message, without signatures and request ids.
pub(crate) fn storage_words(error: &Error) -> String {
    plain_words(&error.to_string())
}

/// A text in which each XML answer of an object store is shortened to its code and message.
pub fn plain_words(text: &str) -> String {
    const END: &str = "</Error>";
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = beginning_of_answer(rest) {
        let Some(end) = rest[begin..].find(END).map(|end| begin + end) else { break };
        let before = rest[..begin].trim_end();
        let before = before.rfind("<?xml").map_or(before, |declaration| &before[..declaration]);
        let answer = &rest[begin..end];
        words.push_str(before);
        match (element(answer, "Code"), element(answer, "Message")) {
            (Some(code), Some(message)) => words.push_str(&format!("{code}: {message}")),
            (Some(one), None) | (None, Some(one)) => words.push_str(one),
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

fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text.trim()).filter(|text| !text.is_empty())
}

/// The way out, where one is known.
pub(crate) fn storage_help(error: &Error) -> String {
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if let Some(help) = credentials_help(&says) {
        return help.into();
    }
    if matches!(error, Error::Unauthenticated { .. }) {
        return "the store does not accept the credentials: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
                AWS_SESSION_TOKEN"
            .into();
    }
    if says(&["NoSuchBucket"]) {
        return "the bucket does not exist: create it, or correct its name in the location".into();
    }
    if says(&["scheme is not allowed", "URL scheme", "builder error"]) {
        return "check AWS_ENDPOINT_URL; for an endpoint without TLS set AWS_ALLOW_HTTP=true".into();
    }
    if says(&["without LOCATION", "PermanentRedirect", "AuthorizationHeaderMalformed"]) {
        return "the bucket lies in another region: set AWS_REGION".into();
    }
    if says(&["RequestTimeTooSkewed"]) {
        return "set this machine's clock: it is too far from the store's".into();
    }
    if says(&["dns error", "Connection refused", "error trying to connect", "tcp connect", "HTTP error: error sending"])
    {
        return "the store cannot be reached: check AWS_ENDPOINT_URL, AWS_REGION and the network; if it is only down for \
                the moment, run again"
            .into();
    }
    match error {
        // An answer to HEAD has no body, so of some refusals nothing is known but the number.
        Error::PermissionDenied { .. } if text.trim_end().ends_with("403 Forbidden:") => {
            "the store refuses it without saying why: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and grant read, \
             write and list on the location"
        }
        Error::PermissionDenied { .. } => {
            "the credentials (or the file's permissions) do not allow this: grant read, write and list on the location"
        }
        Error::NotFound { .. } => "the object is gone: something removed it while it was read; run again",
        Error::Generic { .. } if says(&["No space left"]) => "free space on the disk and run again",
        _ => "the store may be out of reach for the moment: run again; if it stays, check the location and the network",
    }
    .into()
}

/// What is wrong with the credentials, by the codes that Amazon and those who speak its protocol answer with. Most come
/// with 403, as a right that is missing does.
fn credentials_help(says: &dyn Fn(&[&str]) -> bool) -> Option<&'static str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(body: &str) -> Error {
        let source = format!("Server returned non-2xx status code: 403 Forbidden: {body}").into();
        Error::PermissionDenied { path: "lake/calls".into(), source }
    }

    #[test]
    fn an_answer_in_xml_is_told_by_its_code_and_message() {
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
            let error = denied(body);
            assert!(storage_help(&error).contains(way_out), "{body}: {}", storage_help(&error));
            assert!(!storage_words(&error).contains(['<', '>']), "{}", storage_words(&error));
        }
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in ["", "connection reset", "a <Error> that does not end", "<?xml?><Other/>", "<Errors></Error>"] {
            assert_eq!(plain_words(text), text);
        }
    }
}
