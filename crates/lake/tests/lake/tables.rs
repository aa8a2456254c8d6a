//! Tables staged, published, read back and discarded on a local disk.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use serde_json::json;
use throughline_lake::{CommitDetails, SortColumn, StagedTable, TableSpec, Warehouse, WarehouseError};

use crate::support::Workspace;

pub(crate) async fn stage(workspace: &Workspace, warehouse: &Warehouse, sql: &str) -> StagedTable {
    try_stage(workspace, warehouse, sql).await.unwrap()
}

pub(crate) async fn try_stage(
    workspace: &Workspace,
    warehouse: &Warehouse,
    sql: &str,
) -> Result<StagedTable, WarehouseError> {
    let rows = workspace.streams(sql).await;
    let spec = TableSpec { name: "fct".into(), schema: rows[0].schema(), description: None, order: vec![] };
    warehouse.stage(spec, rows).await
}

pub(crate) fn details(run: &str) -> CommitDetails {
    CommitDetails {
        run_id: run.into(),
        pipeline: "key_journeys".into(),
        as_of: Some(1_795_500_000_000_000),
        fingerprint: "abc".into(),
        ..CommitDetails::default()
    }
}

fn files_in(workspace: &Workspace, folder: &str) -> usize {
    std::fs::read_dir(workspace.path(folder))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".parquet"))
        .count()
}

#[tokio::test]
async fn rows_are_seen_staged_then_published_then_at_each_version() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    assert!(warehouse.table("fct").await.unwrap().is_none());
    assert!(warehouse.table_names().await.unwrap().is_empty());

    let first = stage(&workspace, &warehouse, "SELECT value AS id, 'one' AS note FROM generate_series(1, 10)").await;
    assert_eq!((first.rows(), first.replaces()), (10, None));
    assert!(first.bytes() > 0 && first.files() >= 1);
    let rows =
        workspace.query(first.provider(), "SELECT count(*) AS n, sum(id) AS s, min(note) AS w FROM t").await.unwrap();
    assert!(rows.contains("| 10 | 55 | one |"), "{rows}");
    assert!(warehouse.table("fct").await.unwrap().is_none(), "staged rows are not published");
    assert_eq!(first.commit(&details("r1")).await.unwrap().version, 0);

    let second = stage(&workspace, &warehouse, "SELECT 7::bigint AS id, 'two' AS note, now() AS at").await;
    assert_eq!(second.replaces(), Some(0));
    assert_eq!(second.commit(&details("r2")).await.unwrap().version, 1);

    let newest = warehouse.table("fct").await.unwrap().unwrap();
    assert_eq!((newest.version, newest.rows, newest.files), (1, Some(1), 1));
    assert_eq!(newest.schema.fields().len(), 3, "the schema changed");
    let rows = workspace.query(newest.provider, "SELECT id, note FROM t").await.unwrap();
    assert!(rows.contains("| 7  | two  |"), "{rows}");
    let old = warehouse.table_at("fct", 0).await.unwrap().unwrap();
    assert_eq!((old.version, old.rows), (0, Some(10)));
    let rows =
        workspace.query(old.provider, "SELECT count(*) AS n, max(id) AS m FROM t WHERE note = 'one'").await.unwrap();
    assert!(rows.contains("| 10 | 10 |"), "{rows}");
    assert!(warehouse.table_at("fct", 2).await.unwrap().is_none());
    assert_eq!(warehouse.table_names().await.unwrap(), ["fct"]);
}

#[tokio::test]
async fn zero_rows_are_a_table_too() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    let staged = stage(&workspace, &warehouse, "SELECT 1 AS id WHERE false").await;
    assert_eq!((staged.rows(), staged.files()), (0, 0));
    workspace.query(staged.provider(), "SELECT * FROM t").await.unwrap();
    staged.commit(&details("r1")).await.unwrap();
    let table = warehouse.table("fct").await.unwrap().unwrap();
    assert_eq!((table.rows, table.bytes), (Some(0), 0));
    let rows = workspace.query(table.provider, "SELECT count(*) AS n FROM t").await.unwrap();
    assert!(rows.contains("| 0 |"), "{rows}");
}

