//! What is written: files, and the connection that they name.

use throughline_config::Diagnostic;

/// Where the endpoint listens. No password is ever written.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Name or address of the machine.
    pub host: String,
    /// PostgreSQL's port.
    pub port: u16,
    /// What clients call the database.
    pub database: String,
    /// The schema with the tables: `main`, or that of a snapshot.
    pub schema: String,
    /// Who logs in.
    pub user: String,
}

impl Connection {
    /// Host and port, an IPv6 address in brackets.
    pub(crate) fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedFile {
    /// Its path, with forward slashes, in the folder that is exported to.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl ExportedFile {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

/// A writer of JSON, YAML or XML refuses.
pub(crate) fn not_writable(what: &str, error: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::error("internal", format!("{what} cannot be written: {error}"))
}
