//! What attempts at a snapshot that were killed have left behind.

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStoreExt};

use super::error::SnapshotError;
use super::manifest::Manifest;
use super::{MAKING, Snapshot, SnapshotName, Snapshots, storage};
use crate::stores::Location;
use crate::warehouse::Warehouse;

/// Files that nothing names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftBehind {
    /// Each with its bytes, as shown to people.
    pub files: Vec<(String, u64)>,
}

impl Snapshots {
    /// Removes a scratch warehouse with all that is in it.
    pub async fn remove_scratch(&self, scratch: &Warehouse) -> Result<(), SnapshotError> {
        let location = scratch.location();
        for object in objects_in(location).await? {
            remove(location, &object).await?;
        }
        remove_folder(location).await;
        Ok(())
    }

    /// Removes scratch warehouses in which nothing was written since `before`, and data files that no manifest names
    /// and that were written before it. With `dry_run` nothing is removed.
    pub async fn sweep(&self, before: DateTime<Utc>, dry_run: bool) -> Result<LeftBehind, SnapshotError> {
        let mut left = LeftBehind::default();
        for name in self.folders().await? {
            let folder = self.location.child(&name);
            if name.starts_with(MAKING) {
                let objects = objects_in(&folder).await?;
                // An attempt that still writes has young files.
                if objects.iter().any(|object| object.last_modified >= before) {
                    continue;
                }
                for object in objects {
                    left.files.push((folder.show(&object.location), object.size));
                    if !dry_run {
                        remove(&folder, &object).await?;
                    }
                }
                if !dry_run {
                    remove_folder(&folder).await;
                }
            } else if name.parse::<SnapshotName>().is_ok() {
                let manifest = match Snapshot::at(&folder).await {
                    Ok(snapshot) => Some(snapshot.manifest),
                    Err(SnapshotError::Missing { .. }) => None,
                    // With a manifest that cannot be read nobody knows what it names.
                    Err(_) => continue,
                };
                for object in unnamed(&folder, manifest.as_ref()).await? {
                    if object.last_modified < before {
                        left.files.push((folder.show(&object.location), object.size));
                        if !dry_run {
                            remove(&folder, &object).await?;
                        }
                    }
                }
            }
        }
        left.files.sort_unstable();
        Ok(left)
    }

    /// Removes data files in a snapshot's folder that its manifest does not name.
    pub(super) async fn remove_unnamed(&self, folder: &Location, manifest: &Manifest) -> Result<(), SnapshotError> {
        for object in unnamed(folder, Some(manifest)).await? {
            remove(folder, &object).await?;
        }
        Ok(())
    }
}

/// Data files as this program names them, `<table>/part-….parquet`, that the manifest does not name. What a person put
/// beside them is not ours.
async fn unnamed(folder: &Location, manifest: Option<&Manifest>) -> Result<Vec<ObjectMeta>, SnapshotError> {
    let objects = objects_in(folder).await?;
    Ok(objects
        .into_iter()
        .filter(|object| {
            let Some(inside) = object.location.prefix_match(&folder.prefix) else { return false };
            let parts: Vec<String> = inside.map(|part| part.as_ref().to_owned()).collect();
            let ours = matches!(parts.as_slice(), [_, file] if file.starts_with("part-") && file.ends_with(".parquet"));
            let path = parts.join("/");
            ours && !manifest.is_some_and(|manifest| manifest.files().any(|file| file.path == path))
        })
        .collect())
}

async fn objects_in(folder: &Location) -> Result<Vec<ObjectMeta>, SnapshotError> {
    let listed = folder.store.list(Some(&folder.prefix)).try_collect().await;
    match listed {
        Ok(objects) => Ok(objects),
        Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(storage(folder, &folder.prefix, error)),
    }
}

async fn remove(folder: &Location, object: &ObjectMeta) -> Result<(), SnapshotError> {
    match folder.store.delete(&object.location).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(storage(folder, &object.location, error)),
    }
}

/// On a local disk an empty folder stays behind; on object stores there are none.
async fn remove_folder(folder: &Location) {
    if let Some(local) = folder.local.clone() {
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(local));
        let _ = removed.await;
    }
}
