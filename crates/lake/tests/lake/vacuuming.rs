//! What a vacuum removes and what it must leave, and checkpoints that readers can rely on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{TimeDelta, Utc};
use throughline_lake::{CheckpointOutcome, Vacuum, VacuumedTable, Warehouse};
use url::Url;

use crate::faults::{Fault, Faulty};
use crate::support::Workspace;
use crate::tables::{details, stage};

const DAY: Duration = Duration::from_secs(86_400);
const WEEK: TimeDelta = TimeDelta::days(7);

fn older_than(age: TimeDelta, keep: &[u64]) -> Vacuum {
    let keep = BTreeMap::from([("fct".to_owned(), keep.iter().copied().collect::<BTreeSet<_>>())]);
    Vacuum { before: Utc::now() - age, keep, dry_run: false }
}

/// Publishes `SELECT <n> AS id` for each number, each in place of the one before.
async fn publish(workspace: &Workspace, warehouse: &Warehouse, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let staged = stage(workspace, warehouse, &format!("SELECT {number} AS id")).await;
        staged.commit(&details("r")).await.unwrap();
    }
}

fn age(path: &Path, days: u32) {
    File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - DAY * days).unwrap();
}

/// Gives every file of the table an age: entries by their versions, the data files all the same.
fn age_all(workspace: &Workspace, data: u32, entries: &[u32]) {
    for entry in std::fs::read_dir(workspace.path("warehouse/fct")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            age(&path, data);
        }
    }
    for (version, days) in entries.iter().enumerate() {
        age(&workspace.path(&format!("warehouse/fct/_delta_log/{version:020}.json")), *days);
    }
}

async fn number_at(workspace: &Workspace, warehouse: &Warehouse, version: u64) -> Result<String, String> {
    let table = warehouse.table_at("fct", version).await.unwrap().unwrap();
    let rows = workspace.query(table.provider, "SELECT id FROM t").await.map_err(|error| error.to_string())?;
    Ok(rows.lines().nth(3).unwrap_or_default().trim_matches(['|', ' ']).to_owned())
}

async fn readable(workspace: &Workspace, warehouse: &Warehouse, versions: u64) -> Vec<u64> {
    let mut readable = Vec::new();
    for version in 0..versions {
        if let Ok(number) = number_at(workspace, warehouse, version).await {
            assert_eq!(number, version.to_string());
            readable.push(version);
        }
    }
    readable
}

fn removed(vacuumed: &VacuumedTable) -> usize {
    assert_eq!(vacuumed.skipped, None);
    vacuumed.dead.len()
}

#[tokio::test]
async fn only_files_that_nobody_may_need_are_removed() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    publish(&workspace, &warehouse, 0..5).await;
    assert_eq!(removed(&warehouse.vacuum("fct", &older_than(WEEK, &[])).await.unwrap()), 0, "everything is young");

    // Version 3 was replaced yesterday, so somebody may still read it; 1 is named by a run; 0 and 2 are nobody's.
    age_all(&workspace, 30, &[30, 20, 15, 10, 1]);
    let looked = warehouse.vacuum("fct", &Vacuum { dry_run: true, ..older_than(WEEK, &[1]) }).await.unwrap();
    assert_eq!((removed(&looked), looked.kept), (2, 3));
    assert_eq!(readable(&workspace, &warehouse, 5).await, [0, 1, 2, 3, 4], "looking removes nothing");
    assert_eq!(warehouse.vacuum("fct", &older_than(WEEK, &[1])).await.unwrap(), looked);
    assert_eq!(readable(&workspace, &warehouse, 5).await, [1, 3, 4]);
    assert_eq!(removed(&warehouse.vacuum("fct", &older_than(WEEK, &[1])).await.unwrap()), 0);

    // However short the retention, the newest version stays; versions that are not there yet hurt nobody.
    age_all(&workspace, 30, &[30; 5]);
    assert_eq!(removed(&warehouse.vacuum("fct", &older_than(TimeDelta::zero(), &[99])).await.unwrap()), 2);
    assert_eq!(readable(&workspace, &warehouse, 5).await, [4]);
}

#[tokio::test]
async fn a_vacuum_while_a_run_stages_leaves_its_files() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    publish(&workspace, &warehouse, 0..2).await;
    age_all(&workspace, 30, &[30, 30]);
    let staged = stage(&workspace, &warehouse, "SELECT 2 AS id").await;
    assert_eq!(removed(&warehouse.vacuum("fct", &older_than(WEEK, &[])).await.unwrap()), 1);
    staged.commit(&details("r")).await.unwrap();
    assert_eq!(readable(&workspace, &warehouse, 3).await, [1, 2], "the version that the run replaced stays too");
}

