//! Rows added to a table that only grows.

use throughline_lake::{TableSpec, Warehouse, WarehouseError};

use crate::support::Workspace;
use crate::tables::details;

#[tokio::test]
async fn an_addition_keeps_the_rows_that_are_there() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    for (id, version) in [(1, 0_u64), (2, 1), (3, 2)] {
        let staged = addition(&workspace, &warehouse, id).await;
        assert_eq!(staged.replaces(), version.checked_sub(1));
        assert_eq!(staged.commit(&details("run")).await.unwrap().version, version);
    }
    let table = warehouse.table("log").await.unwrap().unwrap();
    assert_eq!((table.rows, table.files), (Some(3), 3));
    let rows = workspace.query(table.provider, "SELECT id FROM t ORDER BY id").await.unwrap();
    assert!(["| 1 ", "| 2 ", "| 3 "].iter().all(|row| rows.contains(row)), "{rows}");
    assert_eq!(warehouse.table_at("log", 1).await.unwrap().unwrap().rows, Some(2), "an older version stays readable");
}

#[tokio::test]
async fn of_two_additions_to_one_version_one_is_refused() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    let (first, second) = (addition(&workspace, &warehouse, 1).await, addition(&workspace, &warehouse, 2).await);
    first.commit(&details("winner")).await.unwrap();
    let error = second.commit(&details("loser")).await.unwrap_err();
    assert!(matches!(error, WarehouseError::Conflict { .. }), "{error}");
    second.discard().await.unwrap();
    assert_eq!(warehouse.table("log").await.unwrap().unwrap().rows, Some(1));
}

async fn addition(workspace: &Workspace, warehouse: &Warehouse, id: i64) -> throughline_lake::StagedTable {
    let rows = workspace.streams(&format!("SELECT {id} AS id")).await;
    let schema = rows[0].schema();
    let spec = TableSpec { name: "log".into(), schema, description: None, order: Vec::new() };
    warehouse.stage_addition(spec, rows).await.unwrap()
}
