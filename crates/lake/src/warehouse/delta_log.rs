//! The log of a Delta table: whether there is one, what it says, and adding one entry to it.

use std::sync::Arc;

use bytes::Bytes;
use deltalake::kernel::Version;
use deltalake::logstore::{StorageConfig, default_logstore};
use deltalake::{DeltaResult, DeltaTable};
use futures::StreamExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStoreExt, PutMode, PutOptions};
use serde_json::Value;

use super::durable;
use super::error::WarehouseError;
use crate::stores::Location;

const LOG_FOLDER: &str = "_delta_log";

/// Whether a Delta log lies in this folder: an entry or a checkpoint of some version. A writer that was killed may have
/// left the unfinished file of an entry there, which is none.
pub(crate) async fn exists(table: &Location) -> object_store::Result<bool> {
    let folder = table.prefix.clone().join(LOG_FOLDER);
    let mut objects = table.store.list(Some(&folder));
    while let Some(object) = objects.next().await {
        match object {
            Ok(object) if object.location.filename().is_some_and(names_a_version) => return Ok(true),
            Ok(_) => {}
            // A folder that is not there; a bucket that is not there is an error.
            Err(object_store::Error::NotFound { .. }) if table.is_file() => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// `00000000000000000007.json`, `00000000000000000010.checkpoint.parquet`: twenty digits, then what it holds.
pub(super) fn names_a_version(file: &str) -> bool {
    file.split_once('.').is_some_and(|(version, _)| version.len() == 20 && version.bytes().all(|b| b.is_ascii_digit()))
}

/// The table as its log describes it, at its newest version or at `version`.
pub(crate) async fn load(table: &Location, version: Option<Version>) -> DeltaResult<DeltaTable> {
    let prefixed = Arc::new(PrefixStore::new(Arc::clone(&table.store), table.prefix.clone()));
    let log = default_logstore(prefixed, Arc::clone(&table.store), &table.url, &StorageConfig::default());
    let mut loaded = DeltaTable::new(log);
    match version {
        Some(version) => loaded.load_version(version).await?,
        None => loaded.load().await?,
    }
    Ok(loaded)
}

/// The table at its newest version; `None` when there is none yet.
pub(super) async fn newest(name: &str, table: &Location) -> Result<Option<DeltaTable>, WarehouseError> {
    let exists = exists(table).await;
    if !exists.map_err(|error| WarehouseError::Storage { path: table.to_string(), error })? {
        return Ok(None);
    }
    let loaded = load(table, None).await;
    loaded.map(Some).map_err(|error| WarehouseError::Log { table: name.into(), error: Box::new(error) })
}

/// Features that another program gave a table and this one does not write, in words.
pub(super) fn foreign_features(table: &DeltaTable) -> DeltaResult<Option<String>> {
    let snapshot = table.snapshot()?;
    let (reader, writer) = (snapshot.protocol().min_reader_version(), snapshot.protocol().min_writer_version());
    let partitions = snapshot.metadata().partition_columns();
    let foreign = reader > 1 || writer > 2 || !partitions.is_empty();
    Ok(foreign.then(|| format!("reader version {reader}, writer version {writer}, partitions {partitions:?}")))
}

fn entry_name(version: Version) -> String {
    format!("{version:020}.json")
}

fn entry_path(table: &Location, version: Version) -> Path {
    table.prefix.clone().join(LOG_FOLDER).join(entry_name(version))
}

/// Creates the entry of this version, or fails with `AlreadyExists`. On a local disk the entry, and the names of all
/// files beside it, are flushed before this returns.
pub(super) async fn create_entry(table: &Location, version: Version, entry: Bytes) -> object_store::Result<()> {
    create(table, &entry_path(table, version), &[LOG_FOLDER, &entry_name(version)], entry).await
}

/// Creates an object that must not be there yet, durably on a local disk. `inside` is its path below `folder`.
pub(crate) async fn create(folder: &Location, path: &Path, inside: &[&str], bytes: Bytes) -> object_store::Result<()> {
    let Some(local) = &folder.local else {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        return folder.store.put_opts(path, bytes.into(), options).await.map(|_| ());
    };
    let (root, target) = (local.clone(), inside.iter().fold(local.clone(), |path, name| path.join(name)));
    let shown = target.display().to_string();
    let created = tokio::task::spawn_blocking(move || {
        if root.is_dir() {
            durable::sync_folder(&root)?;
        }
        durable::create(&target, &bytes)
    });
    created.await?.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            object_store::Error::AlreadyExists { path: shown, source: Box::new(error) }
        }
        std::io::ErrorKind::PermissionDenied => {
            object_store::Error::PermissionDenied { path: shown, source: Box::new(error) }
        }
        _ => object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(error) },
    })
}

/// The `commitInfo` of a version's entry; `None` when there is no such entry, an empty object when it has none.
pub(super) async fn commit_info(table: &Location, version: Version) -> object_store::Result<Option<Value>> {
    let Some(actions) = entry(table, version).await? else { return Ok(None) };
    let info = actions.into_iter().find_map(|mut action| action.get_mut("commitInfo").map(Value::take));
    Ok(Some(info.unwrap_or_else(|| Value::Object(serde_json::Map::new()))))
}

/// The actions of a version's entry; `None` when there is no such entry.
pub(super) async fn entry(table: &Location, version: Version) -> object_store::Result<Option<Vec<Value>>> {
    let bytes = match table.store.get(&entry_path(table, version)).await {
        Ok(entry) => entry.bytes().await?,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let lines = bytes.split(|byte| *byte == b'\n');
    Ok(Some(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()))
}
