//! CSV and JSON lines: bad rows are marked, good ones stay.

use throughline_config::{ColumnType, Format, Source};
use throughline_lake::{ORIGIN_COLUMN, PROBLEM_COLUMN};

use crate::support::{Workspace, refusal, source, with_pattern};

const CSV: Format = Format::Csv { delimiter: b',' };

fn calls(path: &str) -> Source {
    let columns = [
        ("call_id", ColumnType::Int64),
        ("customer_id", ColumnType::String),
        ("started_at", ColumnType::Timestamp),
        ("rating", ColumnType::Float64),
        ("resolved", ColumnType::Boolean),
    ];
    source(path, CSV, &columns)
}

async fn rows(workspace: &Workspace, source: &Source, sql: &str) -> String {
    let open = workspace.open(source).await.unwrap();
    workspace.query(open.provider, sql).await.unwrap()
}

#[tokio::test]
async fn bad_rows_are_marked_with_line_and_reason() {
    let workspace = Workspace::new();
    let mut csv = "\u{feff}call_id,extra,customer_id,started_at,rating,resolved\n".to_owned();
    csv += "1,x,C1,2026-01-31T12:00:00Z,4.5,true\n";
    csv += "2,x,C2,2026-01-31 12:00:00,,no\n";
    csv += "three,x,C3,yesterday,5,maybe\n";
    csv += "4,x,C4\n";
    csv += "5,x,\"C\n5\",2026-02-01,1,yes\n";
    csv += "6,x,C6,2026-02-01,1,yes,one,more\n";
    let mut bytes = csv.into_bytes();
    bytes.extend_from_slice(b"7,x,C\xff7,2026-02-01,inf,yes\n");
    workspace.write("raw/calls.csv", bytes);

    let source = calls("raw/calls.csv");
    let good = rows(
        &workspace,
        &source,
        "SELECT call_id, customer_id, started_at, rating, resolved FROM t WHERE __problem IS NULL",
    )
    .await;
    assert!(good.contains("| 1       | C1          | 2026-01-31T12:00:00Z | 4.5    | true     |"), "{good}");
    assert!(good.contains("| 2       | C2          | 2026-01-31T12:00:00Z |        | false    |"), "{good}");
    let bad = rows(
        &workspace,
        &source,
        &format!(
            "SELECT call_id, {ORIGIN_COLUMN} AS origin, {PROBLEM_COLUMN} AS problem FROM t WHERE __problem IS NOT NULL"
        ),
    )
    .await;
    for expected in [
        "|         | raw/calls.csv:4 | line 4, column call_id: 'three' is not a whole number; column started_at: 'yesterday' is not a time like `2026-01-31T12:00:00Z`; column resolved: 'maybe' is not true or false |",
        "|         | raw/calls.csv:5 | line 5: 3 fields where the header has 6 ",
        "|         | raw/calls.csv:8 | line 8: 8 fields where the header has 6 ",
        "| 7       | raw/calls.csv:9 | line 9, column customer_id: 'C\u{fffd}7' is not UTF-8; column rating: 'inf' is not a number ",
    ] {
        assert!(bad.contains(expected), "{expected}\n{bad}");
    }
    assert_eq!(bad.lines().count(), 8, "{bad}");
}

#[tokio::test]
async fn a_header_without_a_declared_column_is_refused() {
    let workspace = Workspace::new();
    workspace.write("raw/calls.csv", "call_id,custommer_id,started_at,rating,resolved\n1,C1,2026-01-31,1,true\n");
    let (message, help) = refusal(workspace.open(&calls("raw/calls.csv")).await);
    assert_eq!(message, "`raw/calls.csv` has no column `customer_id`");
    assert_eq!(help, "did you mean `custommer_id`?");

    workspace.write("raw/calls.csv", "call_id;customer_id;started_at;rating;resolved\n");
    let (message, help) = refusal(workspace.open(&calls("raw/calls.csv")).await);
    assert_eq!(message, "`raw/calls.csv` has no column `call_id`");
    assert_eq!(help, "it has: call_id;customer_id;started_at;rating;resolved");

    let mut semicolons = calls("raw/calls.csv");
    semicolons.format = Format::Csv { delimiter: b';' };
    assert!(workspace.open(&semicolons).await.is_ok());
}

