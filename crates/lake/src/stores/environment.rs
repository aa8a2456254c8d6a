//! What the clients of all clouds take from the environment, and what holds where it says nothing.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::{BackoffConfig, ClientConfigKey, CredentialProvider, Error, RetryConfig};
use url::{Host, Url};

use super::store_error::StoreError;

/// A store that answers nothing for so long, over all retries of a request, is reported.
const RETRY_TIMEOUT: Duration = Duration::from_secs(180);

/// Retries of a request, unless the environment says otherwise: some 25 s of pauses.
const RETRIES: usize = 8;

/// A request of 32 MB on a slow line ends well before two minutes. The client's own are shorter.
const TIMEOUTS: [(ClientConfigKey, &str, &str); 2] =
    [(ClientConfigKey::Timeout, "TIMEOUT", "120s"), (ClientConfigKey::ConnectTimeout, "CONNECT_TIMEOUT", "10s")];

/// Timeouts of requests, but for those that variables with this beginning set, such as `AWS_CONNECT_TIMEOUT`.
pub(super) fn timeouts(beginning: &'static str) -> impl Iterator<Item = (ClientConfigKey, &'static str)> {
    let unset = move |name: &str| variable(&format!("{beginning}{name}")).is_none();
    TIMEOUTS.into_iter().filter(move |(_, name, _)| unset(name)).map(|(key, _, value)| (key, value))
}

/// A variable's value; an empty one is as good as none.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// All variables that begin so, with their names in lower case as the clients' settings are named.
pub(super) fn variables(beginning: &'static str) -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(move |(name, value)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        (name.starts_with(beginning) && !value.trim().is_empty()).then(|| (name.to_ascii_lowercase(), value))
    })
}

/// How often and how long a request is repeated; `attempts` is the variable that may say so.
pub(super) fn retries(location: &str, attempts: &'static str) -> Result<RetryConfig, StoreError> {
    let max_retries = match variable(attempts) {
        None => RETRIES,
        Some(text) => match text.trim().parse::<usize>() {
            Ok(attempts) if attempts > 0 => attempts - 1,
            _ => {
                return Err(StoreError::Setting {
                    location: location.into(),
                    reason: format!("{attempts} must be a number above zero"),
                    help: format!("correct it, or unset {attempts} for {} attempts", RETRIES + 1),
                });
            }
        },
    };
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(15), base: 2.0 };
    Ok(RetryConfig { backoff, max_retries, retry_timeout: RETRY_TIMEOUT })
}

/// Whether the store at this address may be spoken to without TLS: on this machine, or where the variable `allowing`
/// says so. Tokens and the signatures of SAS tokens are in every request, so an address of another machine without TLS
/// is refused. `name` is the variable with the address.
pub(super) fn without_tls(
    location: &str,
    address: Option<&str>,
    name: &str,
    allowing: &str,
) -> Result<bool, StoreError> {
    let Some(address) = address.filter(|address| address.starts_with("http://")) else { return Ok(false) };
    if is_plain_loopback(address) || variable(allowing).is_some() {
        return Ok(true);
    }
    Err(StoreError::Setting {
        location: location.into(),
        reason: format!("{name} is an address of another machine without TLS"),
        help: format!("write it with https://, or set {allowing}=true if credentials and data may be read on the way"),
    })
}

fn is_plain_loopback(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && loopback
}

/// The maker of this machine according to its firmware; `None` where that names none.
pub(super) fn machine_vendor() -> Option<String> {
    let firmware = |file: &str| std::fs::read_to_string(file).ok().map(|vendor| vendor.trim().to_ascii_lowercase());
    let vendor = firmware("/sys/class/dmi/id/sys_vendor").or_else(|| firmware("/sys/class/dmi/id/board_vendor"));
    vendor.filter(|vendor| !vendor.is_empty())
}

/// Nothing in the environment says who asks. Without this a client asks the metadata service of its cloud's machines,
/// which elsewhere takes minutes to find out that there is none.
#[derive(Debug)]
pub(super) struct NoCredentials<C> {
    besides: &'static str,
    of: PhantomData<fn() -> C>,
}

impl<C> NoCredentials<C> {
    /// `besides` names a place that is not read although people keep credentials there.
    pub(super) fn provider(besides: &'static str) -> Arc<Self> {
        Arc::new(Self { besides, of: PhantomData })
    }
}

#[async_trait]
impl<C: std::fmt::Debug + Send + Sync> CredentialProvider for NoCredentials<C> {
    type Credential = C;

    async fn get_credential(&self) -> object_store::Result<Arc<C>> {
        Err(Error::Unauthenticated {
            path: String::new(),
            source: format!("the environment has no credentials ({})", self.besides).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        for address in ["http://127.0.0.1:10000", "http://127.9.0.1/", "http://localhost:4443", "http://[::1]:1/a"] {
            assert!(is_plain_loopback(address), "{address}");
        }
        for address in
            ["https://127.0.0.1", "http://10.0.0.1", "http://localhost.example.com", "http://0.0.0.0", "", "x"]
        {
            assert!(!is_plain_loopback(address), "{address}");
        }
    }
}