#[tokio::test]
async fn discarding_leaves_the_published_table() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    stage(&workspace, &warehouse, "SELECT 1 AS id").await.commit(&details("r1")).await.unwrap();
    let staged = stage(&workspace, &warehouse, "SELECT 2 AS id").await;
    assert_eq!(files_in(&workspace, "warehouse/fct"), 2);
    staged.discard().await.unwrap();
    staged.discard().await.unwrap();
    assert_eq!(files_in(&workspace, "warehouse/fct"), 1);
    let error = staged.commit(&details("r2")).await.unwrap_err();
    assert_eq!(error.to_string(), "the staged rows of table `fct` were discarded");
    let table = warehouse.table("fct").await.unwrap().unwrap();
    assert_eq!(table.version, 0);
    let rows = workspace.query(table.provider, "SELECT id FROM t").await.unwrap();
    assert!(rows.contains("| 1  |"), "{rows}");
}

#[tokio::test]
async fn an_error_in_the_rows_leaves_no_file() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    let sql =
        "SELECT CASE WHEN value = 90000 THEN 1 / (value - 90000) ELSE value END AS id FROM generate_series(1, 100000)";
    let rows = workspace.streams(sql).await;
    let spec = TableSpec { name: "fct".into(), schema: rows[0].schema(), description: None, order: vec![] };
    let error = warehouse.stage(spec, rows).await.unwrap_err();
    assert!(matches!(error, WarehouseError::Rows { .. }), "{error}");
    assert!(error.to_string().contains("Divide by zero"), "{error}");
    let left = std::fs::read_dir(workspace.path("warehouse/fct")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
    assert!(warehouse.table("fct").await.unwrap().is_none());
}

#[tokio::test]
async fn comments_and_description_survive() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    let comment = HashMap::from([("comment".to_owned(), "Who it is".to_owned())]);
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false).with_metadata(comment.clone())]));
    let spec = |description: &str| TableSpec {
        name: "fct".into(),
        schema: Arc::clone(&schema),
        description: Some(description.into()),
        order: vec![],
    };
    for (description, version) in [("One row a customer", 0), ("One row a customer", 1), ("One row a spell", 2)] {
        let staged = warehouse.stage(spec(description), workspace.streams("SELECT 1 AS id").await).await.unwrap();
        assert_eq!(staged.schema().field(0).metadata(), &comment);
        assert_eq!(staged.commit(&details("r")).await.unwrap().version, version);
        let table = warehouse.table("fct").await.unwrap().unwrap();
        assert_eq!(table.schema.field(0).metadata().get("comment"), comment.get("comment"));
        assert_eq!(table.description.as_deref(), Some(description));
    }
    // The metadata is written when it changes, not with every version.
    let entry = |version: u64| {
        std::fs::read_to_string(workspace.path(&format!("warehouse/fct/_delta_log/{version:020}.json"))).unwrap()
    };
    assert!(
        entry(0).contains("\"metaData\"") && !entry(1).contains("\"metaData\"") && entry(2).contains("\"metaData\"")
    );
    assert!(
        entry(1).contains("\"runId\":\"r\"") && entry(1).contains("\"appId\":\"key_journeys/fct\""),
        "{}",
        entry(1)
    );
}

#[tokio::test]
async fn the_declared_order_spares_the_sort() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    let rows = workspace.streams("SELECT 'C' || (value % 100) AS customer_id, value AS step FROM generate_series(1, 5000) ORDER BY customer_id, step").await;
    let order = vec![SortColumn::ascending("customer_id"), SortColumn::ascending("step")];
    let spec = TableSpec { name: "fct".into(), schema: rows[0].schema(), description: None, order };
    let staged = warehouse.stage(spec, rows).await.unwrap();
    let sql = "SELECT customer_id, step FROM t ORDER BY customer_id, step";
    let plan = workspace.explain(staged.provider(), sql).await;
    assert!(plan.contains("output_ordering=[customer_id@0 ASC NULLS LAST, step@1 ASC NULLS LAST]"), "{plan}");
    assert!(!plan.contains("SortExec"), "{plan}");
    let rows = workspace.query(staged.provider(), &format!("{sql} LIMIT 2")).await.unwrap();
    assert!(rows.contains("| C0          | 100  |\n| C0          | 200  |"), "{rows}");
}

