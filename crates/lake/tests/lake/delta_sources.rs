//! Delta tables as sources.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use throughline_config::{ColumnType, Format};
use throughline_lake::{CommitDetails, TableSpec, Warehouse};

use crate::support::{Workspace, refusal, source};

async fn publish(workspace: &Workspace, sql: &str) {
    let warehouse = Warehouse::open("other", &workspace.stores).unwrap();
    let rows = workspace.streams(sql).await;
    let spec = TableSpec { name: "calls".into(), schema: rows[0].schema(), description: None, order: vec![] };
    let staged = warehouse.stage(spec, rows).await.unwrap();
    staged.commit(&CommitDetails::default()).await.unwrap();
}

#[tokio::test]
async fn a_folder_without_a_log_is_no_delta_table() {
    let workspace = Workspace::new();
    let numbers = Arc::new(Int64Array::from(vec![1]));
    workspace.write_parquet("other/calls/a.parquet", vec![("id", numbers)]);
    let (message, help) = refusal(workspace.open(&source("other/calls", Format::Delta, &[])).await);
    assert_eq!(message, "source `calls`: `other/calls` is not a Delta table: it has no `_delta_log`");
    assert!(help.contains("format: parquet"), "{help}");
}

#[tokio::test]
async fn the_newest_version_is_read_in_our_types() {
    let workspace = Workspace::new();
    publish(&workspace, "SELECT 1::int AS id, 'old' AS note").await;
    publish(&workspace, "SELECT 2::int AS id, 'new' AS note, 0.5::float AS share").await;
    let open = workspace.open(&source("other/calls", Format::Delta, &[])).await.unwrap();
    assert_eq!(open.schema.field_with_name("id").unwrap().data_type(), &DataType::Int64);
    assert_eq!(open.schema.field_with_name("share").unwrap().data_type(), &DataType::Float64);
    assert_eq!(open.files.len(), 1);
    assert!(open.files[0].0.starts_with("other/calls/part-"), "{:?}", open.files);
    let rows = workspace.query(open.provider, "SELECT * FROM t WHERE id > 1").await.unwrap();
    assert!(rows.contains("| 2  | new  | 0.5   |"), "{rows}");
}

#[tokio::test]
async fn declared_columns_decide_for_delta_too() {
    let workspace = Workspace::new();
    publish(&workspace, "SELECT 1::int AS id, 'x' AS note").await;
    let open = workspace
        .open(&source("other/calls", Format::Delta, &[("note", ColumnType::String), ("id", ColumnType::Float64)]))
        .await
        .unwrap();
    let rows = workspace.query(open.provider, "SELECT * FROM t").await.unwrap();
    assert!(rows.contains("| x    | 1.0 |"), "{rows}");
    let (message, _) =
        refusal(workspace.open(&source("other/calls", Format::Delta, &[("note", ColumnType::Int64)])).await);
    assert_eq!(
        message,
        "column `note` of `other/calls` is string, which does not become the declared int64 without loss"
    );
}

#[tokio::test]
async fn a_partitioned_table_of_another_program_is_read() {
    let workspace = Workspace::new();
    let url = url::Url::from_directory_path(workspace.path("other/calls")).unwrap();
    std::fs::create_dir_all(workspace.path("other/calls")).unwrap();
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![1, 2])) as arrow::array::ArrayRef),
        ("region", Arc::new(StringArray::from(vec!["north", "south"]))),
    ])
    .unwrap();
    deltalake::DeltaTable::try_from_url(url)
        .await
        .unwrap()
        .write(vec![batch])
        .with_partition_columns(["region"])
        .await
        .unwrap();
    let open = workspace.open(&source("other/calls", Format::Delta, &[])).await.unwrap();
    let rows = workspace.query(open.provider, "SELECT id, region FROM t ORDER BY id").await.unwrap();
    assert!(rows.contains("| 1  | north  |") && rows.contains("| 2  | south  |"), "{rows}");
}
