//! The files of a format.

use throughline_config::Diagnostic;

use crate::exported::{Connection, ExportedFile};
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
