//! Rows for people and other programs: CSV, JSON or Parquet into any writer.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringBuilder};
use arrow::compute::cast;
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, Schema, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use chrono::{DateTime, SecondsFormat};
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::source::types::timestamp;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// CSV with a header line, nulls as empty fields.
    Csv,
    /// One JSON object a line; every column is there, nulls included.
    Json,
    /// Parquet, with zstd.
    Parquet,
}

/// Rows cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The rows could not be made.
    #[error(transparent)]
    Rows(#[from] DataFusionError),
    /// The writer failed, e.g. because its reader went away.
    #[error("cannot write: {0}")]
    Write(#[from] std::io::Error),
    /// A column's type has no form in the format.
    #[error("column `{column}` is {found}, which {format} cannot hold")]
    ColumnType {
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// The format's name.
        format: &'static str,
        /// What Arrow says of it.
        source: ArrowError,
    },
    /// The text encoder failed.
    #[error("cannot encode: {0}")]
    Encode(#[from] ArrowError),
    /// The Parquet encoder failed.
    #[error("cannot encode: {0}")]
    EncodeParquet(#[from] ParquetError),
}

/// Writes all rows of a stream and returns how many there were. Times are ISO 8601 with a Z in text formats; nested
/// values are JSON text in CSV.
pub async fn export(
    rows: SendableRecordBatchStream,
    format: ExportFormat,
    output: &mut (dyn Write + Send),
) -> Result<u64, ExportError> {
    let failure = Arc::new(Mutex::new(None));
    let output = Output { inner: output, failure: Arc::clone(&failure) };
    let outcome = write_all(rows, format, output).await;
    let failure = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (outcome, failure) {
        (Err(_), Some(error)) => Err(ExportError::Write(error)),
        (outcome, _) => outcome,
    }
}

async fn write_all(
    mut rows: SendableRecordBatchStream,
    format: ExportFormat,
    output: Output<'_>,
) -> Result<u64, ExportError> {
    let schema = rows.schema();
    let mut writer = Writer::new(format, &schema, output)?;
    let mut count = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        count += batch.num_rows() as u64;
        writer.write(&batch)?;
    }
    writer.finish()?;
    Ok(count)
}

/// Keeps the writer's own error, which the encoders turn into text: a closed pipe must stay a closed pipe.
struct Output<'a> {
    inner: &'a mut (dyn Write + Send),
    failure: Arc<Mutex<Option<std::io::Error>>>,
}

impl Output<'_> {
    fn keep<T>(&self, outcome: std::io::Result<T>) -> std::io::Result<T> {
        outcome.map_err(|error| {
            let copy = std::io::Error::new(error.kind(), error.to_string());
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            copy
        })
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let outcome = self.inner.write(bytes);
        self.keep(outcome)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let outcome = self.inner.flush();
        self.keep(outcome)
    }
}

enum Writer<'a> {
    Csv(Box<arrow::csv::Writer<Output<'a>>>),
    Json(Box<LineDelimitedWriter<Output<'a>>>),
    Parquet(Box<ArrowWriter<Output<'a>>>),
}

impl<'a> Writer<'a> {
    fn new(
        format: ExportFormat,
        schema: &arrow::datatypes::SchemaRef,
        output: Output<'a>,
    ) -> Result<Self, ExportError> {
        Ok(match format {
            ExportFormat::Csv => {
                let mut writer = WriterBuilder::new().with_header(true).build(output);
                // The header stands even over zero rows.
                let header = RecordBatch::new_empty(Arc::clone(schema));
                writer.write(&textual(&header, "CSV", true)?)?;
                Self::Csv(Box::new(writer))
            }
            ExportFormat::Json => {
                let builder = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
                Self::Json(Box::new(builder.build::<_, arrow::json::writer::LineDelimited>(output)))
            }
            ExportFormat::Parquet => {
                let level = ZstdLevel::try_new(3).unwrap_or_default();
                let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
                let writer = ArrowWriter::try_new(output, Arc::clone(schema), Some(properties));
                Self::Parquet(Box::new(writer?))
            }
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), ExportError> {
        match self {
            Self::Csv(writer) => writer.write(&textual(batch, "CSV", true)?)?,
            Self::Json(writer) => writer.write(&textual(batch, "JSON", false)?)?,
            Self::Parquet(writer) => writer.write(batch)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<(), ExportError> {
        match self {
            Self::Csv(writer) => writer.into_inner().flush()?,
            Self::Json(mut writer) => {
                writer.finish()?;
                writer.into_inner().flush()?;
            }
            Self::Parquet(writer) => {
                writer.into_inner()?.flush()?;
            }
        }
        Ok(())
    }
}

/// The batch with every column in a form that the text encoders write as wanted.
fn textual(batch: &RecordBatch, format: &'static str, flatten: bool) -> Result<RecordBatch, ExportError> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let shown = match field.data_type() {
            DataType::Timestamp(_, _) => iso_times(column),
            nested if flatten && nested.is_nested() => as_json(column),
            DataType::Utf8View | DataType::Dictionary(_, _) => cast(column, &DataType::Utf8),
            _ => Ok(Arc::clone(column)),
        };
        let column = shown.map_err(|source| ExportError::ColumnType {
            column: field.name().clone(),
            found: field.data_type().to_string(),
            format,
            source,
        })?;
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}

/// `2026-11-24T06:50:03Z`, with a fraction only where there is one.
fn iso_times(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let micros = cast(column, &timestamp())?;
    let mut text = StringBuilder::new();
    for value in micros.as_primitive::<TimestampMicrosecondType>() {
        let time = value.map(DateTime::from_timestamp_micros);
        match time {
            None => text.append_null(),
            // Years that a calendar does not reach have no text.
            Some(time) => text.append_option(time.map(|time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))),
        }
    }
    Ok(Arc::new(text.finish()))
}

/// Each value of a nested column as JSON text.
fn as_json(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let schema = Arc::new(Schema::new(vec![Field::new("v", column.data_type().clone(), true)]));
    let batch = RecordBatch::try_new(schema, vec![Arc::clone(column)])?;
    let mut writer = arrow::json::WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, arrow::json::writer::LineDelimited>(Vec::new());
    writer.write(&batch)?;
    writer.finish()?;
    let lines =
        String::from_utf8(writer.into_inner()).map_err(|error| ArrowError::from_external_error(Box::new(error)))?;
    let mut text = StringBuilder::new();
    for (row, line) in lines.lines().enumerate() {
        if column.is_null(row) {
            text.append_null();
        } else {
            let value = line.strip_prefix("{\"v\":").and_then(|rest| rest.strip_suffix('}'));
            text.append_value(value.ok_or_else(|| ArrowError::JsonError(format!("`{line}` is not one value")))?);
        }
    }
    Ok(Arc::new(text.finish()))
}
