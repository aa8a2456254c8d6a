//! Rows as CSV, JSON lines and Parquet.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, MapBuilder, RecordBatch, StringBuilder};
use arrow::error::ArrowError;
use throughline_lake::{ExportError, ExportFormat, export};

use crate::support::Workspace;

const SQL: &str = "SELECT * FROM (VALUES (1, 'a,\"b\"', TIMESTAMP '2026-01-31T12:00:00', 0.5, true), \
                   (2, NULL, NULL, NULL, NULL)) AS v(id, note, at, share, ok)";

async fn exported(sql: &str, format: ExportFormat) -> Vec<u8> {
    let workspace = Workspace::new();
    let rows = workspace.session.sql(sql).await.unwrap().execute_stream().await.unwrap();
    let mut bytes = Vec::new();
    export(rows, format, &mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn csv_has_a_header_and_empty_nulls() {
    let csv = String::from_utf8(exported(SQL, ExportFormat::Csv).await).unwrap();
    assert_eq!(csv, "id,note,at,share,ok\n1,\"a,\"\"b\"\"\",2026-01-31T12:00:00Z,0.5,true\n2,,,,\n");
    let nothing = String::from_utf8(exported("SELECT 1 AS id WHERE false", ExportFormat::Csv).await).unwrap();
    assert_eq!(nothing, "id\n");
    let nested =
        String::from_utf8(exported("SELECT struct(0.5 AS estimate) AS rate", ExportFormat::Csv).await).unwrap();
    assert_eq!(nested, "rate\n\"{\"\"estimate\"\":0.5}\"\n");
}

#[tokio::test]
async fn json_has_one_object_a_line() {
    let json = String::from_utf8(exported(SQL, ExportFormat::Json).await).unwrap();
    assert_eq!(
        json,
        "{\"id\":1,\"note\":\"a,\\\"b\\\"\",\"at\":\"2026-01-31T12:00:00Z\",\"share\":0.5,\"ok\":true}\n\
         {\"id\":2,\"note\":null,\"at\":null,\"share\":null,\"ok\":null}\n"
    );
}

#[tokio::test]
async fn parquet_reads_back() {
    let bytes = bytes::Bytes::from(exported(SQL, ExportFormat::Parquet).await);
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes, 100).unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2);
}

#[tokio::test]
async fn a_value_that_has_no_text_is_refused_with_its_cause() {
    let mut by_number = MapBuilder::new(None, Int64Builder::new(), StringBuilder::new());
    by_number.keys().append_value(1);
    by_number.values().append_value("JSON has no such keys");
    by_number.append(true).unwrap();
    let batch = RecordBatch::try_from_iter([("by_number", Arc::new(by_number.finish()) as ArrayRef)]).unwrap();
    let workspace = Workspace::new();
    let rows = workspace.session.read_batch(batch).unwrap().execute_stream().await.unwrap();
    let error = export(rows, ExportFormat::Csv, &mut Vec::new()).await.unwrap_err();
    assert!(error.to_string().starts_with("column `by_number` is Map("), "{error}");
    assert!(error.to_string().ends_with(", which CSV cannot hold"), "{error}");
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<ArrowError>());
    assert!(cause.is_some(), "{error:?}");
}

#[tokio::test]
async fn a_closed_pipe_stays_what_it_is() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for format in [ExportFormat::Csv, ExportFormat::Json, ExportFormat::Parquet] {
        let workspace = Workspace::new();
        let rows = workspace.session.sql(SQL).await.unwrap().execute_stream().await.unwrap();
        let error = export(rows, format, &mut Closed).await.unwrap_err();
        assert!(
            matches!(&error, ExportError::Write(io) if io.kind() == std::io::ErrorKind::BrokenPipe),
            "{format:?}: {error}"
        );
    }
}
