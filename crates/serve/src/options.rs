//! What to serve where, and what is refused before a port is opened.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use throughline_engine::EngineError;

use crate::password::Password;

/// Where and how to listen.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The address of both ports.
    pub host: IpAddr,
    /// PostgreSQL's port; 0 takes a free one, `None` leaves it out.
    pub postgres_port: Option<u16>,
    /// Flight SQL's port; 0 takes a free one, `None` leaves it out.
    pub flight_port: Option<u16>,
    /// Who may log in, where a password is asked for.
    pub user: String,
    /// Asked for when there is one.
    pub password: Option<Password>,
    /// Connections have to be encrypted when there are files for it.
    pub tls: Option<TlsFiles>,
    /// What a client may use.
    pub limits: Limits,
    /// How often to look for a newer run.
    pub refresh: Duration,
    /// How long running queries may take to end when the endpoint stops.
    pub grace: Duration,
}

/// A certificate chain and its key, both PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate, followed by those of its issuers.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Bounds. The memory of all queries together is bounded by the session options of the publications.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the start of a query to its last row.
    pub query_timeout: Duration,
    /// How long a query waits for one of the others to end.
    pub queue_timeout: Duration,
    /// Queries that run at the same time.
    pub queries: usize,
    /// Connections of each protocol.
    pub connections: usize,
    /// From a query's arrival to the plan of its work.
    pub planning_timeout: Duration,
    /// Bytes that the constants of a query have together once they are computed.
    pub constants: usize,
    /// From the first byte of a connection to the end of its login; on Flight SQL, to its first call.
    pub login_timeout: Duration,
    /// How long a connection may do nothing, and how long values that are bound may be on their way.
    pub idle_timeout: Duration,
    /// Bytes of SQL and of values that a connection keeps prepared.
    pub prepared: usize,
    /// Wrong passwords in a row after which an address is locked out.
    pub wrong_passwords: u32,
    /// For how long it is, and after how long a wrong password is forgotten.
    pub lockout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            query_timeout: Duration::from_secs(60),
            queue_timeout: Duration::from_secs(10),
            queries: 8,
            connections: 64,
            planning_timeout: Duration::from_secs(10),
            constants: 8 << 20,
            login_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(60 * 60),
            prepared: 1 << 20,
            wrong_passwords: 10,
            lockout: Duration::from_secs(5 * 60),
        }
    }
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// As asked it would not be safe, or cannot be.
    #[error("{message}")]
    Refused {
        /// What is wrong.
        message: String,
        /// The way out.
        help: String,
    },
    /// There is nothing to serve, or it cannot be read.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl ServeError {
    pub(crate) fn refused(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), help: help.into() }
    }
}

impl ServeOptions {
    /// Beyond this machine's own loopback, whoever asks has to prove who he is, over an encrypted connection.
    pub(crate) fn check(&self) -> Result<(), ServeError> {
        if self.postgres_port.is_none() && self.flight_port.is_none() {
            return Err(ServeError::refused("neither port is to be opened", "leave one of them on"));
        }
        let mut missing = Vec::new();
        if self.password.is_none() {
            missing.push("a password");
        }
        if self.tls.is_none() {
            missing.push("TLS");
        }
        if self.host.is_loopback() || missing.is_empty() {
            return Ok(());
        }
        Err(ServeError::refused(
            format!("{} can be reached from other machines, and {} is missing", self.host, missing.join(" and ")),
            "set THROUGHLINE_PASSWORD (or --password-file FILE) and give --tls-cert FILE --tls-key FILE;\n\
             or leave --host at 127.0.0.1 and let an SSH tunnel bring clients here",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(host: &str) -> ServeOptions {
        ServeOptions {
            host: host.parse().unwrap(),
            postgres_port: Some(0),
            flight_port: Some(0),
            user: "analyst".into(),
            password: None,
            tls: None,
            limits: Limits::default(),
            refresh: Duration::from_secs(1),
            grace: Duration::from_secs(1),
        }
    }

    #[test]
    fn other_addresses_than_loopback_need_password_and_tls() {
        let tls = || Some(TlsFiles { certificate: "c".into(), key: "k".into() });
        for host in ["0.0.0.0", "::", "192.168.1.2", "::ffff:127.0.0.1"] {
            let open = options(host);
            assert!(open.check().unwrap_err().to_string().contains("a password and TLS is missing"), "{host}");
            let with_password = ServeOptions { password: Password::new("p"), ..open.clone() };
            assert!(with_password.check().unwrap_err().to_string().ends_with("and TLS is missing"));
            let with_tls = ServeOptions { tls: tls(), ..open };
            assert!(with_tls.check().unwrap_err().to_string().ends_with("and a password is missing"));
            ServeOptions { password: Password::new("p"), ..with_tls }.check().unwrap();
        }
        for host in ["127.0.0.1", "127.8.8.8", "::1"] {
            options(host).check().unwrap();
        }
    }
}
