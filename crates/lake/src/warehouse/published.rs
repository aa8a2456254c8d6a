//! Published tables, read at their newest version or at an older one.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use deltalake::DeltaTable;
use deltalake::kernel::engine::arrow_conversion::TryIntoArrow;

use super::data_file::DataFile;
use super::delta_log;
use super::error::WarehouseError;
use super::schema::read_schema;
use crate::scan::ParquetTable;
use crate::stores::Location;

/// One version of a table.
#[derive(Debug, Clone)]
pub struct PublishedTable {
    /// The table's name.
    pub name: String,
    /// The version.
    pub version: u64,
    /// The columns, with their comments in the fields' metadata.
    pub schema: SchemaRef,
    /// What one row is.
    pub description: Option<String>,
    /// Rows, where every file's entry says so.
    pub rows: Option<u64>,
    /// Bytes of the data files.
    pub bytes: u64,
    /// Number of data files.
    pub files: usize,
    /// The rows.
    pub provider: Arc<dyn TableProvider>,
}

/// Reads a table's log; `None` when there is no table, or not this version of it.
pub(super) async fn read(
    name: &str,
    folder: &Location,
    version: Option<u64>,
) -> Result<Option<PublishedTable>, WarehouseError> {
    let exists = delta_log::exists(folder).await;
    if !exists.map_err(|error| WarehouseError::Storage { path: folder.to_string(), error })? {
        return Ok(None);
    }
    let failed = |error| WarehouseError::Log { table: name.into(), error: Box::new(error) };
    let loaded = match delta_log::load(folder, version).await {
        Ok(loaded) => loaded,
        Err(error) => {
            let Some(wanted) = version else { return Err(failed(error)) };
            let newest = delta_log::load(folder, None).await.map_err(failed)?;
            return if newest.version().is_some_and(|newest| newest < wanted) { Ok(None) } else { Err(failed(error)) };
        }
    };
    describe(name, folder, &loaded).await.map(Some).map_err(failed)
}

async fn describe(name: &str, folder: &Location, table: &DeltaTable) -> deltalake::DeltaResult<PublishedTable> {
    let snapshot = table.snapshot()?;
    let files = DataFile::all_of(table, folder)?;
    let rows = files.iter().map(|file| file.rows.map(|rows| rows as u64)).sum();
    let bytes = files.iter().map(|file| file.object.size).sum();
    let stored: Schema = snapshot.schema().as_ref().try_into_arrow()?;
    let schema = read_schema(&stored);
    let count = files.len();
    // A table that another program gave deletion vectors, mapped columns or partitions is read by delta-rs itself.
    let plain = snapshot.protocol().min_reader_version() == 1 && snapshot.metadata().partition_columns().is_empty();
    let provider: Arc<dyn TableProvider> = if plain {
        let files = files.iter().map(|file| file.partitioned(&schema)).collect();
        Arc::new(ParquetTable::new(Arc::clone(&schema), folder, files))
    } else {
        table.table_provider().await?
    };
    Ok(PublishedTable {
        name: name.to_owned(),
        version: snapshot.version(),
        schema: if plain { schema } else { provider.schema() },
        description: snapshot.metadata().description().map(ToOwned::to_owned),
        rows,
        bytes,
        files: count,
        provider,
    })
}
