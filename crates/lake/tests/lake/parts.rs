//! Tables laid out by when their rows are settled: a part whose rows come out as they were keeps its file.

use arrow::datatypes::Schema;
use throughline_lake::{PartLayout, StagedTable, TableSpec, Warehouse};

use crate::support::Workspace;
use crate::tables::details;

const WEEK: i64 = 7 * 86_400_000_000;
/// A Monday.
const START: i64 = 20_514 * 86_400_000_000;

/// Stages `VALUES (id, text, week)`, a row of week `w` settled in it and a row of week null not settled.
async fn stage(workspace: &Workspace, warehouse: &Warehouse, values: &str) -> StagedTable {
    let sql = format!(
        "SELECT id, text, arrow_cast({START} + week * {WEEK}, 'Timestamp(Microsecond, Some(\"UTC\"))') AS settled_at
         FROM (VALUES {values}) AS given (id, text, week)"
    );
    let rows = workspace.streams(&sql).await;
    let fields = rows[0].schema().fields().iter().take(2).cloned().collect::<Vec<_>>();
    let spec =
        TableSpec { name: "facts".into(), schema: Schema::new(fields).into(), description: None, order: Vec::new() };
    let layout = PartLayout { by_week_from: START, unsettled_from: START + 4 * WEEK };
    let split = warehouse.table_parts("facts").await.unwrap().map(|parts| parts.split_at(START));
    warehouse.stage_parts(spec, rows, layout, split).await.unwrap()
}

/// The words in the names of the files that a folder holds.
fn parts_in(workspace: &Workspace) -> Vec<String> {
    let names = std::fs::read_dir(workspace.path("warehouse/facts")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut parts: Vec<String> = names.filter_map(|name| Some(name.split('.').nth(1)?.to_owned())).collect();
    parts.sort_unstable();
    parts
}

const FIRST: &str = "(1, 'a', 0), (2, NULL, 0), (3, 'c', 1), (4, 'd', CAST(NULL AS BIGINT))";

#[tokio::test]
async fn a_part_with_the_same_rows_keeps_its_file() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    let staged = stage(&workspace, &warehouse, FIRST).await;
    assert_eq!((staged.files(), staged.rows()), (3, 4));
    staged.commit(&details("first")).await.unwrap();

    let again = "(4, 'd', NULL), (2, NULL, 0), (3, 'changed', 1), (1, 'a', CAST(0 AS BIGINT))";
    let staged = stage(&workspace, &warehouse, again).await;
    assert_eq!((staged.files(), staged.rows(), staged.table_rows()), (2, 2, 4), "the other week and what is open");
    let all = workspace.query(staged.provider(), "SELECT count(*) AS n FROM t").await.unwrap();
    assert!(all.contains("| 4 "), "tests see the rows that stay, too: {all}");
    staged.commit(&details("second")).await.unwrap();
    let week = "settled-2026-03-08";
    assert_eq!(parts_in(&workspace), [week, "settled-2026-03-15", "settled-2026-03-15", "unsettled", "unsettled"]);
    let table = warehouse.table("facts").await.unwrap().unwrap();
    assert_eq!((table.rows, table.files), (Some(4), 3));
    let rows = workspace.query(table.provider, "SELECT * FROM t ORDER BY id").await.unwrap();
    assert!(["1  | a", "2  |  ", "3  | changed", "4  | d"].iter().all(|row| rows.contains(row)), "{rows}");
}

#[tokio::test]
async fn one_row_more_less_or_other_is_another_part() {
    for (what, week) in [
        ("more", "(1, 'a', 0), (2, NULL, 0), (5, 'e', 0)"),
        ("less", "(1, 'a', 0)"),
        ("twice", "(1, 'a', 0), (1, 'a', 0)"),
        ("other", "(1, 'a', 0), (2, '', 0)"),
        ("swapped", "(1, NULL, 0), (2, 'a', 0)"),
    ] {
        let workspace = Workspace::new();
        let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
        stage(&workspace, &warehouse, FIRST).await.commit(&details("first")).await.unwrap();
        let staged = stage(&workspace, &warehouse, &format!("{week}, (3, 'c', CAST(1 AS BIGINT))")).await;
        assert_eq!((staged.files(), staged.rows()), (1, week.matches('(').count() as u64), "{what}");
        assert_eq!(staged.table_rows(), staged.rows() + 1, "{what}");
    }
}

#[tokio::test]
async fn what_a_part_holds_is_known_after_a_checkpoint() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    stage(&workspace, &warehouse, FIRST).await.commit(&details("first")).await.unwrap();
    warehouse.checkpoint("facts", 1).await.unwrap();
    let log = workspace.path("warehouse/facts/_delta_log");
    std::fs::remove_file(log.join("00000000000000000000.json")).unwrap();
    let staged = stage(&workspace, &warehouse, FIRST).await;
    assert_eq!((staged.files(), staged.rows(), staged.table_rows()), (1, 1, 4));
}

#[tokio::test]
async fn rows_too_many_to_be_held_back_are_written_and_taken_away_again() {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    let wide = "(1, repeat('x', 70000000), 0), (2, 'b', CAST(0 AS BIGINT))";
    stage(&workspace, &warehouse, wide).await.commit(&details("first")).await.unwrap();
    let staged = stage(&workspace, &warehouse, wide).await;
    assert_eq!((staged.files(), staged.rows(), staged.table_rows()), (0, 0, 2));
    assert_eq!(parts_in(&workspace), ["settled-2026-03-08"], "nothing is left behind");
}