#[tokio::test]
async fn any_delta_reader_understands_the_table() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    let sql = "SELECT arrow_cast(TIMESTAMP '2026-01-31T12:00:00.123456', 'Timestamp(Microsecond, Some(\"UTC\"))') AS at, \
               struct(0.5 AS estimate, 0.1 AS lower) AS rate, arrow_cast('x', 'Utf8View') AS note, 3::int unsigned AS n, \
               null AS nothing, DATE '2026-01-31' AS day, 'infinity'::double AS odd";
    stage(&workspace, &warehouse, sql).await.commit(&details("r1")).await.unwrap();
    let url = url::Url::from_directory_path(workspace.path("warehouse/fct")).unwrap();
    let table = deltalake::open_table(url).await.unwrap();
    assert_eq!(table.snapshot().unwrap().protocol().min_reader_version(), 1);
    let rows = workspace
        .query(
            table.table_provider().await.unwrap(),
            "SELECT at, rate['lower'] AS lower, note, n, nothing, day FROM t WHERE day = DATE '2026-01-31'",
        )
        .await
        .unwrap();
    assert!(rows.contains("| 2026-01-31T12:00:00.123456Z | 0.1   | x    | 3 |         | 2026-01-31 |"), "{rows}");
    let entry = std::fs::read_to_string(workspace.path("warehouse/fct/_delta_log/00000000000000000000.json")).unwrap();
    let add: serde_json::Value = entry
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|line| line.get("add").cloned())
        .unwrap();
    let statistics: serde_json::Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
    assert_eq!(statistics["numRecords"], json!(1));
    assert_eq!(statistics["minValues"]["at"], json!("2026-01-31T12:00:00.123Z"));
    assert_eq!(statistics["maxValues"]["at"], json!("2026-01-31T12:00:00.124Z"));
    assert_eq!(statistics["minValues"]["day"], json!("2026-01-31"));
    assert_eq!(statistics["nullCount"]["nothing"], json!(1));
    assert!(statistics["maxValues"].get("odd").is_none(), "infinity has no JSON");
}

#[tokio::test]
async fn run_records_are_created_once_and_found_by_name() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    assert_eq!(warehouse.run_ids().await.unwrap(), Vec::<String>::new());
    for (id, status) in [
        ("20261123T065003Z-00000001", "complete"),
        ("20261124T065003Z-00000002", "complete"),
        ("20261125T065003Z-00000003", "failed"),
    ] {
        warehouse.write_run(id, &json!({ "status": status })).await.unwrap();
    }
    let id = "20261124T065003Z-00000002";
    assert_eq!(warehouse.read_run(id).await.unwrap(), Some(json!({ "status": "complete" })));
    let again = warehouse.write_run(id, &json!({ "status": "failed" })).await.unwrap_err();
    assert_eq!(again.to_string(), "the record of run `20261124T065003Z-00000002` exists already");
    assert!(warehouse.write_run("../x", &json!({})).await.is_err());
    assert_eq!(warehouse.read_run("20260101T000000Z-ffffffff").await.unwrap(), None);
    let newest_first = ["20261125T065003Z-00000003", id, "20261123T065003Z-00000001"];
    assert_eq!(warehouse.run_ids().await.unwrap(), newest_first);
    workspace.write("warehouse/_runs/20261126T065003Z-00000004.json", "{");
    let error = warehouse.read_run("20261126T065003Z-00000004").await.unwrap_err();
    assert!(error.help().contains("_runs/20261126T065003Z-00000004.json"), "{error}");
}
