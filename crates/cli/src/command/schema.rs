//! `throughline schema`.

use throughline_config::{FileKind, json_schema};

use crate::arguments::{SchemaArguments, SchemaOf};
use crate::exit::Exit;
use crate::terminal::put;

/// Prints a JSON Schema.
pub(crate) fn run(arguments: &SchemaArguments) -> Result<(), Exit> {
    let kind = match arguments.of {
        SchemaOf::Pipeline => FileKind::Pipeline,
        SchemaOf::Journeys => FileKind::Journeys,
        SchemaOf::Tests => FileKind::UnitTests,
        SchemaOf::Sources => FileKind::Sources,
        SchemaOf::Library => FileKind::Library,
    };
    put(&json_schema(kind))
}
