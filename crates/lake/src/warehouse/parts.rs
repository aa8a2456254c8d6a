//! Tables of which a commit replaces only some files: the files of a version, divided at an instant.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use deltalake::kernel::engine::arrow_conversion::TryIntoArrow;

use super::commit::{Base, LEDGER};
use super::data_file::DataFile;
use super::delta_log;
use super::error::WarehouseError;
use super::schema::read_schema;
use super::settlement::Settled;
use crate::scan::ParquetTable;
use crate::stores::Location;

/// The files of one version of a table on both sides of an instant.
#[derive(Debug, Clone)]
pub struct SplitParts {
    /// Those that may hold a row settled at the instant or later.
    pub reached: TableParts,
    /// Those that cannot.
    pub settled: TableParts,
}

/// The files of one version of a table, and what its ledger says.
#[derive(Debug, Clone)]
pub struct TableParts {
    /// The version.
    pub version: u64,
    /// The columns as read.
    pub schema: SchemaRef,
    /// What the commit that last wrote it kept beside the rows.
    pub ledger: Option<String>,
    pub(super) folder: Location,
    pub(super) files: Vec<DataFile>,
    /// All of the version, for the commit that replaces it.
    pub(super) base: Arc<Base>,
}

impl TableParts {
    /// Reads the newest version; `None` when there is no table yet, or one that another program gave features of its
    /// own.
    pub(super) async fn read(table: &str, folder: &Location) -> Result<Option<Self>, WarehouseError> {
        let Some(loaded) = delta_log::newest(table, folder).await? else { return Ok(None) };
        let failed = |error| WarehouseError::Log { table: table.into(), error: Box::new(error) };
        if delta_log::foreign_features(&loaded).map_err(failed)?.is_some() {
            return Ok(None);
        }
        let snapshot = loaded.snapshot().map_err(failed)?;
        let stored: Schema =
            snapshot.schema().as_ref().try_into_arrow().map_err(|error| WarehouseError::ColumnType {
                table: table.into(),
                column: "*".into(),
                found: "a type that Arrow does not have".into(),
                source: Some(Box::new(error)),
            })?;
        Ok(Some(Self {
            version: snapshot.version(),
            schema: read_schema(&stored),
            ledger: snapshot.metadata().configuration().get(LEDGER).cloned(),
            folder: folder.clone(),
            files: DataFile::all_of(&loaded, folder).map_err(failed)?,
            base: Arc::new(Base::of(table, &loaded)?),
        }))
    }

    /// The same version, divided at an instant.
    pub fn split_at(&self, instant: i64) -> SplitParts {
        let (reached, settled) =
            self.files.iter().cloned().partition(|file| Settled::of_file(&file.path).reaches(instant));
        let with = |files| Self {
            version: self.version,
            schema: Arc::clone(&self.schema),
            ledger: self.ledger.clone(),
            folder: self.folder.clone(),
            files,
            base: Arc::clone(&self.base),
        };
        SplitParts { reached: with(reached), settled: with(settled) }
    }

    /// Number of files.
    pub fn number_of_files(&self) -> usize {
        self.files.len()
    }

    /// Rows, as far as the log says.
    pub fn rows(&self) -> u64 {
        self.files.iter().filter_map(|file| file.rows).map(|rows| rows as u64).sum()
    }

    /// The rows of these files.
    pub fn provider(&self) -> Arc<dyn TableProvider> {
        let files = self.files.iter().map(|file| file.partitioned(&self.schema)).collect();
        Arc::new(ParquetTable::new(Arc::clone(&self.schema), &self.folder, files))
    }
}
