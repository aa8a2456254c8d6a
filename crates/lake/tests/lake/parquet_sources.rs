//! Parquet folders as other systems leave them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array,
    LargeStringArray, StringArray, TimestampMillisecondArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Int32Type, TimeUnit};
use throughline_config::{ColumnType, Format};

use crate::support::{Workspace, refusal, source};

fn ints(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let workspace = Workspace::new();
    let (message, help) = refusal(workspace.open(&source("lake/calls/", Format::Parquet, &[])).await);
    assert_eq!(message, "source `calls`: `lake/calls` does not exist");
    assert!(help.contains("relative path starts at the workspace"), "{help}");
}

#[tokio::test]
async fn a_folder_without_files_needs_declared_columns() {
    let workspace = Workspace::new();
    workspace.write("lake/calls/_SUCCESS", "");
    workspace.write("lake/calls/notes.txt", "nothing");
    let (message, help) = refusal(workspace.open(&source("lake/calls", Format::Parquet, &[])).await);
    assert_eq!(message, "source `calls`: `lake/calls` holds no Parquet file");
    assert!(help.contains("declare `columns:`") && help.contains("`.parquet`"), "{help}");

    let declared = source("lake/calls", Format::Parquet, &[("id", ColumnType::Int64)]);
    let open = workspace.open(&declared).await.unwrap();
    assert_eq!(open.warnings, ["source `calls` is empty: `lake/calls` holds no Parquet file"]);
    let rows = workspace.query(open.provider, "SELECT count(*) AS n, count(id) AS ids FROM t").await.unwrap();
    assert!(rows.contains("| 0 | 0   |"), "{rows}");
}

#[tokio::test]
async fn a_file_cut_short_is_named() {
    let workspace = Workspace::new();
    workspace.write_parquet("lake/calls/a.parquet", vec![("id", ints(&[1, 2, 3]))]);
    let whole = std::fs::read(workspace.path("lake/calls/a.parquet")).unwrap();
    for kept in [0, 3, 7, whole.len() / 2, whole.len() - 1] {
        workspace.write("lake/calls/b.parquet", &whole[..kept]);
        let (message, help) = refusal(workspace.open(&source("lake/calls", Format::Parquet, &[])).await);
        let expected = if kept == 3 {
            "`lake/calls/b.parquet` is not a Parquet file"
        } else {
            "`lake/calls/b.parquet` is cut short"
        };
        assert!(message.starts_with(expected), "{kept} bytes: {message}");
        assert!(help.contains("move"), "{help}");
    }
}

#[tokio::test]
async fn other_files_are_no_parquet() {
    let workspace = Workspace::new();
    workspace.write("lake/calls/a.parquet", "call_id,customer_id\n1,C1\n");
    let (message, help) = refusal(workspace.open(&source("lake/calls", Format::Parquet, &[])).await);
    assert!(message.starts_with("`lake/calls/a.parquet` is not a Parquet file"), "{message}");
    assert!(help.starts_with("correct `format:`"), "{help}");
}

#[tokio::test]
async fn hidden_files_are_skipped_and_folders_searched() {
    let workspace = Workspace::new();
    workspace.write_parquet("lake/calls/2026/a.parquet", vec![("id", ints(&[1]))]);
    workspace.write_parquet("lake/calls/2026/11/b.parquet", vec![("id", ints(&[2]))]);
    workspace.write("lake/calls/_temporary/c.parquet", "rubbish");
    workspace.write("lake/calls/.d.parquet", "rubbish");
    workspace.write("lake/calls/_truth.json", "{}");
    let open = workspace.open(&source("lake/calls", Format::Parquet, &[])).await.unwrap();
    let names: Vec<&str> = open.files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["lake/calls/2026/11/b.parquet", "lake/calls/2026/a.parquet"]);
    assert!(open.files.iter().all(|(_, bytes)| *bytes > 100));
    let rows = workspace.query(open.provider, "SELECT sum(id) AS s FROM t").await.unwrap();
    assert!(rows.contains("| 3 |"), "{rows}");

    let single = workspace.open(&source("lake/calls/2026/a.parquet", Format::Parquet, &[])).await.unwrap();
    assert_eq!(single.files.len(), 1);
}

