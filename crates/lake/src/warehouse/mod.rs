//! The warehouse: one folder a Delta table, and the records of the runs that made them.
//!
//! A table is written in two steps. [`Warehouse::stage`] writes the rows into the table's folder under names that no
//! version mentions, where tests read them through [`StagedTable::provider`]; [`StagedTable::commit`] publishes them in
//! one atomic step. Readers see the old rows or the new ones. Files of older versions are never removed here.
//!
//! Tables are plain Delta (reader version 1, writer version 2), so that any Delta reader understands them. Checkpoints
//! and clean-up are no part of a commit: their failure would look like the commit's.

mod schema;
mod stage;
mod data_writer;
mod settlement;
mod parts;
mod part_writers;
mod old_part;
mod file_statistics;
mod staged;
mod mark;
mod commit;
pub(crate) mod delta_log;
pub(crate) mod durable;
pub(crate) mod data_file;
mod published;
mod lease;
mod lease_holder;
mod progress;
mod runs;
mod leftovers;
mod vacuum;
mod checkpoint;
mod error;

use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use futures::{StreamExt, TryStreamExt};

pub use crate::scan::SortColumn;
pub use checkpoint::{Checkpoint, CheckpointOutcome};
pub use commit::{CommitDetails, Committed};
pub(crate) use delta_log::create;
pub use error::WarehouseError;
pub use lease::Lease;
pub use lease_holder::LeaseHolder;
pub use parts::{SplitParts, TableParts};
pub use published::PublishedTable;
pub(crate) use schema::read_schema;
pub use settlement::PartLayout;
pub use staged::StagedTable;
pub use vacuum::{DeadFile, Vacuum, VacuumedTable};

use crate::stores::{Location, Stores};
use data_writer::Layout;
use old_part::OldPart;
use schema::storage_schema;

/// Logs looked for side by side.
const CONCURRENT_TABLES: usize = 16;

/// What is to be written.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// The table's name and its folder's.
    pub name: String,
    /// The columns of the rows; `comment` in a field's metadata becomes the column's comment.
    pub schema: SchemaRef,
    /// What one row is.
    pub description: Option<String>,
    /// The order that the rows of each stream have; empty for none. It is taken on trust and declared to readers of
    /// the staged rows, so it must hold.
    pub order: Vec<SortColumn>,
}

/// A folder of Delta tables.
#[derive(Debug, Clone)]
pub struct Warehouse {
    location: Location,
    /// The run whose staged files can be distinguished from those of others.
    run: Option<u32>,
}

impl Warehouse {
    /// The warehouse at a location, which need not exist yet. Nothing is read or written.
    pub fn open(location: &str, stores: &Stores) -> Result<Self, WarehouseError> {
        Ok(Self { location: stores.locate(location)?, run: None })
    }

    /// The warehouse at a place that is known already.
    pub(crate) fn at(location: Location) -> Self {
        Self { location, run: None }
    }

    /// Where it lies.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Writes rows into the table's folder without publishing them: one stream a partition, written side by side.
    ///
    /// The version to be replaced is read first, so a version that another run publishes afterwards makes the commit
    /// fail with [`WarehouseError::Conflict`].
    ///
    /// # Errors
    ///
    /// A schema that cannot be stored, an error of the rows' streams ([`WarehouseError::Rows`]) or of the store. The
    /// files written so far are removed.
    pub async fn stage(
        &self,
        spec: TableSpec,
        rows: Vec<SendableRecordBatchStream>,
    ) -> Result<StagedTable, WarehouseError> {
        let layout = Layout::AsTheyCome { order: spec.order.clone() };
        self.stage_laid_out(spec, rows, layout, None).await
    }

    /// Like [`Self::stage`], but the commit adds the rows to those that the table has: for logs that only grow.
    ///
    /// # Errors
    ///
    /// Those of [`Self::stage`]. The columns have to be those of the table; its older files are read as they are.
    pub async fn stage_addition(
        &self,
        spec: TableSpec,
        rows: Vec<SendableRecordBatchStream>,
    ) -> Result<StagedTable, WarehouseError> {
        let mut staged = self.stage(spec, rows).await?;
        staged.adds = true;
        Ok(staged)
    }

