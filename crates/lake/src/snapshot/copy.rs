//! Files copied with their checksums taken on the way, and whole snapshots exported.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::error::SnapshotError;
use super::manifest::{FileManifest, hexadecimal};
use super::{MANIFEST, Snapshot, storage};
use crate::stores::Location;
use crate::warehouse::{create, durable};

/// Files worked on side by side.
pub(super) const AT_ONCE: usize = 4;

/// What an export did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Data files copied.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Whether the same snapshot was there already; then nothing was copied.
    pub already_there: bool,
}

impl Snapshot {
    /// Copies the snapshot into a folder of any store, the manifest last: a copy that was interrupted is none, and can
    /// be asked for again. Each file is held against its checksum on the way.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Exists`] when another snapshot is there, [`SnapshotError::Damaged`] when a file is not what the
    /// manifest says.
    pub async fn export(&self, to: &Location) -> Result<Exported, SnapshotError> {
        match Self::at(to).await {
            Ok(there) if there.manifest == self.manifest => {
                return Ok(Exported { files: 0, bytes: 0, already_there: true });
            }
            Ok(there) => {
                return Err(SnapshotError::Exists { place: to.to_string(), name: there.manifest.snapshot });
            }
            Err(SnapshotError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
        let files: Vec<&FileManifest> = self.manifest.files().collect();
        futures::stream::iter(&files)
            .map(|file| self.export_file(file, to))
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<()>>()
            .await?;
        for table in self.manifest.tables.keys() {
            sync_folder(&to.child(table)).await?;
        }
        let path = self.folder.prefix.clone().join(MANIFEST);
        let read = async { self.folder.store.get(&path).await?.bytes().await };
        let bytes = read.await.map_err(|error| storage(&self.folder, &path, error))?;
        let target = to.prefix.clone().join(MANIFEST);
        match create(to, &target, &[MANIFEST], bytes.clone()).await {
            Ok(()) => {}
            // The client repeated a put whose answer was lost.
            Err(object_store::Error::AlreadyExists { .. }) if holds(to, &target, &bytes).await => {}
            Err(error) => return Err(storage(to, &target, error)),
        }
        Ok(Exported { files: files.len(), bytes: self.manifest.bytes(), already_there: false })
    }

    async fn export_file(&self, file: &FileManifest, to: &Location) -> Result<(), SnapshotError> {
        let (from, target) =
            (self.path(&file.path), file.path.split('/').fold(to.prefix.clone(), |path, part| path.join(part)));
        let copied = copy_stream(&self.folder, &from, to, &target).await?;
        if copied != (file.bytes, file.sha256.clone()) {
            // A damaged file in a copy without a manifest is of no use; the next attempt replaces it.
            let _ = to.store.delete(&target).await;
            return Err(SnapshotError::Damaged {
                path: self.folder.show(&from),
                reason: "its bytes are not those that the manifest names".to_owned(),
            });
        }
        Ok(())
    }
}

/// Bytes and SHA-256 of an object.
pub(super) async fn checksum(store: &dyn ObjectStore, path: &Path) -> object_store::Result<(u64, String)> {
    let mut chunks = store.get_opts(path, object_store::GetOptions::default()).await?.into_stream();
    let (mut bytes, mut hasher) = (0_u64, Sha256::new());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        bytes += chunk.len() as u64;
        hasher.update(&chunk);
    }
    Ok((bytes, hexadecimal(&hasher.finalize())))
}

/// Copies an object by way of this machine; bytes and SHA-256 of what was read. On a local disk they are flushed.
pub(super) async fn copy_stream(
    from: &Location,
    source: &Path,
    to: &Location,
    target: &Path,
) -> Result<(u64, String), SnapshotError> {
    let unread = |error| storage(from, source, error);
    let unwritten = |error: std::io::Error| {
        storage(to, target, object_store::Error::Generic { store: "copy", source: Box::new(error) })
    };
    let mut chunks = from.store.get(source).await.map_err(unread)?.into_stream();
    let mut sink = BufWriter::new(Arc::clone(&to.store), target.clone());
    let (mut bytes, mut hasher) = (0_u64, Sha256::new());
    while let Some(chunk) = chunks.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) => {
                // An upload in parts would stay with the store otherwise.
                let _ = sink.abort().await;
                return Err(unread(error));
            }
        };
        bytes += chunk.len() as u64;
        hasher.update(&chunk);
        sink.put(chunk).await.map_err(|error| storage(to, target, error))?;
    }
    sink.shutdown().await.map_err(unwritten)?;
    sync_file(to, target).await.map_err(unwritten)?;
    Ok((bytes, hexadecimal(&hasher.finalize())))
}

/// Whether an object is there with exactly these bytes.
pub(super) async fn holds(location: &Location, path: &Path, bytes: &Bytes) -> bool {
    match location.store.get(path).await {
        Ok(found) => found.bytes().await.is_ok_and(|found| found == *bytes),
        Err(_) => false,
    }
}

async fn sync_file(location: &Location, path: &Path) -> std::io::Result<()> {
    let inside = path.prefix_match(&location.prefix);
    let Some((local, inside)) = location.local.as_ref().zip(inside) else { return Ok(()) };
    let file = inside.fold(local.clone(), |path, part| path.join(part.as_ref()));
    tokio::task::spawn_blocking(move || durable::sync_file(&file)).await?
}

/// Flushes the names in a folder of a local disk.
pub(super) async fn sync_folder(folder: &Location) -> Result<(), SnapshotError> {
    let Some(local) = folder.local.clone() else { return Ok(()) };
    let synced =
        tokio::task::spawn_blocking(move || if local.is_dir() { durable::sync_folder(&local) } else { Ok(()) });
    let failed = |error: std::io::Error| {
        storage(
            folder,
            &folder.prefix,
            object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(error) },
        )
    };
    synced.await.map_err(|error| failed(error.into()))?.map_err(failed)
}
