//! JSON Schema (2020-12) of the files a person writes, for editors that complete and check YAML.
//!
//! One document holds all of it, so that each kind of file is described once; a test holds its keys against those that
//! the loader knows.

const DOCUMENT: &str = include_str!("schema/throughline.schema.json");

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// `pipelines/<name>.yaml`.
    Pipeline,
    /// A file of journey definitions.
    Journeys,
    /// A file of unit tests.
    UnitTests,
    /// A file of sources.
    Sources,
    /// A library's `library.yaml`.
    Library,
}

/// The schema of a kind of file, as JSON text.
pub fn json_schema(of: FileKind) -> String {
    let (title, definition) = match of {
        FileKind::Pipeline => return DOCUMENT.to_owned(),
        FileKind::Journeys => ("Throughline journey definitions", "journeys"),
        FileKind::UnitTests => ("Throughline unit tests", "unit_tests"),
        FileKind::Sources => ("Throughline sources", "sources"),
        FileKind::Library => ("Throughline library", "library"),
    };
    DOCUMENT.replacen("Throughline pipeline", title, 1).replacen(
        "\"$ref\": \"#/$defs/pipeline\"",
        &format!("\"$ref\": \"#/$defs/{definition}\""),
        1,
    )
}