    /// Like [`Self::stage`] for a table whose rows are laid out by when they are settled ([`TableParts`]): the last
    /// column of each stream, which `spec` does not have, is that instant, null for a row that is not settled. `split`
    /// are the files of a version: the rows of those that are reached are rebuilt, those that are settled stay. Without
    /// it the commit replaces all. Files whose rows have not changed stay, too.
    ///
    /// # Errors
    ///
    /// Those of [`Self::stage`]. When the table has moved on from the version of `split`, the commit says so.
    pub async fn stage_parts(
        &self,
        spec: TableSpec,
        rows: Vec<SendableRecordBatchStream>,
        layout: PartLayout,
        split: Option<SplitParts>,
    ) -> Result<StagedTable, WarehouseError> {
        let spec = TableSpec { order: Vec::new(), ..spec };
        let (reached, kept) = split.map(|split| (split.reached, split.settled)).unzip();
        let old = reached.map(|reached| OldPart::all_of(&reached.files)).unwrap_or_default();
        self.stage_laid_out(spec, rows, Layout::BySettlement(layout, old), kept).await
    }

    async fn stage_laid_out(
        &self,
        spec: TableSpec,
        rows: Vec<SendableRecordBatchStream>,
        layout: Layout,
        kept: Option<TableParts>,
    ) -> Result<StagedTable, WarehouseError> {
        let folder = self.folder(&spec.name)?;
        let stored = storage_schema(&spec.name, &spec.schema)?;
        let base = match &kept {
            Some(kept) => Some(kept.base.as_ref().clone()),
            None => commit::Base::read(&spec.name, &folder).await?,
        };
        let mut staged = StagedTable::new(spec.name, folder, stored, spec.order, spec.description);
        staged.base = base;
        staged.mark = mark::new_mark(self.run);
        let written = stage::write(&staged.table, &staged.folder, &staged.stored, &layout, staged.mark, rows).await?;
        staged.files = written.files;
        staged.unchanged = written.unchanged;
        staged.kept = kept.map(|kept| kept.files).unwrap_or_default();
        Ok(staged)
    }

    /// The files of a table's newest version and its ledger; `None` when there is no such table.
    pub async fn table_parts(&self, name: &str) -> Result<Option<TableParts>, WarehouseError> {
        TableParts::read(name, &self.folder(name)?).await
    }

    /// A table at its newest version; `None` when there is none.
    pub async fn table(&self, name: &str) -> Result<Option<PublishedTable>, WarehouseError> {
        published::read(name, &self.folder(name)?, None).await
    }

    /// A table at a version; `None` when there is no table or not yet this version.
    pub async fn table_at(&self, name: &str, version: u64) -> Result<Option<PublishedTable>, WarehouseError> {
        published::read(name, &self.folder(name)?, Some(version)).await
    }

    /// Names of all published tables, in alphabetical order.
    pub async fn table_names(&self) -> Result<Vec<String>, WarehouseError> {
        let failed = |error| WarehouseError::Storage { path: self.location.to_string(), error };
        let mut names: Vec<String> = futures::stream::iter(self.table_folders().await?)
            .map(|name| async move {
                let there = delta_log::exists(&self.location.child(&name)).await?;
                Ok::<_, object_store::Error>(there.then_some(name))
            })
            .buffer_unordered(CONCURRENT_TABLES)
            .try_filter_map(futures::future::ok)
            .try_collect()
            .await
            .map_err(failed)?;
        names.sort_unstable();
        Ok(names)
    }

    /// Names of all folders that are or could become a table's, also those in which nothing is published yet.
    pub async fn table_folders(&self) -> Result<Vec<String>, WarehouseError> {
        match self.location.store.list_with_delimiter(Some(&self.location.prefix)).await {
            Ok(listed) => {
                let folders = listed.common_prefixes.iter().filter_map(|folder| folder.filename());
                Ok(folders.filter(|name| is_table_name(name)).map(str::to_owned).collect())
            }
            Err(object_store::Error::NotFound { .. }) if self.location.is_file() => Ok(Vec::new()),
            Err(error) => Err(WarehouseError::Storage { path: self.location.to_string(), error }),
        }
    }

    fn folder(&self, table: &str) -> Result<Location, WarehouseError> {
        if is_table_name(table) {
            Ok(self.location.child(table))
        } else {
            Err(WarehouseError::TableName { table: table.into() })
        }
    }
}

/// Letters, digits and `_`, beginning with a letter: a folder's name on every store, and never one of ours (`_runs`).
pub(crate) fn is_table_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.len() <= 200
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
