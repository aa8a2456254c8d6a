//! Snapshots written, read, copied, damaged and contested, on a local disk and in memory.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use chrono::{TimeDelta, Utc};
use object_store::memory::InMemory;
use serde_json::{Value, json};
use throughline_lake::{
    Damage, Snapshot, SnapshotDraft, SnapshotError, SnapshotName, Snapshots, TableDraft, TableSpec, Warehouse,
};
use url::Url;

use crate::faults::{Fault, Faulty};
use crate::support::Workspace;
use crate::tables::details;

fn name(text: &str) -> SnapshotName {
    text.parse().unwrap()
}

/// A scratch warehouse with the table `fct` (the numbers up to `rows`) and `none`, which has no rows.
async fn scratch(workspace: &Workspace, all: &Snapshots, rows: u64) -> (Warehouse, SnapshotDraft) {
    let scratch = all.scratch(name("2026-Q3"));
    for (table, sql) in [
        ("fct", format!("SELECT value AS id, 'n' || value AS note FROM generate_series(1, {rows})")),
        ("none", "SELECT 1 AS id WHERE false".to_owned()),
    ] {
        let streams = workspace.streams(&sql).await;
        let columns = streams[0].schema();
        let fields = columns.fields().iter().map(|field| {
            Field::clone(field).with_metadata(HashMap::from([("comment".to_owned(), format!("The {}", field.name()))]))
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let spec = TableSpec { name: table.into(), schema, description: Some("One row a thing".into()), order: vec![] };
        scratch.stage(spec, streams).await.unwrap().commit(&details("r1")).await.unwrap();
    }
    let draft = SnapshotDraft {
        name: name("2026-Q3"),
        supersedes: None,
        pipeline: "key_journeys".into(),
        program: "0.1.0".into(),
        fingerprint: "abc".into(),
        variables: BTreeMap::new(),
        changes: Value::Null,
        run: json!({ "run_id": "r1" }),
        tables: ["fct", "none"].map(|table| (table.to_owned(), TableDraft::default())).into(),
    };
    (scratch, draft)
}

async fn published(workspace: &Workspace, warehouse: &Warehouse) -> Snapshot {
    let all = warehouse.snapshots();
    let (scratch, draft) = scratch(workspace, &all, 1000).await;
    let snapshot = all.publish(&scratch, &draft).await.unwrap();
    all.remove_scratch(&scratch).await.unwrap();
    snapshot
}

/// A warehouse on the disk and one in memory behind `s3://bucket`.
fn both(workspace: &Workspace) -> [Warehouse; 2] {
    workspace.stores.register(&Url::parse("s3://bucket").unwrap(), Arc::new(InMemory::new()));
    ["warehouse", "s3://bucket/warehouse"].map(|place| Warehouse::open(place, &workspace.stores).unwrap())
}

#[tokio::test]
async fn a_snapshot_is_there_when_its_manifest_is() {
    let workspace = Workspace::new();
    for warehouse in both(&workspace) {
        let all = warehouse.snapshots();
        assert!(all.names().await.unwrap().is_empty());
        let (scratch, draft) = scratch(&workspace, &all, 1000).await;
        assert!(all.names().await.unwrap().is_empty(), "a scratch warehouse is no snapshot");
        assert!(all.open(name("2026-Q3")).await.unwrap().is_none());
        all.publish(&scratch, &draft).await.unwrap();
        all.remove_scratch(&scratch).await.unwrap();

        assert_eq!(all.names().await.unwrap(), [name("2026-Q3")]);
        let snapshot = all.open(name("2026-Q3")).await.unwrap().unwrap();
        let manifest = snapshot.manifest();
        assert_eq!((manifest.rows(), manifest.tables["fct"].rows, manifest.tables["none"].rows), (1000, 1000, 0));
        assert_eq!(manifest.tables["none"].files.len(), 1, "a table without rows is a file with columns");
        assert_eq!(manifest.tables["fct"].description.as_deref(), Some("One row a thing"));
        assert_eq!(snapshot.schema("none").unwrap().field(0).metadata()["comment"], "The id");
        let sql = "SELECT count(*) AS n, sum(id) AS s, max(note) AS m FROM t";
        let rows = workspace.query(snapshot.table("fct").unwrap(), sql).await.unwrap();
        assert!(rows.contains("| 1000 | 500500 | n999 |"), "{rows}");
        let rows = workspace.query(snapshot.table("none").unwrap(), "SELECT count(*) AS n FROM t").await.unwrap();
        assert!(rows.contains("| 0 |"), "{rows}");
        assert!(snapshot.table("other").is_none());
        let verification = snapshot.verify().await.unwrap();
        assert!(verification.holds(), "{verification:?}");
        assert_eq!(verification.bytes, manifest.bytes());
    }
}

#[tokio::test]
async fn of_two_under_one_name_the_first_stays() {
    let workspace = Workspace::new();
    for warehouse in both(&workspace) {
        let all = warehouse.snapshots();
        let (one, draft) = scratch(&workspace, &all, 1000).await;
        let (two, _) = scratch(&workspace, &all, 2000).await;
        let (first, second) = tokio::join!(all.publish(&one, &draft), all.publish(&two, &draft));
        let (won, lost) = match first {
            Ok(won) => (won, second),
            lost => (second.unwrap(), lost),
        };
        let error = lost.unwrap_err();
        assert!(matches!(error, SnapshotError::Exists { .. }), "{error}");
        let there = all.open(name("2026-Q3")).await.unwrap().unwrap();
        assert_eq!(there.manifest(), won.manifest());
        let verification = there.verify().await.unwrap();
        assert!(verification.holds(), "nothing of the other is left: {verification:?}");
        let error = all.publish(&two, &draft).await.unwrap_err();
        assert!(matches!(error, SnapshotError::Exists { .. }), "{error}");
        assert!(there.verify().await.unwrap().holds());
    }
}

#[tokio::test]
async fn a_manifest_whose_answer_is_lost_counts() {
    let workspace = Workspace::new();
    let store = Faulty::new();
    workspace.stores.register(&Url::parse("s3://bucket").unwrap(), Arc::clone(&store) as _);
    let all = Warehouse::open("s3://bucket/warehouse", &workspace.stores).unwrap().snapshots();
    let (made, draft) = scratch(&workspace, &all, 10).await;
    store.set(Fault::LostAnswer);
    all.publish(&made, &draft).await.unwrap();
    store.set(Fault::None);
    assert!(all.open(name("2026-Q3")).await.unwrap().unwrap().verify().await.unwrap().holds());

    // One that never arrives is no snapshot, and asking again makes it.
    let draft = SnapshotDraft { name: name("2026-Q2"), ..draft };
    store.set(Fault::NeverArrives);
    let error = all.publish(&made, &draft).await.unwrap_err();
    assert!(matches!(error, SnapshotError::Unknown { .. }), "{error}");
    store.set(Fault::None);
    assert_eq!(all.names().await.unwrap(), [name("2026-Q3")]);
    let second = all.publish(&made, &draft).await.unwrap();
    let verification = second.verify().await.unwrap();
    assert!(verification.holds(), "the first attempt's files are gone: {verification:?}");
}

/// The snapshot's files on the disk, the manifest left out.
fn data_files(workspace: &Workspace, snapshot: &Snapshot) -> Vec<PathBuf> {
    let folder = workspace.path(&format!("warehouse/_snapshots/{}", snapshot.name()));
    snapshot.manifest().files().map(|file| folder.join(&file.path)).collect()
}

#[tokio::test]
async fn one_changed_byte_is_found_and_named() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    let snapshot = published(&workspace, &warehouse).await;
    for file in data_files(&workspace, &snapshot) {
        let whole = std::fs::read(&file).unwrap();
        for position in [0, whole.len() / 2, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[position] ^= 1;
            std::fs::write(&file, damaged).unwrap();
            let verification = snapshot.verify().await.unwrap();
            let named: Vec<_> = verification.damaged.iter().collect();
            assert_eq!(named.len(), 1, "{verification:?}");
            assert!(file.ends_with(named[0].0) && *named[0].1 == Damage::Changed, "{verification:?}");
        }
        std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
        let found = snapshot.verify_sizes().await.unwrap();
        assert!(matches!(found.damaged.values().next(), Some(Damage::Size { .. })), "{found:?}");
        std::fs::remove_file(&file).unwrap();
        let found = snapshot.verify().await.unwrap();
        assert_eq!(found.damaged.values().collect::<Vec<_>>(), [&Damage::Missing]);
        std::fs::write(&file, &whole).unwrap();
        assert!(snapshot.verify().await.unwrap().holds());
    }
    workspace.write("warehouse/_snapshots/2026-Q3/fct/note.txt", "x");
    let found = snapshot.verify().await.unwrap();
    assert_eq!(found.damaged, [("fct/note.txt".to_owned(), Damage::Extra)].into());

    let path = workspace.path("warehouse/_snapshots/2026-Q3/manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"rows\": 1000", "\"rows\": 1001", 1)).unwrap();
    let error = warehouse.snapshots().open(name("2026-Q3")).await.unwrap_err();
    assert!(matches!(&error, SnapshotError::Manifest { reason, .. } if reason.contains("checksum")), "{error}");
}

