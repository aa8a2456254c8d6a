//! Who may come in: the startup of a connection, the password (SCRAM-SHA-256, RFC 7677), and requests to cancel.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::Sink;
use pgwire::api::auth::sasl::SASLAuthStartupHandler;
use pgwire::api::auth::sasl::scram::{SCRAM_ITERATIONS, ScramAuth, gen_salted_password};
use pgwire::api::auth::{
    AuthSource, LoginInfo, Password as Salted, ServerParameterProvider, StartupHandler, finish_authentication,
    protocol_negotiation, save_startup_parameters_to_metadata,
};
use pgwire::api::{
    ClientInfo, METADATA_USER, PgWireConnectionState, PidSecretKeyGenerator, RandomPidSecretKeyGenerator,
};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::startup::{SecretKey, Startup};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use uuid::Uuid;

use super::session::{Cancel, Session};
use super::settings::Settings;
use crate::event::{Event, Protocol};
use crate::failure::{Failure, sqlstate};
use crate::shared::Shared;

/// What ends the query of a connection, by its process and key.
type Cancels = HashMap<(i32, Vec<u8>), Arc<Cancel>>;

/// What all logins share.
pub(super) struct Logins {
    secret: Option<Arc<Secret>>,
    certificate: Option<Vec<u8>>,
    keys: Arc<RandomPidSecretKeyGenerator>,
    /// Whom a request to cancel means: it comes on a connection of its own and names process and key.
    cancels: Mutex<Cancels>,
}

impl Logins {
    pub(super) fn new(shared: &Shared) -> Self {
        let secret = shared.options.password.as_ref().map(|password| {
            // Unknown users are asked just as known ones, and no password is theirs.
            let salt = Uuid::new_v4().as_bytes().to_vec();
            let salted = |text: &str| gen_salted_password(text, &salt, SCRAM_ITERATIONS);
            let (right, nobodys) = (salted(password.text()), salted(&Uuid::new_v4().to_string()));
            Arc::new(Secret { user: shared.options.user.clone(), salt, right, nobodys })
        });
        let certificate = shared.tls.as_ref().map(|tls| tls.certificate.clone());
        Self { secret, certificate, keys: Arc::default(), cancels: Mutex::default() }
    }

    fn cancels(&self) -> MutexGuard<'_, Cancels> {
        self.cancels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what the named connection runs now.
    pub(super) fn cancel(&self, request: &CancelRequest) {
        let key = (request.pid, request.secret_key.to_bytes().to_vec());
        if let Some(cancel) = self.cancels().get(&key) {
            cancel.request();
        }
    }

    /// A connection is gone.
    pub(super) fn forget(&self, process: i32, key: &SecretKey) {
        self.cancels().remove(&(process, key.to_bytes().to_vec()));
    }
}

/// The one user's password, salted and hashed; the password itself is kept nowhere here.
struct Secret {
    user: String,
    salt: Vec<u8>,
    right: Vec<u8>,
    nobodys: Vec<u8>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[async_trait]
impl AuthSource for Secret {
    async fn get_password(&self, login: &LoginInfo) -> PgWireResult<Salted> {
        let known = login.user() == Some(self.user.as_str());
        let salted = if known { &self.right } else { &self.nobodys };
        Ok(Salted::new(Some(self.salt.clone()), salted.clone()))
    }
}

/// The login of one connection.
pub(super) struct Login {
    connection: u64,
    peer: SocketAddr,
    /// No place is left; the client gets that as an error of its own protocol.
    full: bool,
    shared: Arc<Shared>,
    logins: Arc<Logins>,
    scram: Option<SASLAuthStartupHandler<ReportedSettings>>,
}

impl Login {
    pub(super) fn new(connection: u64, peer: SocketAddr, full: bool, shared: Arc<Shared>, logins: Arc<Logins>) -> Self {
        let scram = logins.secret.as_ref().map(|secret| {
            let mut scram = ScramAuth::new(Arc::clone(secret) as Arc<dyn AuthSource>);
            if let Some(certificate) = &logins.certificate {
                // With a certificate of an unusual kind clients cannot bind the password to the channel, but log in.
                let _ = scram.configure_certificate(certificate);
            }
            let keys = Arc::clone(&logins.keys) as Arc<dyn PidSecretKeyGenerator>;
            SASLAuthStartupHandler::new(Arc::new(ReportedSettings))
                .with_scram(scram)
                .with_pid_secret_key_generator(keys)
        });
        Self { connection, peer, full, shared, logins, scram }
    }

    fn refused<C: ClientInfo>(&self, client: &C) -> Option<Failure> {
        if self.full {
            let message = format!("{} clients are connected already", self.shared.options.limits.connections);
            let hint = "close one of them, or start the endpoint with a higher --max-connections";
            return Some(Failure::new(sqlstate::TOO_MANY_CONNECTIONS, message).hint(hint));
        }
        let plain = self.shared.tls.is_some() && !client.is_secure();
        if plain {
            let message = "this endpoint only takes encrypted connections";
            let hint =
                "connect with sslmode=require, or better verify-full with the certificate's issuer as sslrootcert";
            return Some(Failure::new(sqlstate::LOGIN_REFUSED, message).hint(hint));
        }
        self.scram.as_ref().and_then(|_| self.shared.guesses.check(self.peer).err())
    }

