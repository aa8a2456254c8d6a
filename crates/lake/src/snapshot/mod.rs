//! Snapshots: tables as of the end of a period, as plain Parquet with a manifest, which never change.
//!
//! A snapshot is a folder of its own under `_snapshots` in the warehouse. It exists when its manifest exists, which is
//! created last, in one conditional put: whoever finds no manifest finds no snapshot, and of two who make the same one
//! wins. Its rows are made in a scratch warehouse beside it (`.making-…`), and the files are taken from there. What a
//! killed attempt leaves is seen by nobody and removed later.
//!
//! The files name nothing outside their folder, so a copy of the folder is a snapshot too, on any store.

mod name;
mod manifest;
mod write;
mod copy;
mod verify;
mod leftovers;
mod error;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion_datasource::PartitionedFile;
use object_store::{ObjectMeta, ObjectStoreExt};
use uuid::Uuid;

pub use copy::Exported;
pub use error::SnapshotError;
pub use leftovers::LeftBehind;
pub use manifest::{FileManifest, Manifest, SnapshotDraft, Superseded, TableDraft, TableManifest};
pub use name::{NotASnapshotName, Period, SnapshotName};
pub use verify::{Damage, Verification};

use crate::scan::ParquetTable;
use crate::stores::Location;
use crate::warehouse::Warehouse;

/// The folder of a warehouse that holds its snapshots.
const FOLDER: &str = "_snapshots";

/// The last file of a snapshot to be written, and the first to be read.
const MANIFEST: &str = "manifest.json";

/// Begins the name of a scratch warehouse; no snapshot's name begins like that.
const MAKING: &str = ".making-";

/// The snapshots of a warehouse.
#[derive(Debug, Clone)]
pub struct Snapshots {
    location: Location,
}

/// One snapshot or a copy of one, its manifest read and held against its own checksum.
#[derive(Debug, Clone)]
pub struct Snapshot {
    manifest: Manifest,
    name: SnapshotName,
    folder: Location,
}

impl Warehouse {
    /// Its snapshots. Nothing is read.
    pub fn snapshots(&self) -> Snapshots {
        Snapshots { location: self.location().child(FOLDER) }
    }
}

impl Snapshots {
    /// Names of all snapshots, by period and revision. Reads names only.
    pub async fn names(&self) -> Result<Vec<SnapshotName>, SnapshotError> {
        let store = &self.location.store;
        let mut names = Vec::new();
        for folder in self.folders().await? {
            let Some(name) = folder.parse::<SnapshotName>().ok().filter(|name| name.to_string() == folder) else {
                continue;
            };
            let path = self.location.prefix.clone().join(folder.as_str()).join(MANIFEST);
            match store.head(&path).await {
                Ok(_) => names.push(name),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(storage(&self.location, &path, error)),
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// A snapshot by name; `None` when there is none.
    ///
    /// # Errors
    ///
    /// The store, or a manifest that was damaged or changed.
    pub async fn open(&self, name: SnapshotName) -> Result<Option<Snapshot>, SnapshotError> {
        let folder = self.location.child(&name.to_string());
        match Snapshot::at(&folder).await {
            Ok(snapshot) if snapshot.name == name => Ok(Some(snapshot)),
            Ok(snapshot) => Err(SnapshotError::Manifest {
                path: folder.to_string(),
                reason: format!("it says that it is of {}", snapshot.name),
            }),
            Err(SnapshotError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A warehouse of its own in which the tables of one attempt at a snapshot can be made.
    pub fn scratch(&self, name: SnapshotName) -> Warehouse {
        let attempt = Uuid::new_v4().simple().to_string();
        Warehouse::at(self.location.child(&format!("{MAKING}{name}-{}", &attempt[..12])))
    }

    /// Names of the folders, whatever they hold.
    async fn folders(&self) -> Result<Vec<String>, SnapshotError> {
        match self.location.store.list_with_delimiter(Some(&self.location.prefix)).await {
            Ok(listed) => {
                Ok(listed.common_prefixes.iter().filter_map(|folder| folder.filename()).map(str::to_owned).collect())
            }
            Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(storage(&self.location, &self.location.prefix, error)),
        }
    }
}

impl Snapshot {
    /// The snapshot in a folder: one of a warehouse or a copy anywhere.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Missing`] when there is no manifest, [`SnapshotError::Manifest`] when it was damaged or
    /// changed.
    pub async fn at(folder: &Location) -> Result<Self, SnapshotError> {
        let path = folder.prefix.clone().join(MANIFEST);
        let read = async { folder.store.get(&path).await?.bytes().await };
        let bytes = match read.await {
            Ok(bytes) => bytes,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(SnapshotError::Missing { place: folder.to_string() });
            }
            Err(error) => return Err(storage(folder, &path, error)),
        };
        let distrusted = |reason| SnapshotError::Manifest { path: folder.show(&path), reason };
        let manifest = Manifest::read(&bytes).map_err(distrusted)?;
        let name = manifest.name().ok_or_else(|| distrusted("it names no snapshot".to_owned()))?;
        Ok(Self { manifest, name, folder: folder.clone() })
    }

    /// What it holds and was made from.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its name.
    pub fn name(&self) -> SnapshotName {
        self.name
    }

    /// Where it lies.
    pub fn location(&self) -> &Location {
        &self.folder
    }

    /// The columns of a table, with their comments in the fields' metadata; `None` when it has no such table.
    pub fn schema(&self, table: &str) -> Option<SchemaRef> {
        self.manifest.tables.get(table)?.schema()
    }

    /// The rows of a table; `None` when it has no such table. A session that reads them has to have this snapshot's
    /// store registered, as the sessions of whoever opened the warehouse have.
    pub fn table(&self, table: &str) -> Option<Arc<dyn TableProvider>> {
        let schema = self.schema(table)?;
        let files = self.manifest.tables.get(table)?.files.iter().map(|file| {
            let object = ObjectMeta {
                location: self.path(&file.path),
                last_modified: chrono::DateTime::default(),
                size: file.bytes,
                e_tag: None,
                version: None,
            };
            let rows = usize::try_from(file.rows).map_or(Precision::Absent, Precision::Exact);
            let statistics = Statistics { num_rows: rows, ..Statistics::new_unknown(&schema) };
            PartitionedFile::from(object).with_statistics(Arc::new(statistics))
        });
        Some(Arc::new(ParquetTable::new(Arc::clone(&schema), &self.folder, files.collect())))
    }

    /// A file's path in the store.
    fn path(&self, inside: &str) -> object_store::path::Path {
        inside.split('/').fold(self.folder.prefix.clone(), |path, part| path.join(part))
    }
}

fn storage(location: &Location, path: &object_store::path::Path, error: object_store::Error) -> SnapshotError {
    SnapshotError::Storage { path: location.show(path), error }
}
