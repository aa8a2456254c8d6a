//! From the tables of a scratch warehouse to a published snapshot.

use std::time::Duration;

use arrow::datatypes::Schema;
use bytes::Bytes;
use deltalake::kernel::engine::arrow_conversion::TryIntoArrow;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use parquet::arrow::ArrowWriter;
use uuid::Uuid;

use super::copy::{AT_ONCE, checksum, copy_stream, holds, sync_folder};
use super::error::SnapshotError;
use super::manifest::{FileManifest, Manifest, SnapshotDraft, TableDraft, TableManifest};
use super::{MANIFEST, Snapshot, Snapshots, storage};
use crate::stores::Location;
use crate::warehouse::{Warehouse, WarehouseError, create, delta_log};

/// Attempts at the manifest, whose put may lose its answer.
const ATTEMPTS: u32 = 4;

impl Snapshots {
    /// Takes the files of the scratch warehouse's tables, reads them back, and publishes the manifest last. Until then
    /// there is no snapshot for anybody; afterwards it never changes.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Exists`] when another was published under this name meanwhile; its files and ours do not
    /// mix. After any error but [`SnapshotError::Unknown`] our files are removed, as far as the store lets them.
    pub async fn publish(&self, scratch: &Warehouse, draft: &SnapshotDraft) -> Result<Snapshot, SnapshotError> {
        let folder = self.location.child(&draft.name.to_string());
        let mut manifest = Manifest::of(draft, Uuid::new_v4().to_string());
        let taken = self.take_tables(scratch, draft, &folder, &mut manifest).await;
        let published = match taken {
            Ok(()) => publish_manifest(&folder, &mut manifest).await,
            Err(error) => Err(error),
        };
        match published {
            Ok(()) => {
                // With the manifest there, whatever else lies in the folder is nobody's: another attempt under this
                // name has lost.
                let _ = self.remove_unnamed(&folder, &manifest).await;
                Ok(Snapshot { manifest, name: draft.name, folder })
            }
            Err(error) => match Snapshot::at(&folder).await {
                // It was published after all; only the answers got lost.
                Ok(there) if there.manifest.id == manifest.id => Ok(there),
                there => Err(self.give_up(&folder, &manifest, there, error).await),
            },
        }
    }

    /// Removes the files of an attempt that failed, and says why it did.
    async fn give_up(
        &self,
        folder: &Location,
        manifest: &Manifest,
        there: Result<Snapshot, SnapshotError>,
        error: SnapshotError,
    ) -> SnapshotError {
        match there {
            // Whoever won clears the folder, so that files may have vanished under our hands: that is not the reason.
            Ok(there) => {
                let _ = self.remove_unnamed(folder, &there.manifest).await;
                SnapshotError::Exists { place: folder.to_string(), name: there.manifest.snapshot }
            }
            // The manifest may still arrive, or nobody knows what it names.
            Err(_) if matches!(error, SnapshotError::Unknown { .. }) => error,
            Err(SnapshotError::Missing { .. }) => {
                for file in manifest.files() {
                    let path = file.path.split('/').fold(folder.prefix.clone(), |path, part| path.join(part));
                    let _ = folder.store.delete(&path).await;
                }
                error
            }
            Err(_) => error,
        }
    }

    async fn take_tables(
        &self,
        scratch: &Warehouse,
        draft: &SnapshotDraft,
        folder: &Location,
        manifest: &mut Manifest,
    ) -> Result<(), SnapshotError> {
        for (name, table) in &draft.tables {
            let from = scratch.location().child(name);
            let taken = take_table(name, table, &from, folder).await?;
            manifest.tables.insert(name.clone(), taken);
            sync_folder(&folder.child(name)).await?;
        }
        Ok(())
    }
}