#[tokio::test]
async fn a_csv_file_without_header_is_refused() {
    let workspace = Workspace::new();
    workspace.write("raw/calls.csv", "");
    let (message, help) = refusal(workspace.open(&calls("raw/calls.csv")).await);
    assert_eq!(message, "`raw/calls.csv` has no header line: it is empty");
    assert!(help.contains("first line"), "{help}");

    workspace.write("raw/calls.csv", b"call_id,custom\xffer_id\n");
    let error = workspace.open(&calls("raw/calls.csv")).await.err().unwrap();
    assert_eq!(error.to_string(), "`raw/calls.csv` has no header line: its first line is not UTF-8");
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<std::str::Utf8Error>());
    assert_eq!(cause.map(std::str::Utf8Error::valid_up_to), Some(6), "{error:?}");

    workspace.write("raw/calls.csv", "call_id,customer_id,call_id,started_at,rating,resolved\n");
    let (message, help) = refusal(workspace.open(&calls("raw/calls.csv")).await);
    assert_eq!(message, "`raw/calls.csv` has two columns named `call_id`");
    assert!(help.contains("rename"), "{help}");
}

#[tokio::test]
async fn text_needs_declared_columns_and_known_patterns() {
    let workspace = Workspace::new();
    let (message, help) = refusal(workspace.open(&source("raw/calls.csv", CSV, &[])).await);
    assert_eq!(message, "source `calls` is CSV, which carries no types, and declares no columns");
    assert!(help.contains("columns:"), "{help}");
    let (message, help) = refusal(workspace.open(&with_pattern(calls("raw/calls.csv"), "started_at", "%d/%Q")).await);
    assert_eq!(message, "column `started_at`: `%d/%Q` is not a strftime pattern");
    assert!(help.contains("%d/%m/%Y"), "{help}");
    let (message, _) = refusal(workspace.open(&calls("raw/calls.csv")).await);
    assert_eq!(message, "source `calls`: `raw/calls.csv` does not exist");
}

#[tokio::test]
async fn an_empty_csv_source_is_zero_rows_with_a_warning() {
    let workspace = Workspace::new();
    workspace.write("raw/calls/readme.md", "none yet");
    let open = workspace.open(&calls("raw/calls")).await.unwrap();
    assert_eq!(open.warnings, ["source `calls` is empty: `raw/calls` holds no CSV file"]);
    assert!(open.schema.field_with_name(PROBLEM_COLUMN).is_ok());
}

#[tokio::test]
async fn days_first_when_declared() {
    let workspace = Workspace::new();
    workspace.write(
        "raw/calls.csv",
        "call_id,customer_id,started_at,rating,resolved\n1,C1,03/04/2026,,\n2,C2,2026-04-03,,\n",
    );
    let source = with_pattern(calls("raw/calls.csv"), "started_at", "%d/%m/%Y");
    let table = rows(&workspace, &source, "SELECT started_at, __problem FROM t ORDER BY call_id").await;
    assert!(table.contains("| 2026-04-03T00:00:00Z | "), "{table}");
    assert!(table.contains("line 3, column started_at: '2026-04-03' is not a time like `%d/%m/%Y`"), "{table}");
}

#[tokio::test]
async fn a_quote_never_closed_ends_the_scan_not_the_memory() {
    let workspace = Workspace::new();
    let mut csv = "call_id,customer_id,started_at,rating,resolved\n1,C1,,,\n2,\"C2,,,\n".to_owned();
    csv.push_str(&"3,C3,2026-01-31,4,true\n".repeat(1_500_000));
    workspace.write("raw/calls.csv", csv);
    let open = workspace.open(&calls("raw/calls.csv")).await.unwrap();
    let error = workspace.query(open.provider, "SELECT count(*) FROM t").await.unwrap_err().to_string();
    assert!(error.contains("file `raw/calls.csv` cannot be read: the record that begins near line 3"), "{error}");
    assert!(error.contains("quote that is never closed"), "{error}");
}

#[tokio::test]
async fn many_rows_and_files_stream_through() {
    let workspace = Workspace::new();
    for file in 0..6 {
        let mut csv = "rating,call_id,customer_id,started_at,resolved\r\n".to_owned();
        for row in 0..20_000 {
            csv.push_str(&format!("4,{},C1,2026-01-31,true\r\n", file * 20_000 + row));
        }
        workspace.write(&format!("raw/calls/{file}.csv"), csv);
    }
    let table = rows(&workspace, &calls("raw/calls"), "SELECT count(*) AS n, count(DISTINCT call_id) AS ids, sum(rating) AS s, count(__problem) AS p, max(__origin) AS o FROM t").await;
    assert!(table.contains("| 120000 | 120000 | 480000.0 | 0 | raw/calls/5.csv:9999 |"), "{table}");
    // A consumer that stops early must not hang.
    let table = rows(&workspace, &calls("raw/calls"), "SELECT call_id FROM t LIMIT 1").await;
    assert_eq!(table.lines().count(), 5, "{table}");
}