#[tokio::test]
async fn one_column_of_two_types_names_both_files() {
    let workspace = Workspace::new();
    workspace.write_parquet("lake/calls/a.parquet", vec![("rating", ints(&[1]))]);
    workspace.write_parquet("lake/calls/b.parquet", vec![("rating", texts(&["good"]))]);
    let (message, help) = refusal(workspace.open(&source("lake/calls", Format::Parquet, &[])).await);
    assert_eq!(message, "column `rating` is int32 in `lake/calls/a.parquet` but string in `lake/calls/b.parquet`");
    assert!(help.contains("columns: { rating: <type> }"), "{help}");
}

#[tokio::test]
async fn missing_columns_are_null_and_types_are_widened() {
    let workspace = Workspace::new();
    let nanoseconds = TimestampNanosecondArray::from(vec![1_700_000_000_123_456_789]);
    workspace.write_parquet(
        "lake/calls/a.parquet",
        vec![("id", ints(&[1])), ("at", Arc::new(nanoseconds)), ("share", Arc::new(Float32Array::from(vec![0.5])))],
    );
    let milliseconds = TimestampMillisecondArray::from(vec![1_700_000_001_000]).with_timezone("Europe/Berlin");
    let dictionary: DictionaryArray<Int32Type> = vec!["sales"].into_iter().collect();
    workspace.write_parquet(
        "lake/calls/b.parquet",
        vec![
            ("id", Arc::new(Int64Array::from(vec![2]))),
            ("at", Arc::new(milliseconds)),
            ("queue", Arc::new(dictionary)),
            ("note", Arc::new(LargeStringArray::from(vec!["late"]))),
        ],
    );
    let open = workspace.open(&source("lake/calls", Format::Parquet, &[])).await.unwrap();
    let types: Vec<(&str, DataType)> =
        open.schema.fields().iter().map(|field| (field.name().as_str(), field.data_type().clone())).collect();
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    assert_eq!(
        types,
        [
            ("id", DataType::Int64),
            ("at", utc),
            ("share", DataType::Float64),
            ("queue", DataType::Utf8View),
            ("note", DataType::Utf8View),
        ]
    );
    let rows = workspace.query(Arc::clone(&open.provider), "SELECT * FROM t ORDER BY id").await.unwrap();
    assert_eq!(
        rows,
        "+----+-----------------------------+-------+-------+------+\n\
         | id | at                          | share | queue | note |\n\
         +----+-----------------------------+-------+-------+------+\n\
         | 1  | 2023-11-14T22:13:20.123456Z | 0.5   |       |      |\n\
         | 2  | 2023-11-14T22:13:21Z        |       | sales | late |\n\
         +----+-----------------------------+-------+-------+------+"
    );
    // Bounds of different units must not be mixed up.
    let rows =
        workspace.query(open.provider, "SELECT min(at) AS a, max(at) AS b, count(queue) AS c FROM t").await.unwrap();
    assert!(rows.contains("| 2023-11-14T22:13:20.123456Z | 2023-11-14T22:13:21Z | 1 |"), "{rows}");
}

#[tokio::test]
async fn declared_columns_decide() {
    let workspace = Workspace::new();
    workspace.write_parquet(
        "lake/calls/a.parquet",
        vec![
            ("id", ints(&[7])),
            ("day", Arc::new(Date32Array::from(vec![1]))),
            ("amount", Arc::new(Decimal128Array::from(vec![1250]).with_precision_and_scale(10, 2).unwrap())),
            ("more", texts(&["ignored"])),
        ],
    );
    let columns = [("amount", ColumnType::Float64), ("id", ColumnType::Int64), ("day", ColumnType::Timestamp)];
    let open = workspace.open(&source("lake/calls", Format::Parquet, &columns)).await.unwrap();
    let rows = workspace.query(open.provider, "SELECT * FROM t").await.unwrap();
    assert!(rows.contains("| amount | id | day                  |"), "{rows}");
    assert!(rows.contains("| 12.5   | 7  | 1970-01-02T00:00:00Z |"), "{rows}");
}

#[tokio::test]
async fn a_declared_type_that_would_lose_is_refused() {
    let workspace = Workspace::new();
    workspace.write_parquet("lake/calls/a.parquet", vec![("id", Arc::new(UInt64Array::from(vec![7])))]);
    let wanted = source("lake/calls", Format::Parquet, &[("id", ColumnType::Int64)]);
    let (message, help) = refusal(workspace.open(&wanted).await);
    assert_eq!(
        message,
        "column `id` of `lake/calls/a.parquet` is uint64, which does not become the declared int64 without loss"
    );
    assert!(help.contains("staging SQL"), "{help}");

    let wanted = source("lake/calls", Format::Parquet, &[("idd", ColumnType::Int64)]);
    let (message, help) = refusal(workspace.open(&wanted).await);
    assert_eq!(message, "`lake/calls` has no column `idd`");
    assert_eq!(help, "did you mean `id`?");
}