#[tokio::test]
async fn a_copy_is_a_snapshot_and_holds_by_itself() {
    let workspace = Workspace::new();
    let [warehouse, _] = both(&workspace);
    let snapshot = published(&workspace, &warehouse).await;
    for place in ["copy", "s3://bucket/planning/2026-Q3"] {
        let to = workspace.stores.locate(place).unwrap();
        let exported = snapshot.export(&to).await.unwrap();
        assert_eq!((exported.already_there, exported.bytes), (false, snapshot.manifest().bytes()));
        let copy = Snapshot::at(&to).await.unwrap();
        assert_eq!(copy.manifest(), snapshot.manifest());
        assert!(copy.verify().await.unwrap().holds());
        let rows = workspace.query(copy.table("fct").unwrap(), "SELECT count(*) AS n FROM t").await.unwrap();
        assert!(rows.contains("| 1000 |"), "{rows}");
        assert!(snapshot.export(&to).await.unwrap().already_there);
    }
    // Another snapshot under the same name is another snapshot.
    let elsewhere = Warehouse::open("elsewhere", &workspace.stores).unwrap();
    let other = published(&workspace, &elsewhere).await;
    let error = other.export(&workspace.stores.locate("copy").unwrap()).await.unwrap_err();
    assert!(matches!(error, SnapshotError::Exists { .. }), "{error}");
    // What is damaged is not copied on.
    let file = &data_files(&workspace, &snapshot)[0];
    let mut bytes = std::fs::read(file).unwrap();
    bytes[10] ^= 64;
    std::fs::write(file, bytes).unwrap();
    let to = workspace.stores.locate("second").unwrap();
    let error = snapshot.export(&to).await.unwrap_err();
    assert!(matches!(error, SnapshotError::Damaged { .. }), "{error}");
    assert!(matches!(Snapshot::at(&to).await.unwrap_err(), SnapshotError::Missing { .. }));
}

