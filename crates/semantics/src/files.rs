//! The files of a format.

use throughline_config::Diagnostic;

use crate::model::SemanticModel;
use crate::{cube, ossie, powerbi, tableau};

/// A tool's way to write a semantic model down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Apache Ossie, the Open Semantic Interchange: one YAML file.
    Ossie,
    /// Cube: a YAML file a table.
    Cube,
    /// Power BI: a `.pbids` that connects, and a semantic model in TMDL.
    PowerBi,
    /// Tableau: a `.tds` a table, with the tables it joins.
    Tableau,
}

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

/// The files of a format, and what it cannot hold, a sentence each.
///
/// # Errors
/// Only a bug: a writer refuses a text.
pub fn files(
    model: &SemanticModel,
    connection: &Connection,
    format: Format,
) -> Result<(Vec<ExportedFile>, Vec<String>), Diagnostic> {
    match format {
        Format::Ossie => Ok((vec![ossie::file(model, connection)?], Vec::new())),
        Format::Cube => Ok(cube::files(model, connection)),
        Format::PowerBi => powerbi::files(model, connection),
        Format::Tableau => tableau::files(model, connection),
    }
}

/// A writer of JSON, YAML or XML refuses.
pub(crate) fn not_writable(what: &str, error: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::error("internal", format!("{what} cannot be written: {error}"))
}
