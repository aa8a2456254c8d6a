//! Who may ask: a basic header, or a token that a handshake with such a header gave.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tonic::Status;
use tonic::metadata::MetadataMap;
use uuid::Uuid;

use crate::guesses::Guesses;
use crate::password::Password;

/// How long a token is good for.
const TOKEN_TIME: Duration = Duration::from_secs(12 * 60 * 60);
/// The oldest tokens go first when more are asked for.
const MOST_TOKENS: usize = 10_000;
/// A token that is none is answered so late.
const AFTER_REFUSAL: Duration = Duration::from_millis(500);

/// Decides who may ask.
pub(super) struct Logins {
    known: Option<(String, Password)>,
    tokens: Mutex<VecDeque<(String, Instant)>>,
}

impl Logins {
    /// With a password, only who knows it may ask; without one, everybody.
    pub(super) fn new(user: &str, password: Option<&Password>) -> Self {
        let known = password.map(|password| (user.to_owned(), password.clone()));
        Self { known, tokens: Mutex::default() }
    }

    fn tokens(&self) -> MutexGuard<'_, VecDeque<(String, Instant)>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call through, or not.
    pub(super) async fn check(
        &self,
        metadata: &MetadataMap,
        peer: Option<SocketAddr>,
        guesses: &Guesses,
    ) -> Result<(), Status> {
        if self.known.is_none() {
            return Ok(());
        }
        let header = authorization(metadata);
        match header.split_once(' ') {
            Some((kind, token)) if kind.eq_ignore_ascii_case("bearer") && self.holds(token) => Ok(()),
            Some((kind, _)) if kind.eq_ignore_ascii_case("basic") => self.prove(header, peer, guesses).await,
            _ => {
                tokio::time::sleep(AFTER_REFUSAL).await;
                Err(refused())
            }
        }
    }

    /// A token for a client that has given user and password.
    pub(super) async fn token(
        &self,
        metadata: &MetadataMap,
        peer: Option<SocketAddr>,
        guesses: &Guesses,
    ) -> Result<String, Status> {
        if self.known.is_some() {
            self.prove(authorization(metadata), peer, guesses).await?;
        }
        let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let mut tokens = self.tokens();
        while tokens.len() >= MOST_TOKENS || tokens.front().is_some_and(|(_, since)| since.elapsed() > TOKEN_TIME) {
            tokens.pop_front();
        }
        tokens.push_back((token.clone(), Instant::now()));
        Ok(token)
    }

    /// Whether a header names user and password. One that does not counts as a guess.
    async fn prove(&self, header: &str, peer: Option<SocketAddr>, guesses: &Guesses) -> Result<(), Status> {
        let peer = peer.ok_or_else(|| Status::internal("the client has no address"))?;
        let attempt = guesses.attempt(peer).await?;
        if self.names_user(header) {
            attempt.right();
            return Ok(());
        }
        let wait = attempt.wrong();
        tokio::time::sleep(wait).await;
        Err(refused())
    }

    fn holds(&self, token: &str) -> bool {
        self.tokens().iter().any(|(known, since)| known == token && since.elapsed() <= TOKEN_TIME)
    }

    fn names_user(&self, header: &str) -> bool {
        let Some((user, password)) = &self.known else { return true };
        let Some(given) = header.split_once(' ').filter(|(kind, _)| kind.eq_ignore_ascii_case("basic")) else {
            return false;
        };
        let Some(text) = from_base64(given.1.trim()).and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return false;
        };
        // Both are always compared, so the time taken does not reveal which of them is wrong.
        text.split_once(':').is_some_and(|(name, text)| password.is(text) & (name == user))
    }
}

fn authorization(metadata: &MetadataMap) -> &str {
    metadata.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn refused() -> Status {
    Status::unauthenticated("user or password is wrong, or the token is no longer good [SQLSTATE 28P01]")
}

/// RFC 4648 with or without padding.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for sign in text.bytes() {
        let value = match sign {
            b'A'..=b'Z' => sign - b'A',
            b'a'..=b'z' => sign - b'a' + 26,
            b'0'..=b'9' => sign - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(((bits >> held) & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        assert_eq!(from_base64("dXNlcjpwYXNz").unwrap(), b"user:pass");
        assert_eq!(from_base64("YQ==").unwrap(), b"a");
        assert_eq!(from_base64("YWI").unwrap(), b"ab");
        assert!(from_base64("a b").is_none());
    }

    #[tokio::test]
    async fn tokens_are_for_those_who_know_the_password() {
        let logins = Logins::new("ann", Password::new("hush").as_ref());
        let guesses = Guesses::new(100, Duration::from_secs(1));
        let peer = Some(SocketAddr::from(([192, 0, 2, 1], 1)));
        let with = |header: &str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("authorization", header.parse().unwrap());
            metadata
        };
        let right = with("Basic YW5uOmh1c2g=");
        let token = logins.token(&right, peer, &guesses).await.unwrap();
        logins.check(&right, peer, &guesses).await.unwrap();
        logins.check(&with(&format!("Bearer {token}")), peer, &guesses).await.unwrap();
        for header in ["Basic YW5uOmh1c2gh", "Basic Ym9iOmh1c2g=", "Bearer x", "Bearer ", "Basic", "hush"] {
            assert!(logins.check(&with(header), peer, &guesses).await.is_err(), "{header}");
        }
        // Each guess waits longer than the one before, so they are few.
        for header in ["Basic YW5uOmh1c2gh", "Bearer x"] {
            assert!(logins.token(&with(header), peer, &guesses).await.is_err(), "{header}");
        }
        assert!(logins.check(&MetadataMap::new(), peer, &guesses).await.is_err());
    }
}
