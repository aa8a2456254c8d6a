//! Tests over whole workspaces in temporary folders.

mod bounds;
mod interpolation;
mod libraries;
mod random;
mod refusals;
mod rendering;
mod sections;
mod semantics;
mod whole;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::{Diagnostics, LoadOptions, Pipeline, load_pipeline};

/// The smallest pipeline that loads without a warning; tests add to it.
const SMALLEST: &str = "\
name: main
start: 2024-10-01
warehouse: data/warehouse
models:
  touchpoints: { sql: sql/touchpoints.sql }
";

/// A workspace with the given files besides `sql/touchpoints.sql`.
fn workspace(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "sql/touchpoints.sql", b"SELECT 1 AS touchpoint_id\n");
    for (path, bytes) in files {
        write(folder.path(), path, bytes);
    }
    folder
}

fn write(folder: &Path, path: &str, bytes: &[u8]) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, bytes).expect("a file");
}

/// Options that see nothing of the machine the test runs on.
fn options(folder: &TempDir) -> LoadOptions {
    LoadOptions { project: folder.path().to_owned(), ..LoadOptions::default() }
}

/// Loads `pipelines/main.yaml` with that text.
fn load(yaml: &str) -> Result<(Pipeline, Diagnostics), Diagnostics> {
    load_pipeline(&options(&workspace(&[("pipelines/main.yaml", yaml.as_bytes())])))
}

fn loaded(yaml: &str) -> Pipeline {
    load(yaml).unwrap_or_else(|findings| panic!("{findings}")).0
}

/// The rendered findings of a pipeline that must not load.
fn refusal(yaml: &str) -> String {
    load(yaml).expect_err("must be refused").to_string()
}

/// As [`refusal`], with `addition` after the smallest pipeline.
fn refused(addition: &str) -> String {
    refusal(&format!("{SMALLEST}{addition}"))
}

/// As [`refusal`], with a journey file beside the smallest pipeline.
fn refused_journeys(text: &str) -> String {
    let pipeline = format!("{SMALLEST}journeys: journeys/*.yaml\n");
    let folder =
        workspace(&[("pipelines/main.yaml", pipeline.as_bytes()), ("pipelines/journeys/a.yaml", text.as_bytes())]);
    load_pipeline(&options(&folder)).expect_err("must be refused").to_string()
}
