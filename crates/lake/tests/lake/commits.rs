//! Two stagers at once, and commits whose answer is lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use throughline_lake::{Warehouse, WarehouseError};
use url::Url;

use crate::faults::{Fault, Faulty};
use crate::support::Workspace;
use crate::tables::{details, stage};

fn faulty() -> (Workspace, Arc<Faulty>, Warehouse) {
    let workspace = Workspace::new();
    let store = Faulty::new();
    workspace.stores.register(&Url::parse("s3://bucket").unwrap(), Arc::clone(&store) as _);
    let warehouse = Warehouse::open("s3://bucket/warehouse", &workspace.stores).unwrap();
    (workspace, store, warehouse)
}

fn is_conflict(error: &WarehouseError) -> bool {
    matches!(error, WarehouseError::Conflict { .. })
}

async fn published(workspace: &Workspace, warehouse: &Warehouse) -> String {
    let table = warehouse.table("fct").await.unwrap().unwrap();
    workspace.query(table.provider, "SELECT string_agg(id::text, ',') AS ids FROM t").await.unwrap()
}

#[tokio::test]
async fn the_second_of_two_stagers_gets_a_conflict() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    // Once over no table, once over one that both replace.
    for (round, version) in [(0, 0), (10, 1)] {
        let first = stage(&workspace, &warehouse, &format!("SELECT {} AS id", round + 1)).await;
        let second = stage(&workspace, &warehouse, &format!("SELECT {} AS id", round + 2)).await;
        assert_eq!(first.commit(&details("winner")).await.unwrap().version, version);
        let error = second.commit(&details("loser")).await.unwrap_err();
        assert!(is_conflict(&error));
        assert_eq!(
            error.to_string(),
            format!(
                "table `fct` was published by run winner as version {version} since this run began; nothing was replaced"
            )
        );
        assert!(error.help().contains("run again"), "{}", error.help());
        second.discard().await.unwrap();
        let rows = published(&workspace, &warehouse).await;
        assert!(rows.contains(&format!("| {}", round + 1)), "{rows}");
        assert_eq!(warehouse.table("fct").await.unwrap().unwrap().rows, Some(1));
    }
}

#[tokio::test]
async fn of_many_stagers_exactly_one_wins() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    for round in 0..10 {
        let mut staged = Vec::new();
        for writer in 0..8 {
            staged.push(stage(&workspace, &warehouse, &format!("SELECT {writer} AS id")).await);
        }
        let commits = staged.iter().map(|staged| staged.commit(Box::leak(Box::new(details("racer")))));
        let outcomes = futures::future::join_all(commits).await;
        let won: Vec<u64> =
            outcomes.iter().filter_map(|outcome| outcome.as_ref().ok().map(|done| done.version)).collect();
        assert_eq!(won, [round]);
        assert!(outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).all(is_conflict));
        assert_eq!(warehouse.table("fct").await.unwrap().unwrap().rows, Some(1));
    }
}

#[tokio::test]
async fn a_lost_answer_is_recognised_as_committed() {
    let (workspace, store, warehouse) = faulty();
    for version in 0..3 {
        store.set(Fault::None);
        let staged = stage(&workspace, &warehouse, &format!("SELECT {version} AS id")).await;
        store.set(Fault::LostAnswer);
        assert_eq!(staged.commit(&details("r")).await.unwrap().version, version);
        store.set(Fault::None);
        assert_eq!(warehouse.table("fct").await.unwrap().unwrap().version, version);
        let error = staged.commit(&details("r")).await.unwrap_err();
        assert_eq!(error.to_string(), "the staged rows of table `fct` were published already");
    }
    assert_eq!(store.puts.load(Ordering::SeqCst), 3, "one put a commit");
}

#[tokio::test]
async fn a_commit_that_may_still_arrive_is_unknown_and_keeps_its_files() {
    let (workspace, store, warehouse) = faulty();
    for fault in [Fault::NeverArrives, Fault::Silence, Fault::AppliedThenSilence] {
        store.set(Fault::None);
        let before = warehouse.table("fct").await.unwrap().map(|table| table.version);
        let staged = stage(&workspace, &warehouse, "SELECT 1 AS id").await;
        store.set(fault);
        let error = staged.commit(&details("r")).await.unwrap_err();
        assert!(matches!(error, WarehouseError::Unknown { .. }), "{fault:?}: {error}");
        assert!(staged.discard().await.is_err(), "{fault:?}: files of an unknown commit stay");
        // Once the store answers, asking again settles it without doubling anything.
        store.set(Fault::None);
        let version = staged.commit(&details("r")).await.unwrap().version;
        assert_eq!(version, before.map_or(0, |before| before + 1), "{fault:?}");
        assert_eq!(warehouse.table("fct").await.unwrap().unwrap().rows, Some(1));
    }
}

#[tokio::test]
async fn a_refused_commit_is_not_committed() {
    let (workspace, store, warehouse) = faulty();
    stage(&workspace, &warehouse, "SELECT 1 AS id").await.commit(&details("r1")).await.unwrap();
    let staged = stage(&workspace, &warehouse, "SELECT 2 AS id").await;
    store.set(Fault::Refused);
    let error = staged.commit(&details("r2")).await.unwrap_err();
    assert!(matches!(error, WarehouseError::NotCommitted { .. }), "{error}");
    assert!(error.help().contains("grant read, write and list"), "{}", error.help());
    store.set(Fault::None);
    staged.discard().await.unwrap();
    assert!(published(&workspace, &warehouse).await.contains("| 1   |"));
}

#[tokio::test]
async fn a_store_that_overwrites_is_found_out() {
    let (_workspace, store, warehouse) = faulty();
    let lasts = std::time::Duration::from_secs(60);
    warehouse.lease("p", "run-1", lasts).await.unwrap().release().await;
    store.set(Fault::Overwrites);
    let error = warehouse.lease("p", "run-2", lasts).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "the object store of `s3://bucket/warehouse/_locks/p` ignores conditional puts, so two runs could overwrite each other"
    );
    assert!(error.help().contains("If-None-Match"), "{}", error.help());
}

#[tokio::test]
async fn the_newest_run_is_found_without_reading_the_others() {
    let (_workspace, store, warehouse) = faulty();
    for run in 0..1200 {
        let id = format!("20261124T06{:02}{:02}Z-{run:08x}", run / 60, run % 60);
        warehouse.write_run(&id, &serde_json::json!({ "status": "complete" })).await.unwrap();
    }
    let before = store.gets.load(Ordering::SeqCst);
    let ids = warehouse.run_ids().await.unwrap();
    assert_eq!(store.gets.load(Ordering::SeqCst), before, "ids are read of names alone");
    assert_eq!((ids.len(), ids[0].as_str()), (1200, "20261124T061959Z-000004af"));
    let newest = warehouse.read_run(&ids[0]).await.unwrap();
    assert_eq!(newest, Some(serde_json::json!({ "status": "complete" })));
    assert_eq!(store.gets.load(Ordering::SeqCst) - before, 1);
}