#[tokio::test]
async fn leftovers_of_killed_runs_are_removed_once_they_are_old() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    // Killed before the table's first commit.
    drop(stage(&workspace, &warehouse, "SELECT 1 AS id").await);
    assert_eq!(warehouse.table_folders().await.unwrap(), ["fct"]);
    assert_eq!(removed(&warehouse.vacuum("fct", &older_than(WEEK, &[])).await.unwrap()), 0);
    for half in ["part-00000-x-c000.zstd.parquet#1", "_delta_log/.123.tmp"] {
        workspace.write(&format!("warehouse/fct/{half}"), "half");
        age(&workspace.path(&format!("warehouse/fct/{half}")), 30);
    }
    workspace.write("warehouse/fct/notes.txt", "a person's");
    age_all(&workspace, 30, &[]);
    assert_eq!(removed(&warehouse.vacuum("fct", &older_than(WEEK, &[])).await.unwrap()), 3);
    let left: Vec<_> =
        std::fs::read_dir(workspace.path("warehouse/fct")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.contains(&"notes.txt".into()) && left.len() == 2, "{left:?}");
}

#[tokio::test]
async fn a_table_of_another_program_is_left_alone() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    let lines = [
        r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#.to_owned(),
        serde_json::json!({ "metaData": {
            "id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9", "format": { "provider": "parquet", "options": {} },
            "schemaString": r#"{"type":"struct","fields":[{"name":"day","type":"string","nullable":true,"metadata":{}}]}"#,
            "partitionColumns": ["day"], "configuration": {}, "createdTime": 0 } })
        .to_string(),
    ];
    workspace.write("warehouse/fct/_delta_log/00000000000000000000.json", lines.join("\n"));
    workspace.write("warehouse/fct/part-0.parquet", "?");
    age_all(&workspace, 30, &[30]);
    let vacuumed = warehouse.vacuum("fct", &older_than(WEEK, &[])).await.unwrap();
    assert!(vacuumed.skipped.unwrap().contains("another program") && vacuumed.dead.is_empty());
    assert!(workspace.path("warehouse/fct/part-0.parquet").exists());
}

#[tokio::test]
async fn a_log_that_cannot_be_read_stops_before_anything_is_removed() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    publish(&workspace, &warehouse, 0..3).await;
    workspace.write("warehouse/fct/_delta_log/00000000000000000001.json", "{");
    age_all(&workspace, 30, &[30; 3]);
    warehouse.vacuum("fct", &older_than(WEEK, &[])).await.unwrap_err();
    let files = std::fs::read_dir(workspace.path("warehouse/fct")).unwrap().count();
    assert_eq!(files, 3 + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_stands_for_the_entries_before_it() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    publish(&workspace, &warehouse, 0..12).await;
    assert_eq!(warehouse.checkpoint("fct", 13).await.unwrap().outcome, CheckpointOutcome::NotNeeded);
    assert_eq!(warehouse.checkpoint("fct", 12).await.unwrap().outcome, CheckpointOutcome::Written { version: 11 });
    assert_eq!(warehouse.checkpoint("fct", 1).await.unwrap().outcome, CheckpointOutcome::NotNeeded);
    assert_eq!(readable(&workspace, &warehouse, 12).await.len(), 12, "older versions are read as before");
    publish(&workspace, &warehouse, 12..14).await;
    for version in 0..11 {
        std::fs::remove_file(workspace.path(&format!("warehouse/fct/_delta_log/{version:020}.json"))).unwrap();
    }
    for version in 11..14 {
        assert_eq!(number_at(&workspace, &warehouse, version).await.unwrap(), version.to_string());
    }
    assert_eq!(warehouse.checkpoint("nothing", 1).await.unwrap().outcome, CheckpointOutcome::NotNeeded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_checkpoint_is_taken_back() {
    let workspace = Workspace::new();
    let store = Faulty::new();
    workspace.stores.register(&Url::parse("s3://bucket").unwrap(), Arc::clone(&store) as _);
    let warehouse = Warehouse::open("s3://bucket/warehouse", &workspace.stores).unwrap();
    publish(&workspace, &warehouse, 0..3).await;
    for fault in [Fault::TornCheckpoint, Fault::Refused] {
        store.set(fault);
        let outcome = warehouse.checkpoint("fct", 1).await.unwrap().outcome;
        assert!(matches!(outcome, CheckpointOutcome::Failed { .. }), "{outcome:?}");
        store.set(Fault::None);
        assert_eq!(readable(&workspace, &warehouse, 3).await, [0, 1, 2], "after {fault:?}");
    }
    publish(&workspace, &warehouse, 3..4).await;
    assert_eq!(warehouse.checkpoint("fct", 1).await.unwrap().outcome, CheckpointOutcome::Written { version: 3 });
    assert_eq!(readable(&workspace, &warehouse, 4).await, [0, 1, 2, 3]);
    // What is removed in memory is gone for every reader of it, and nothing else is.
    let vacuumed = warehouse.vacuum("fct", &older_than(-TimeDelta::hours(1), &[1])).await.unwrap();
    assert_eq!((vacuumed.kept, vacuumed.dead.len()), (2, 2));
    assert_eq!(readable(&workspace, &warehouse, 4).await, [1, 3]);
}