    /// Remembers the connection, with the settings that came with its startup.
    fn welcome<C: ClientInfo>(&self, client: &mut C) {
        let user = client.metadata().get(METADATA_USER).cloned().unwrap_or_default();
        let session = Session::new(self.connection, &user);
        session.change_settings(|settings| given(settings, client.metadata()));
        let formats = session.settings().formats();
        client.metadata_mut().extend(formats);
        let (process, key) = client.pid_and_secret_key();
        self.logins.cancels().insert((process, key.to_bytes().to_vec()), Arc::clone(&session.cancel));
        client.session_extensions().insert(session);
        self.shared.observer.event(&Event::Connected {
            connection: self.connection,
            protocol: Protocol::Postgres,
            peer: self.peer,
            user: &user,
        });
    }
}

#[async_trait]
impl StartupHandler for Login {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: fmt::Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if let PgWireFrontendMessage::Startup(startup) = &message {
            if let Some(failure) = self.refused(client) {
                return Err(failure.fatal());
            }
            if self.scram.is_none() {
                self.let_in(client, startup).await?;
            }
        }
        if let Some(scram) = &self.scram {
            self.prove(scram, client, message).await?;
        }
        if matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            self.welcome(client);
        }
        Ok(())
    }
}

impl Login {
    /// A step of the proof that the client knows the password. A proof that fails counts as a guess.
    async fn prove<C>(
        &self,
        scram: &SASLAuthStartupHandler<ReportedSettings>,
        client: &mut C,
        message: PgWireFrontendMessage,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: fmt::Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if !matches!(message, PgWireFrontendMessage::PasswordMessageFamily(_)) {
            return scram.on_startup(client, message).await;
        }
        let attempt = self.shared.guesses.attempt(self.peer).await.map_err(Failure::fatal)?;
        let proved = scram.on_startup(client, message).await;
        match &proved {
            Err(PgWireError::InvalidPassword(_)) => {
                let wait = attempt.wrong();
                tokio::time::sleep(wait).await;
            }
            Ok(()) if matches!(client.state(), PgWireConnectionState::ReadyForQuery) => attempt.right(),
            _ => {}
        }
        proved
    }

    /// Without a password everybody on this machine is welcome.
    async fn let_in<C>(&self, client: &mut C, startup: &Startup) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: fmt::Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        protocol_negotiation(client, startup).await?;
        save_startup_parameters_to_metadata(client, startup);
        let (process, key) = self.logins.keys.generate(client);
        client.set_pid_and_secret_key(process, key);
        finish_authentication(client, &ReportedSettings).await
    }
}

/// Settings of the startup message: by their names, and as command line in `options` (`-c name=value`). What is not a
/// setting here is passed over, since clients send things for other servers too.
fn given(settings: &mut Settings, parameters: &HashMap<String, String>) {
    for (name, value) in parameters.iter().filter(|(name, _)| name.as_str() != "options") {
        let _ = settings.set(name, Some(value));
    }
    let mut words = parameters.get("options").map(String::as_str).unwrap_or_default().split_whitespace();
    while let Some(word) = words.next() {
        let assignment = match word.strip_prefix("-c").or_else(|| word.strip_prefix("--")) {
            Some("") => words.next(),
            other => other,
        };
        if let Some((name, value)) = assignment.and_then(|assignment| assignment.split_once('=')) {
            let _ = settings.set(&name.replace('-', "_"), Some(value));
        }
    }
}

/// The settings that are reported to a client at its login.
struct ReportedSettings;

impl ServerParameterProvider for ReportedSettings {
    fn server_parameters<C: ClientInfo>(&self, client: &C) -> Option<HashMap<String, String>> {
        let mut settings = Settings::default();
        given(&mut settings, client.metadata());
        let mut reported: HashMap<String, String> =
            settings.reported().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        reported.insert("scram_iterations".into(), SCRAM_ITERATIONS.to_string());
        if let Some(user) = client.metadata().get(METADATA_USER) {
            reported.insert("session_authorization".into(), user.clone());
        }
        Some(reported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_startup_are_taken() {
        let mut settings = Settings::default();
        let parameters = [
            ("options", "-c statement_timeout=5s -csearch_path=snapshot_2026_q3 --DateStyle=ISO -c nonsense=1 -x"),
            ("TimeZone", "Europe/Vienna"),
            ("user", "ann"),
        ];
        given(&mut settings, &parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert_eq!(settings.statement_timeout(), Some(std::time::Duration::from_secs(5)));
        assert_eq!(settings.search_path(), ["snapshot_2026_q3"]);
        assert_eq!(settings.get("timezone").unwrap().1, "Europe/Vienna");
    }
}
