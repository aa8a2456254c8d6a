//! `check --offline`: what a CI job, which has no lake and no credentials, can find out.

use insta::assert_snapshot;

use crate::tiny::{BY_STATUS, PIPELINE};
use crate::workspace::Workspace;

#[test]
fn without_a_lake_the_declared_columns_are_enough() {
    let workspace = Workspace::tiny();
    workspace.remove("data");
    let with_lake = workspace.run("check").ends_with(2);
    assert!(with_lake.stderr.contains("source `contacts`: `data/contacts` does not exist"), "{with_lake}");
    assert_snapshot!(workspace.run("check --offline"), @"
    exit 0
    --- stderr
    ok: pipeline `tiny`: 1 sources, 2 journeys, 5 models; no source was opened, each is taken as it is declared
    ");
    assert!(!workspace.has("warehouse"));
}

#[test]
fn mistakes_are_found_without_a_lake() {
    let workspace = Workspace::tiny();
    workspace.remove("data");
    workspace.edit(BY_STATUS, "count(*)", "count(stepz)");
    let printed = workspace.run("check --offline").ends_with(2);
    assert!(printed.stderr.contains("no column `stepz`"), "{printed}");
    workspace.edit(BY_STATUS, "count(stepz)", "count(*)");
    workspace.edit(PIPELINE, "time_column: at", "time_column: att");
    let printed = workspace.run("check --offline").ends_with(2);
    assert!(printed.stderr.contains("no column `att`"), "{printed}");
}

#[test]
fn a_source_whose_columns_only_its_files_know_is_named() {
    let workspace = Workspace::tiny();
    let more = "sources:\n  visits: { path: s3://nowhere/visits/, format: parquet }\n  calls: { path: lake/calls/, format: delta }\n";
    workspace.edit(PIPELINE, "sources:\n", more);
    assert_snapshot!(workspace.run("check --offline"), @"
    exit 2
    --- stderr
    error[undeclared-columns]: source `visits` declares no `columns:`, so only its files have them, and they are not opened
     --> pipelines/tiny.yaml:6:19
      |
    6 |   visits: { path: s3://nowhere/visits/, format: parquet }
      |                   ^^^^^^^^^^^^^^^^^^^^
      |
      = help: declare `columns: { name: type, … }`, which a check without `--offline` then holds against the files

    error[undeclared-columns]: source `calls` declares no `columns:`, so only its files have them, and they are not opened
     --> pipelines/tiny.yaml:7:18
      |
    7 |   calls: { path: lake/calls/, format: delta }
      |                  ^^^^^^^^^^^
      |
      = help: declare `columns: { name: type, … }`, which a check without `--offline` then holds against the files

    2 errors; nothing ran
    ");
}

/// The repository's pipelines declare every column, so their CI needs neither a lake nor a warehouse nor credentials.
#[test]
fn the_repositorys_pipelines_are_checked_without_a_lake() {
    let workspace = Workspace::of_the_repository();
    for pipeline in ["key_journeys", "retail"] {
        let arguments = ["--pipeline", pipeline, "check", "--offline"];
        let places = [("LAKE", "s3://nowhere/lake"), ("WAREHOUSE", "s3://nowhere/warehouse")];
        let printed = workspace.run_with(&arguments, &places).ends_with(0);
        assert!(printed.stderr.contains(&format!("ok: pipeline `{pipeline}`: ")), "{printed}");
        assert!(printed.stderr.contains("no source was opened, each is taken as it is declared"), "{printed}");
    }
}