#[tokio::test]
async fn what_a_killed_attempt_leaves_is_swept_once_it_is_old() {
    let workspace = Workspace::new();
    for warehouse in both(&workspace) {
        let all = warehouse.snapshots();
        let snapshot = published(&workspace, &warehouse).await;
        // One killed while it computed, one while it wrote its files.
        scratch(&workspace, &all, 10).await;
        let unfinished = warehouse.location().child("_snapshots").child("2026-Q2").child("fct");
        let path = unfinished.prefix.clone().join("part-00000-x-c000.zstd.parquet");
        object_store::ObjectStoreExt::put(unfinished.store.as_ref(), &path, "half".into()).await.unwrap();

        let young = all.sweep(Utc::now() - TimeDelta::hours(1), false).await.unwrap();
        assert!(young.files.is_empty(), "{young:?}");
        let later = Utc::now() + TimeDelta::hours(1);
        let looked = all.sweep(later, true).await.unwrap();
        assert!(looked.files.iter().any(|(path, _)| path.contains(".making-2026-Q3-")), "{looked:?}");
        assert!(
            looked.files.iter().any(|(path, bytes)| path.contains("2026-Q2/fct/part-") && *bytes == 4),
            "{looked:?}"
        );
        assert_eq!(all.sweep(later, false).await.unwrap(), looked);
        assert!(all.sweep(later, false).await.unwrap().files.is_empty());
        assert!(snapshot.verify().await.unwrap().holds(), "a snapshot is never swept");
        assert_eq!(all.names().await.unwrap(), [name("2026-Q3")]);
    }
}
