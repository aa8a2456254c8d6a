//! Opens the sources of a pipeline: files of other systems, of which only the schemas are read here.

mod listing;
mod formats;
mod declared;
pub(crate) mod types;
mod parquet;
mod delta;
mod text;
mod text_scan;
mod csv;
mod json;
mod value;
mod rows;
mod opened;
mod inventory;
mod error;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::datasource::empty::EmptyTable;
use throughline_config::{Format, Source};

pub use declared::{column_type, declared_columns};
pub use error::SourceError;
pub use inventory::{FoundColumn, FoundTable, Inventory, PassedOver, inventory};
pub use opened::OpenSource;
pub use text::{ORIGIN_COLUMN, PROBLEM_COLUMN};
pub use types::type_name;
pub use value::{reads_as, reads_as_instant};

use crate::stores::Stores;
use declared::declared_schema;
use formats::format_name;
use listing::stamp;

/// Opens a source. Only schemas are read: Parquet footers, CSV header lines, the log of a Delta table.
///
/// # Errors
///
/// Everything that is wrong with the source as a whole; see [`SourceError`]. Single bad rows of CSV and JSON files are
/// no error, they carry their problem in [`PROBLEM_COLUMN`]. A file that turns out damaged while it is scanned ends the
/// scan with an error that names it.
pub async fn open_source(source: &Source, stores: &Stores) -> Result<OpenSource, SourceError> {
    let name = source.name.as_str();
    let location =
        stores.locate(&source.path).map_err(|error| SourceError::Location { source_name: name.into(), error })?;
    if source.format == Format::Delta {
        return delta::open(source, &location).await;
    }
    if is_text(source.format) {
        text::check_declarations(source)?;
    }
    let files = listing::files(name, &location, source.format).await?;
    if files.is_empty() {
        return empty(source, &location.to_string());
    }
    match source.format {
        Format::Parquet => parquet::open(source, stores, &location, files, None).await,
        Format::Csv { delimiter } => csv::open(source, &location, files, delimiter).await,
        Format::Json => json::open(source, &location, files),
        Format::Delta => delta::open(source, &location).await,
    }
}

/// Opens only those files of a source whose stamps are `wanted`; `None` for a Delta table, which is opened as a whole,
/// and where no file is left. `schema` are the columns of the source as a whole, as it was opened: those of them that
/// none of these files has are null, as they are where the whole is read.
///
/// # Errors
///
/// Those of [`open_source`].
pub async fn open_source_files(
    source: &Source,
    stores: &Stores,
    wanted: &HashSet<u64>,
    schema: &SchemaRef,
) -> Result<Option<OpenSource>, SourceError> {
    let name = source.name.as_str();
    let location =
        stores.locate(&source.path).map_err(|error| SourceError::Location { source_name: name.into(), error })?;
    if source.format == Format::Delta {
        return Ok(None);
    }
    let mut files = listing::files(name, &location, source.format).await?;
    files.retain(|file| wanted.contains(&stamp(file, &location)));
    if files.is_empty() {
        return Ok(None);
    }
    match source.format {
        Format::Parquet => parquet::open(source, stores, &location, files, Some(schema)).await,
        Format::Csv { delimiter } => csv::open(source, &location, files, delimiter).await,
        Format::Json | Format::Delta => json::open(source, &location, files),
    }
    .map(Some)
}

/// Zero rows of the declared columns, with a warning.
fn empty(source: &Source, path: &str) -> Result<OpenSource, SourceError> {
    let format = format_name(source.format);
    let name = source.name.value.clone();
    let Some(mut open) = without_rows(source) else {
        return Err(SourceError::Empty { source_name: name, path: path.into(), format });
    };
    open.warnings.push(format!("source `{name}` is empty: `{path}` holds no {format} file"));
    Ok(open)
}

/// A source without its files: no rows of the columns that the pipeline declares for it. Nothing is read.
///
/// # Errors
///
/// What is wrong with the declaration; [`SourceError::OnlyFilesKnow`] where it declares no columns.
pub fn declared_source(source: &Source, stores: &Stores) -> Result<OpenSource, SourceError> {
    let name = || source.name.value.clone();
    stores.locate(&source.path).map_err(|error| SourceError::Location { source_name: name(), error })?;
    if is_text(source.format) {
        text::check_declarations(source)?;
    }
    without_rows(source).ok_or_else(|| SourceError::OnlyFilesKnow { source_name: name() })
}

fn is_text(format: Format) -> bool {
    matches!(format, Format::Csv { .. } | Format::Json)
}

fn without_rows(source: &Source) -> Option<OpenSource> {
    if source.columns.is_empty() {
        return None;
    }
    let schema = if is_text(source.format) { text::schema(source) } else { declared_schema(source) };
    Some(OpenSource {
        provider: Arc::new(EmptyTable::new(Arc::clone(&schema))),
        schema,
        files: Vec::new(),
        stamps: Vec::new(),
        warnings: Vec::new(),
    })
}
