//! What lies at a location: tables of every format, in folders and buckets, and files that are none.

use std::sync::Arc;

use arrow::array::{Int64Array, StringArray};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use throughline_config::Format;
use throughline_lake::{CommitDetails, TableSpec, Warehouse, inventory};
use url::Url;

use crate::support::Workspace;

/// Each table by its path, its format and its columns.
async fn found(workspace: &Workspace, path: &str) -> Vec<String> {
    let found = inventory(path, &workspace.stores).await.unwrap();
    let table = |table: &throughline_lake::FoundTable| {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        format!("{} {:?} {} files: {}", table.path, table.format, table.files, columns.join(" "))
    };
    found.tables.iter().map(table).collect()
}

#[tokio::test]
async fn a_folder_of_several_formats() {
    let workspace = Workspace::new();
    let ids = || Arc::new(Int64Array::from(vec![1]));
    workspace.write_parquet("lake/calls/year=2025/a.parquet", vec![("id", ids())]);
    workspace.write_parquet("lake/calls/year=2026/a.parquet", vec![("id", ids())]);
    workspace.write("lake/chats.jsonl", "{\"a\": 1, \"b\": \"x\"}\n");
    workspace.write("lake/visits_2025.csv", "visit;at\n1;2025-01-01\n");
    workspace.write("lake/visits_2026.csv", "visit;at\n1;2026-01-01\n");
    workspace.write("lake/.hidden.csv", "a,b\n1,2\n");
    let warehouse = Warehouse::open("lake/tables", &workspace.stores).unwrap();
    let rows = workspace.streams("SELECT 1::int AS id, 'x' AS note").await;
    let spec = TableSpec { name: "notes".into(), schema: rows[0].schema(), description: None, order: vec![] };
    warehouse.stage(spec, rows).await.unwrap().commit(&CommitDetails::default()).await.unwrap();
    let semicolon = Format::Csv { delimiter: b';' };
    assert_eq!(
        found(&workspace, "lake/").await,
        [
            "lake/calls/ Parquet 2 files: id".to_owned(),
            "lake/chats.jsonl Json 1 files: a b".to_owned(),
            "lake/tables/notes/ Delta 0 files: id note".to_owned(),
            format!("lake/visits_2025.csv {semicolon:?} 1 files: visit at"),
            format!("lake/visits_2026.csv {semicolon:?} 1 files: visit at"),
        ],
        "the two years lie beside no other CSV but are no folder of their own"
    );
    assert_eq!(found(&workspace, "lake/chats.jsonl").await, ["lake/chats.jsonl Json 1 files: a b"]);
    assert_eq!(found(&workspace, "lake/tables/notes").await, ["lake/tables/notes/ Delta 0 files: id note"]);
}

#[tokio::test]
async fn files_with_other_columns_are_tables_of_their_own() {
    let workspace = Workspace::new();
    workspace.write("lake/part-1.csv", "a,b\n1,2\n");
    workspace.write("lake/part-2.csv", "a,c\n1,2\n");
    assert_eq!(found(&workspace, "lake").await.len(), 2);
}

#[tokio::test]
async fn a_prefix_of_a_bucket() {
    let workspace = Workspace::new();
    let store = InMemory::new();
    for (path, text) in [("raw/calls/1.csv", "a,b\n1,2\n"), ("raw/calls/2.csv", "a,b\n3,4\n"), ("raw/x.xlsx", "PK")] {
        store.put(&path.into(), text.into()).await.unwrap();
    }
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    workspace.stores.register(&Url::parse("s3://bucket").unwrap(), store);
    let found = inventory("s3://bucket/raw", &workspace.stores).await.unwrap();
    assert_eq!(found.tables.len(), 1);
    assert_eq!((found.tables[0].path.as_str(), found.tables[0].files), ("s3://bucket/raw/calls/", 2));
    assert_eq!(found.passed_over[0].file, "s3://bucket/raw/x.xlsx");
    assert!(found.passed_over[0].reason.contains("workbook"));
    let rows = workspace.open(&found.tables[0].source()).await.unwrap();
    let count = workspace.query(rows.provider, "SELECT count(*) AS n FROM t WHERE a <> 'a'").await.unwrap();
    assert!(count.contains("| 2 |"), "{count}");
}

#[tokio::test]
async fn what_is_no_table_is_told_by_its_file() {
    let workspace = Workspace::new();
    workspace.write("lake/empty.csv", "");
    workspace.write("lake/torn.parquet", "PAR1");
    let text = Arc::new(StringArray::from(vec!["x"]));
    workspace.write_parquet("lake/good.parquet", vec![("a", text)]);
    let found = inventory("lake", &workspace.stores).await.unwrap();
    assert_eq!(found.tables.len(), 1);
    let told = |file: &str| found.passed_over.iter().find(|over| over.file == file).unwrap().reason.clone();
    assert_eq!(told("lake/empty.csv"), "it is empty");
    assert!(told("lake/torn.parquet").contains("cut short"), "{}", told("lake/torn.parquet"));
    assert!(inventory("nowhere", &workspace.stores).await.is_err());
}
