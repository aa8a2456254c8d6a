//! The functions as SQL: every file of `sql/` in a session of its own.

use async_trait::async_trait;
use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, RecordBatch},
        datatypes::{DataType, Float64Type},
        util::display::array_value_to_string,
    },
    error::DataFusionError,
    prelude::{SessionConfig, SessionContext},
};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

/// Several partitions, so that every aggregate is merged from partial states.
struct Session(SessionContext);

#[async_trait]
impl AsyncDB for Session {
    type Error = DataFusionError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, DataFusionError> {
        let frame = self.0.sql(sql).await?;
        let width = frame.schema().fields().len();
        let batches = frame.collect().await?;
        if width == 0 {
            return Ok(DBOutput::StatementComplete(0));
        }
        let mut rows = vec![];
        for batch in &batches {
            for row in 0..batch.num_rows() {
                rows.push(texts(batch, row)?);
            }
        }
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; width], rows })
    }

    async fn shutdown(&mut self) {}
}

fn texts(batch: &RecordBatch, row: usize) -> Result<Vec<String>, DataFusionError> {
    batch.columns().iter().map(|column| text(column, row)).collect()
}

/// Floats to ten digits: what the tables of `reference/` are for is not repeated here.
fn text(column: &ArrayRef, row: usize) -> Result<String, DataFusionError> {
    if column.is_null(row) {
        return Ok("NULL".to_owned());
    }
    Ok(match column.data_type() {
        DataType::Float64 => {
            let digits = format!("{:.9e}", column.as_primitive::<Float64Type>().value(row));
            format!("{}", digits.parse::<f64>().unwrap_or(f64::NAN))
        }
        DataType::Struct(_) => {
            let fields: Result<Vec<String>, _> =
                column.as_struct().columns().iter().map(|field| text(field, row)).collect();
            format!("({})", fields?.join(","))
        }
        DataType::List(_) => {
            let values = column.as_list::<i32>().value(row);
            let values: Result<Vec<String>, _> = (0..values.len()).map(|index| text(&values, index)).collect();
            format!("[{}]", values?.join(","))
        }
        _ => array_value_to_string(column, row)?,
    })
}

#[tokio::test]
async fn every_file_runs_as_written() {
    let folder = crate::crate_folder().join("tests/statistics/sql");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 4, "only {} files", files.len());
    for file in files {
        let mut runner = Runner::new(|| async {
            let session =
                SessionContext::new_with_config(SessionConfig::new().with_target_partitions(4).with_batch_size(3));
            throughline_statistics::register(&session);
            Ok(Session(session))
        });
        if let Err(error) = runner.run_file_async(&file).await {
            panic!("{}: {error}", file.display());
        }
    }
}

#[test]
fn every_function_is_documented() {
    let mut documented = 0;
    for function in throughline_statistics::scalar_functions() {
        assert!(function.documentation().is_some_and(|text| text.syntax_example.starts_with(function.name())));
        documented += 1;
    }
    for function in throughline_statistics::aggregate_functions() {
        assert!(function.documentation().is_some_and(|text| text.syntax_example.starts_with(function.name())));
        documented += 1;
    }
    for function in throughline_statistics::window_functions() {
        assert!(function.documentation().is_some_and(|text| text.syntax_example.starts_with(function.name())));
        documented += 1;
    }
    assert_eq!(documented, 36);
}