#[tokio::test]
async fn whole_numbers_become_floats_where_the_footer_shows_that_they_fit() {
    let workspace = Workspace::new();
    let write = |largest: i64| {
        workspace.write_parquet("lake/calls/a.parquet", vec![("cost", Arc::new(Int64Array::from(vec![1, largest])))]);
    };
    workspace
        .write_parquet("lake/calls/b.parquet", vec![("cost", Arc::new(Float64Array::from(vec![Some(0.5), None])))]);
    let wanted = source("lake/calls", Format::Parquet, &[("cost", ColumnType::Float64)]);
    write(1 << 53);
    let open = workspace.open(&wanted).await.unwrap();
    let rows = workspace.query(open.provider, "SELECT min(cost) AS a, count(cost) AS n FROM t").await.unwrap();
    assert!(rows.contains("| 0.5 | 3 |"), "{rows}");
    write((1 << 53) + 1);
    let (message, _) = refusal(workspace.open(&wanted).await);
    assert!(message.contains("is int64, which does not become the declared float64"), "{message}");
}

#[tokio::test]
async fn ids_that_were_numbers_in_older_files_are_read_as_texts() {
    let workspace = Workspace::new();
    workspace.write_parquet("lake/calls/a.parquet", vec![("id", Arc::new(Int64Array::from(vec![9, 10, -7])))]);
    workspace.write_parquet("lake/calls/b.parquet", vec![("id", texts(&["A10", "9"]))]);
    let open = workspace.open(&source("lake/calls", Format::Parquet, &[("id", ColumnType::String)])).await.unwrap();
    let query = async |sql: &str| workspace.query(Arc::clone(&open.provider), sql).await.unwrap();
    let rows = query("SELECT string_agg(id, ' ' ORDER BY id) AS ids FROM t").await;
    assert!(rows.contains("| -7 10 9 9 A10 |"), "{rows}");
    // In the order of texts, whatever the files' bounds of numbers say.
    let rows = query("SELECT count(*) AS n FROM t WHERE id < '2'").await;
    assert!(rows.contains("| 2 |"), "{rows}");
    let rows = query("SELECT count(*) AS n FROM t WHERE id = '9'").await;
    assert!(rows.contains("| 2 |"), "{rows}");
    let rows = query("SELECT min(id) AS least, max(id) AS greatest FROM t").await;
    assert!(rows.contains("| -7    | A10      |"), "{rows}");
}

#[tokio::test]
async fn a_file_damaged_in_the_middle_is_named_by_the_scan() {
    let workspace = Workspace::new();
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values((0..100_000).map(f64::from)));
    workspace.write_parquet("lake/calls/a.parquet", vec![("amount", Arc::clone(&values))]);
    workspace.write_parquet("lake/calls/b.parquet", vec![("amount", values)]);
    let mut bytes = std::fs::read(workspace.path("lake/calls/b.parquet")).unwrap();
    bytes[4..2000].fill(0xff);
    workspace.write("lake/calls/b.parquet", bytes);
    let open = workspace.open(&source("lake/calls", Format::Parquet, &[])).await.unwrap();
    let error = workspace.query(open.provider, "SELECT sum(amount) FROM t").await.unwrap_err().to_string();
    assert!(error.contains("file `lake/calls/b.parquet` cannot be read"), "{error}");
    assert!(error.contains("copy it again"), "{error}");
}

#[tokio::test]
async fn predicates_and_projections_reach_the_files() {
    let workspace = Workspace::new();
    workspace.write_parquet("lake/calls/a.parquet", vec![("id", ints(&[1, 2])), ("note", texts(&["x", "y"]))]);
    let open = workspace.open(&source("lake/calls", Format::Parquet, &[])).await.unwrap();
    let plan = workspace.explain(Arc::clone(&open.provider), "SELECT note FROM t WHERE id > 1").await;
    assert!(plan.contains("pruning_predicate=id_null_count"), "{plan}");
    assert!(plan.contains("projection=[note]") || plan.contains("projection=[id, note]"), "{plan}");
    // The number of rows is known from the footers, without a scan.
    let plan = workspace.explain(open.provider, "SELECT count(*) FROM t").await;
    assert!(!plan.contains("DataSourceExec"), "{plan}");
}
