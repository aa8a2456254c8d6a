//! Rows to standard output or a file, in the format asked for.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};

use datafusion::dataframe::DataFrame;
use throughline_engine::EngineError;
use throughline_lake::{ExportError, ExportFormat, export};

use crate::arguments::{OutputArguments, OutputFormat};
use crate::exit::Exit;
use crate::terminal::rows::print_batches;
use crate::terminal::say;

/// Most rows that a table on a terminal holds; more belong into a file.
const MOST_TABLE_ROWS: usize = 10_000;

/// Writes all rows of `frame`.
pub(crate) async fn write_frame(frame: DataFrame, output: &OutputArguments) -> Result<(), Exit> {
    let format = match output.format {
        OutputFormat::Table => return write_table(frame, output).await,
        OutputFormat::Csv => ExportFormat::Csv,
        OutputFormat::Json => ExportFormat::Json,
        OutputFormat::Parquet => ExportFormat::Parquet,
    };
    let stream = frame.execute_stream().await.map_err(EngineError::from)?;
    match &output.output {
        Some(path) => {
            let cannot = |error: std::io::Error| Exit::failed(format!("cannot write {}: {error}", path.display()), "");
            let mut file = BufWriter::new(File::create(path).map_err(cannot)?);
            let rows = export(stream, format, &mut file).await.map_err(failed)?;
            file.flush().map_err(cannot)?;
            say(&format!("{rows} rows in {}", path.display()));
        }
        None if format == ExportFormat::Parquet && std::io::stdout().is_terminal() => {
            return Err(Exit::refused(
                "Parquet is not for a terminal",
                "add --output FILE, or redirect standard output",
            ));
        }
        None => {
            let mut stdout = BufWriter::new(std::io::stdout());
            match export(stream, format, &mut stdout).await {
                Ok(_) => {}
                Err(ExportError::Write(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => return Err(failed(error)),
            }
            match stdout.flush() {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    return Err(Exit::failed(format!("cannot write to standard output: {error}"), ""));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

async fn write_table(frame: DataFrame, output: &OutputArguments) -> Result<(), Exit> {
    if output.output.is_some() {
        return Err(Exit::refused("a table is for the terminal", "add --format csv, json or parquet for a file"));
    }
    let frame = frame.limit(0, Some(MOST_TABLE_ROWS + 1)).map_err(EngineError::from)?;
    let schema = std::sync::Arc::new(frame.schema().as_arrow().clone());
    let batches = frame.collect().await.map_err(EngineError::from)?;
    let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
    if rows > MOST_TABLE_ROWS {
        return Err(Exit::refused(
            format!("more than {MOST_TABLE_ROWS} rows are too many for a table"),
            "add LIMIT, or --format csv, json or parquet",
        ));
    }
    let batches = if batches.is_empty() { vec![arrow::array::RecordBatch::new_empty(schema)] } else { batches };
    print_batches(&batches).map_err(|error| Exit::failed(error.to_string(), ""))?;
    say(&format!("{rows} row{}", if rows == 1 { "" } else { "s" }));
    Ok(())
}

fn failed(error: ExportError) -> Exit {
    match error {
        ExportError::Rows(error) => EngineError::from(error).into(),
        other => Exit::failed(other.to_string(), ""),
    }
}
