//! What the endpoint reports while it runs.

use std::net::SocketAddr;

/// Receives events. Called from many tasks at once.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// PostgreSQL's wire protocol.
    Postgres,
    /// Arrow Flight SQL.
    Flight,
}

impl Protocol {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Flight => "Flight SQL",
        }
    }
}

/// Something that happened. Never holds a password.
#[derive(Debug)]
pub enum Event<'a> {
    /// A port is open.
    Listening {
        /// What is spoken there.
        protocol: Protocol,
        /// The address.
        address: SocketAddr,
        /// Whether connections are encrypted.
        encrypted: bool,
        /// Whether a password is asked for.
        password: bool,
    },
    /// From now on queries see this run.
    Serving {
        /// The run.
        run_id: &'a str,
        /// Its cut, RFC 3339.
        as_of: &'a str,
        /// Schemas and how many tables each has.
        schemas: &'a [(String, usize)],
    },
    /// A newer run or snapshot cannot be served; queries go on seeing the one before.
    NotRefreshed {
        /// Why.
        message: &'a str,
    },
    /// A client has logged in.
    Connected {
        /// Counts up from 1.
        connection: u64,
        /// What it speaks.
        protocol: Protocol,
        /// Where it comes from.
        peer: SocketAddr,
        /// Who it says it is.
        user: &'a str,
    },
    /// A client was refused.
    Refused {
        /// What it speaks.
        protocol: Protocol,
        /// Where it comes from.
        peer: SocketAddr,
        /// Why.
        reason: &'a str,
    },
    /// A client has disconnected.
    Disconnected {
        /// Its number.
        connection: u64,
        /// What it spoke.
        protocol: Protocol,
        /// Why.
        reason: &'a str,
    },
    /// A query ended, one way or another.
    Query(&'a QueryReport<'a>),
}

/// What became of a query.
#[derive(Debug)]
pub struct QueryReport<'a> {
    /// The connection it came from.
    pub connection: u64,
    /// The protocol it came by.
    pub protocol: Protocol,
    /// Its text; of what is refused only the first words, since a password could stand further on.
    pub sql: &'a str,
    /// The run it saw.
    pub run_id: &'a str,
    /// Rows handed on.
    pub rows: u64,
    /// From the query's arrival to its last row.
    pub seconds: f64,
    /// SQLSTATE and message, if it failed.
    pub failure: Option<(&'a str, &'a str)>,
}