async fn take_table(
    name: &str,
    draft: &TableDraft,
    from: &Location,
    folder: &Location,
) -> Result<TableManifest, SnapshotError> {
    let log = |error| WarehouseError::Log { table: name.to_owned(), error: Box::new(error) };
    let loaded = delta_log::load(from, Some(draft.version)).await.map_err(log)?;
    let snapshot = loaded.snapshot().map_err(log)?;
    let stored: Schema = snapshot.schema().as_ref().try_into_arrow().map_err(|error| log(arrow_error(error)))?;
    let columns = TableManifest::columns_of(&stored).ok_or_else(|| WarehouseError::ColumnType {
        table: name.to_owned(),
        column: "*".to_owned(),
        found: stored.to_string(),
        source: None,
    })?;
    let files: Vec<(object_store::path::Path, u64)> = snapshot
        .log_data()
        .iter()
        .map(|file| (file.object_store_path(), file.num_records().unwrap_or(0) as u64))
        .collect();
    let mut taken: Vec<FileManifest> = futures::stream::iter(files)
        .map(|(file, rows)| take_file(name, file, rows, from, folder))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    if taken.is_empty() {
        // A table without rows has its columns all the same, for every reader of plain Parquet.
        taken.push(empty_file(name, &stored, folder).await?);
    }
    taken.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(TableManifest {
        description: snapshot.metadata().description().map(ToOwned::to_owned),
        rows: taken.iter().map(|file| file.rows).sum(),
        bytes: taken.iter().map(|file| file.bytes).sum(),
        version: draft.version,
        grain: draft.grain.clone(),
        fingerprint: draft.fingerprint.clone(),
        columns,
        files: taken,
    })
}

/// One file, copied by the store where it can and read back in any case.
async fn take_file(
    table: &str,
    file: object_store::path::Path,
    rows: u64,
    from: &Location,
    folder: &Location,
) -> Result<FileManifest, SnapshotError> {
    let file_name = file.filename().unwrap_or_default().to_owned();
    let source = from.prefix.parts().chain(file.parts()).collect();
    let target = folder.prefix.clone().join(table).join(file_name.as_str());
    let sent = match folder.store.copy(&source, &target).await {
        // A local store gives the same bytes a second name.
        Ok(()) if folder.local.is_some() => None,
        Ok(()) => Some(checksum(from.store.as_ref(), &source).await.map_err(|error| storage(from, &source, error))?),
        // Stores copy no object above some size (5 GB on S3), and some copy none.
        Err(_) => Some(copy_stream(from, &source, folder, &target).await?),
    };
    let read = checksum(folder.store.as_ref(), &target).await.map_err(|error| storage(folder, &target, error))?;
    if sent.is_some_and(|sent| sent != read) {
        return Err(SnapshotError::Damaged {
            path: folder.show(&target),
            reason: "read back, it has other bytes than were written".to_owned(),
        });
    }
    let (bytes, sha256) = read;
    Ok(FileManifest { path: format!("{table}/{file_name}"), rows, bytes, sha256 })
}

async fn empty_file(table: &str, stored: &Schema, folder: &Location) -> Result<FileManifest, SnapshotError> {
    let file_name = format!("part-00000-{}-c000.parquet", Uuid::new_v4());
    let target = folder.prefix.clone().join(table).join(file_name.as_str());
    let mut bytes = Vec::new();
    let written = ArrowWriter::try_new(&mut bytes, stored.clone().into(), None).and_then(ArrowWriter::close);
    written.map_err(|error| SnapshotError::Damaged { path: folder.show(&target), reason: error.to_string() })?;
    let put = create(folder, &target, &[table, &file_name], bytes.clone().into()).await;
    put.map_err(|error| storage(folder, &target, error))?;
    let sha256 = super::manifest::sha256(&bytes);
    Ok(FileManifest { path: format!("{table}/{file_name}"), rows: 0, bytes: bytes.len() as u64, sha256 })
}

/// Creates the manifest, or finds out who did.
async fn publish_manifest(folder: &Location, manifest: &mut Manifest) -> Result<(), SnapshotError> {
    let path = folder.prefix.clone().join(MANIFEST);
    let unwritable =
        |error: serde_json::Error| SnapshotError::Manifest { path: folder.show(&path), reason: error.to_string() };
    let bytes = Bytes::from(manifest.seal().map_err(unwritable)?);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let error = match create(folder, &path, &[MANIFEST], bytes.clone()).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // An error is not "not there": the answer of a put that was applied may have got lost.
        if holds(folder, &path, &bytes).await {
            return Ok(());
        }
        match folder.store.head(&path).await {
            Ok(_) => {
                return Err(SnapshotError::Exists { place: folder.to_string(), name: manifest.snapshot.clone() });
            }
            Err(object_store::Error::NotFound { .. }) if folder.local.is_some() => {
                return Err(storage(folder, &path, error));
            }
            Err(_) if attempt == ATTEMPTS => {
                return Err(SnapshotError::Unknown { name: manifest.snapshot.clone(), error });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(250 << attempt)).await,
        }
    }
}

fn arrow_error(error: arrow::error::ArrowError) -> deltalake::DeltaTableError {
    deltalake::DeltaTableError::Arrow { source: error }
}