#[tokio::test]
async fn json_lines_are_read_with_the_same_care() {
    let workspace = Workspace::new();
    let json = concat!(
        r#"{"call_id": 1, "customer_id": "C1", "started_at": "2026-01-31T12:00:00+01:00", "rating": 4, "resolved": true}"#,
        "\n",
        "\n",
        r#"{"call_id": 2.0, "customer_id": {"tenant": "a", "n": 7}, "extra": [1]}"#,
        "\n",
        r#"{"call_id": "#,
        "\n",
        "[1, 2]\n",
        r#"{"call_id": 2.5, "customer_id": 12, "rating": "good"}"#,
        "\n",
    );
    workspace.write("raw/calls.jsonl", json);
    let mut source = calls("raw/calls.jsonl");
    source.format = Format::Json;
    let table = rows(&workspace, &source, "SELECT call_id, customer_id, started_at, __problem FROM t").await;
    for expected in [
        "| 1       | C1                   | 2026-01-31T11:00:00Z | ",
        r#"| 2       | {"tenant":"a","n":7} |                      | "#,
        "line 4: not valid JSON: EOF while parsing a value, at character",
        "line 5: not a JSON object",
        "line 6, column call_id: '2.5' is not a whole number; column rating: 'good' is not a number",
    ] {
        assert!(table.contains(expected), "{expected}\n{table}");
    }
}

/// A run reads a source several times: its log may grow meanwhile, and another file may take its place.
#[tokio::test]
async fn only_what_was_there_when_the_source_was_opened_is_read() {
    let workspace = Workspace::new();
    let header = "call_id,customer_id,started_at,rating,resolved\n";
    let row = |id: u32| format!("{id},C{id},2026-02-01,1,yes\n");
    let seen = [header.to_owned(), row(1), row(2)].concat();
    workspace.write("raw/calls.csv", &seen);
    let source = calls("raw/calls.csv");
    let open = workspace.open(&source).await.unwrap();
    let ids = "SELECT string_agg(CAST(call_id AS VARCHAR), ' ' ORDER BY call_id) AS ids FROM t";
    let read = async || workspace.query(std::sync::Arc::clone(&open.provider), ids).await;
    assert!(read().await.unwrap().contains("| 1 2 |"));

    let mut file = std::fs::OpenOptions::new().append(true).open(workspace.path("raw/calls.csv")).unwrap();
    std::io::Write::write_all(&mut file, row(3).as_bytes()).unwrap();
    assert!(read().await.unwrap().contains("| 1 2 |"), "it grew");
    assert!(rows(&workspace, &source, ids).await.contains("| 1 2 3 |"), "whoever opens it now reads all of it");

    workspace.write("raw/other.csv", [header.to_owned(), row(4), row(5), row(6), row(7)].concat());
    std::fs::rename(workspace.path("raw/other.csv"), workspace.path("raw/calls.csv")).unwrap();
    let replaced = read().await.unwrap_err().to_string();
    assert!(replaced.contains("raw/calls.csv") && replaced.contains("replaced or rewritten"), "{replaced}");
}

#[tokio::test]
async fn scans_count_rows_and_bytes() {
    let workspace = Workspace::new();
    let mut text = "call_id,customer_id,started_at,rating,resolved\n".to_owned();
    for id in 0..3000 {
        text += &format!("{id},C{id},2026-02-01,1,yes\n");
    }
    workspace.write("raw/calls.csv", &text);
    let open = workspace.open(&calls("raw/calls.csv")).await.unwrap();
    let frame = workspace.session.read_table(open.provider).unwrap();
    let plan = frame.create_physical_plan().await.unwrap();
    for times in 1..=2 {
        datafusion::physical_plan::collect(std::sync::Arc::clone(&plan), workspace.session.task_ctx()).await.unwrap();
        let metrics = plan.metrics().unwrap();
        let bytes = metrics.sum_by_name("bytes_scanned").map(|bytes| bytes.as_usize());
        assert_eq!((bytes, metrics.output_rows()), (Some(times * text.len()), Some(times * 3000)));
    }
}
