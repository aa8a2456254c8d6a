//! Staged rows: read as a table, then published or discarded.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion_datasource::PartitionedFile;
use uuid::Uuid;

use super::commit::{Base, CommitDetails, Committed, Publication};
use super::data_file::DataFile;
use super::data_writer::{self, WrittenFile};
use super::error::WarehouseError;
use super::schema::read_schema;
use crate::scan::{ParquetTable, SortColumn, file_statistics};
use crate::stores::Location;

/// What became of staged rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Staged,
    Committed,
    Unknown,
    Discarded,
}

/// Rows in a table's folder that no published version names yet.
#[derive(Debug)]
pub struct StagedTable {
    pub(super) table: String,
    pub(super) folder: Location,
    pub(super) stored: SchemaRef,
    pub(super) order: Vec<SortColumn>,
    pub(super) description: Option<String>,
    pub(super) files: Vec<WrittenFile>,
    pub(super) base: Option<Base>,
    pub(super) mark: Uuid,
    /// Whether a commit keeps the rows that are there.
    pub(super) adds: bool,
    /// Files of the version that is there which the commit keeps.
    pub(super) kept: Vec<DataFile>,
    /// Further files that it keeps, because the same rows were staged again.
    pub(super) unchanged: Vec<DataFile>,
    state: Mutex<State>,
}

impl StagedTable {
    pub(super) fn new(
        table: String,
        folder: Location,
        stored: SchemaRef,
        order: Vec<SortColumn>,
        description: Option<String>,
    ) -> Self {
        Self {
            table,
            folder,
            stored,
            order,
            description,
            files: Vec::new(),
            base: None,
            mark: Uuid::new_v4(),
            adds: false,
            kept: Vec::new(),
            unchanged: Vec::new(),
            state: Mutex::new(State::Staged),
        }
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.table
    }

    /// The columns as [`Self::provider`] returns them: text as `Utf8View`, comments in the fields' metadata.
    pub fn schema(&self) -> SchemaRef {
        read_schema(&self.stored)
    }

    /// Rows that the table has after a commit, as far as this one decides: those staged and those kept.
    pub fn table_rows(&self) -> u64 {
        self.rows()
            + self.kept.iter().chain(&self.unchanged).filter_map(|file| file.rows).map(|rows| rows as u64).sum::<u64>()
    }

    /// Rows in the staged files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(WrittenFile::rows).sum()
    }

    /// Bytes of the data files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.object.size).sum()
    }

    /// Number of data files.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// The published version that a commit replaces; `None` when there is no table yet.
    pub fn replaces(&self) -> Option<u64> {
        self.base.as_ref().map(|base| base.version)
    }

    /// Exactly the staged rows, also those that lie there already. The order given to [`super::Warehouse::stage`] is
    /// declared, so that plans need not sort.
    pub fn provider(&self) -> Arc<dyn TableProvider> {
        self.provider_with(&[])
    }

    /// The rows as they are after a commit: those staged and those kept.
    pub fn table_provider(&self) -> Arc<dyn TableProvider> {
        self.provider_with(&self.kept)
    }

    fn provider_with(&self, kept: &[DataFile]) -> Arc<dyn TableProvider> {
        let schema = self.schema();
        let kept = kept.iter().chain(&self.unchanged).map(|file| file.partitioned(&schema));
        let files = self
            .files
            .iter()
            .map(|file| {
                let statistics = file_statistics(&file.metadata, &self.stored, &schema);
                PartitionedFile::from(file.object.clone()).with_statistics(Arc::new(statistics))
            })
            .chain(kept)
            .collect();
        if self.order.is_empty() {
            Arc::new(ParquetTable::new(schema, &self.folder, files))
        } else {
            Arc::new(ParquetTable::ordered(schema, &self.folder, files, self.order.clone()))
        }
    }

    /// Publishes the rows in one atomic step, in place of every row of the version that was there when staging began,
    /// or beside them when they were staged as an addition. The files of that version stay where they are, for readers
    /// that still use it.
    ///
    /// # Errors
    ///
    /// [`WarehouseError::Conflict`] and [`WarehouseError::NotCommitted`]: nothing was published, the rows stay staged.
    /// [`WarehouseError::Unknown`]: asking again with another `commit` is safe and may settle it; the staged files must
    /// stay, and [`Self::discard`] refuses to remove them.
    pub async fn commit(&self, details: &CommitDetails) -> Result<Committed, WarehouseError> {
        match self.state() {
            State::Staged | State::Unknown => {}
            State::Committed => return Err(self.spent("were published already")),
            State::Discarded => return Err(self.spent("were discarded")),
        }
        let publication = Publication {
            table: &self.table,
            folder: &self.folder,
            base: self.base.as_ref(),
            stored: &self.stored,
            description: self.description.as_deref(),
            files: &self.files,
            mark: self.mark,
            adds: self.adds,
            kept: &self.kept,
            unchanged: &self.unchanged,
        };
        let before = self.state();
        // Until the outcome is known, a dropped future leaves the rows where they are.
        self.set_state(State::Unknown);
        let outcome = publication.publish(details).await;
        self.set_state(match &outcome {
            Ok(_) => State::Committed,
            // The version is another's now, so ours can never appear.
            Err(WarehouseError::Conflict { .. }) => State::Staged,
            // An earlier attempt's put may still arrive.
            Err(WarehouseError::Unknown { .. }) => State::Unknown,
            Err(_) => before,
        });
        outcome
    }

    /// Removes the staged files; the published table is as it was.
    ///
    /// # Errors
    ///
    /// The rows were published, or whether they were is unknown; or the store does not let the files be removed, in
    /// which case they stay behind unnamed until a vacuum.
    pub async fn discard(&self) -> Result<(), WarehouseError> {
        match self.state() {
            State::Staged => {}
            State::Discarded => return Ok(()),
            State::Committed => return Err(self.spent("were published already")),
            State::Unknown => return Err(self.spent("may have been published, so their files stay")),
        }
        let paths = self.files.iter().map(|file| file.object.location.clone());
        data_writer::remove(&self.folder, paths)
            .await
            .map_err(|error| WarehouseError::Storage { path: self.folder.to_string(), error })?;
        self.set_state(State::Discarded);
        Ok(())
    }

    fn state(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_state(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn spent(&self, state: &'static str) -> WarehouseError {
        WarehouseError::Spent { table: self.table.clone(), state }
    }
}
