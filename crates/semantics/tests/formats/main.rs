//! Every format, read back by a parser of its language: structure, references, and names and texts that try to be more
//! than data.

#![allow(missing_docs)]

mod cube;
mod hostile_model;
mod json_schema;
mod ossie;
mod powerbi;
mod tableau;
mod tmdl;
mod xml;

use throughline_semantics::{Connection, ExportedFile, Format, files};

use hostile_model::hostile_model;

fn connection() -> Connection {
    Connection {
        host: "::1".to_owned(),
        port: 6543,
        database: "through \"line\"".to_owned(),
        schema: "main".to_owned(),
        user: "o'reader".to_owned(),
    }
}

fn written(format: Format) -> Vec<ExportedFile> {
    let (files, _) = files(&hostile_model(), &connection(), format).expect("the format can be written");
    files
}

fn file(format: Format, path: &str) -> String {
    let all = written(format);
    let found = all.iter().find(|file| file.path == path);
    found
        .unwrap_or_else(|| panic!("no {path} in {:?}", all.iter().map(|file| &file.path).collect::<Vec<_>>()))
        .text
        .clone()
}

#[test]
fn equal_models_give_equal_bytes_and_no_path_leaves_the_folder() {
    for format in [Format::Ossie, Format::Cube, Format::PowerBi, Format::Tableau] {
        let all = written(format);
        assert_eq!(all, written(format));
        for file in &all {
            assert!(!file.path.starts_with('/') && !file.path.contains(".."), "{}", file.path);
            assert!(file.text.ends_with('\n') && !file.text.contains('\r'), "{}", file.path);
            assert!(!file.text.to_lowercase().contains("pwd="), "{}", file.path);
        }
        let paths: std::collections::BTreeSet<&str> = all.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths.len(), all.len(), "a path is written twice");
    }
}
