//! Data files that nobody needs any more, found and removed.
//!
//! A file stays when the newest version names it, when a version that is to be kept names it, when an entry of the log
//! that is young enough names it (whether as added or as removed: readers of the version before may still be at work),
//! or when the file itself is young, because a run that is under way may be about to publish it. Files are listed
//! before the log is read, so what is committed in between is seen.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use serde_json::Value;

use super::Warehouse;
use super::delta_log;
use super::error::WarehouseError;
use crate::stores::Location;

/// Files removed side by side.
const AT_ONCE: usize = 16;

/// What is to be removed.
#[derive(Debug, Clone)]
pub struct Vacuum {
    /// Files written, and log entries made, at or after this instant keep what they are or name.
    pub before: DateTime<Utc>,
    /// Versions to keep, by table, besides the newest.
    pub keep: BTreeMap<String, BTreeSet<u64>>,
    /// Says what would be removed, and removes nothing.
    pub dry_run: bool,
}

/// What came of one table's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VacuumedTable {
    /// The table.
    pub table: String,
    /// Data files that stay.
    pub kept: usize,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Files that were removed, or would be.
    pub dead: Vec<DeadFile>,
    /// Why nothing was looked for.
    pub skipped: Option<String>,
}

/// A file that nobody needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadFile {
    /// Its path, as shown to people.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
}

impl Warehouse {
    /// Removes the files of one table that nobody needs.
    ///
    /// # Errors
    ///
    /// The log cannot be read, or the store does not list or remove. Files are only removed once everything that names
    /// files has been read.
    pub async fn vacuum(&self, table: &str, vacuum: &Vacuum) -> Result<VacuumedTable, WarehouseError> {
        let folder = self.folder(table)?;
        let objects = listed(&folder).await?;
        let mut outcome =
            VacuumedTable { table: table.to_owned(), kept: 0, kept_bytes: 0, dead: Vec::new(), skipped: None };
        let needed = match needed_files(table, &folder, &objects, vacuum).await? {
            Needed::Files(needed) => needed,
            Needed::Foreign(features) => {
                outcome.skipped = Some(features);
                return Ok(outcome);
            }
        };
        let mut dead = Vec::new();
        for object in objects {
            let Some(name) = data_file(&folder, &object.location) else { continue };
            if needed.contains(&name) || object.last_modified >= vacuum.before {
                outcome.kept += 1;
                outcome.kept_bytes += object.size;
            } else {
                outcome.dead.push(DeadFile { path: folder.show(&object.location), bytes: object.size });
                dead.push(object.location);
            }
        }
        if !vacuum.dry_run {
            remove(&folder, dead).await?;
        }
        outcome.dead.extend(unfinished(&folder, vacuum).await?);
        outcome.dead.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        Ok(outcome)
    }
}

enum Needed {
    /// Names of files inside the table's folder.
    Files(BTreeSet<String>),
    /// The table has features of another program, whose files this one does not judge.
    Foreign(String),
}

async fn needed_files(
    table: &str,
    folder: &Location,
    objects: &[ObjectMeta],
    vacuum: &Vacuum,
) -> Result<Needed, WarehouseError> {
    let failed = |error| WarehouseError::Log { table: table.to_owned(), error: Box::new(error) };
    let unreadable = |error| WarehouseError::Storage { path: folder.to_string(), error };
    let mut needed = BTreeSet::new();
    let Some(newest) = delta_log::newest(table, folder).await? else { return Ok(Needed::Files(needed)) };
    if let Some(features) = delta_log::foreign_features(&newest).map_err(failed)? {
        return Ok(Needed::Foreign(format!("it has features of another program ({features})")));
    }
    let snapshot = newest.snapshot().map_err(failed)?;
    needed.extend(snapshot.log_data().iter().map(|file| file.object_store_path().to_string()));
    let newest = snapshot.version();
    for version in vacuum.keep.get(table).into_iter().flatten().filter(|version| **version < newest) {
        let kept = delta_log::load(folder, Some(*version)).await.map_err(failed)?;
        let kept = kept.snapshot().map_err(failed)?;
        needed.extend(kept.log_data().iter().map(|file| file.object_store_path().to_string()));
    }
    // The log may have grown since the files were listed; its newest version has been read above.
    let entries = objects.iter().filter(|object| object.last_modified >= vacuum.before && is_entry(folder, object));
    for entry in entries {
        let read = async { folder.store.get(&entry.location).await?.bytes().await };
        let bytes = read.await.map_err(unreadable)?;
        needed.extend(bytes.split(|byte| *byte == b'\n').filter_map(named_file));
    }
    Ok(Needed::Files(needed))
}

/// The file that a line of the log adds or removes.
fn named_file(line: &[u8]) -> Option<String> {
    let action: Value = serde_json::from_slice(line).ok()?;
    let path = action.get("add").or_else(|| action.get("remove"))?.get("path")?.as_str()?;
    // Paths stand there as in a URL.
    Some(Path::from_url_path(path).map_or_else(|_| path.to_owned(), |path| path.to_string()))
}

fn is_entry(folder: &Location, object: &ObjectMeta) -> bool {
    let parts: Vec<_> = object.location.prefix_match(&folder.prefix).into_iter().flatten().collect();
    matches!(parts.as_slice(), [log, entry] if log.as_ref() == "_delta_log" && entry.as_ref().ends_with(".json"))
}

/// The name of a data file of this table: Parquet, directly in its folder.
fn data_file(folder: &Location, path: &Path) -> Option<String> {
    let parts: Vec<_> = path.prefix_match(&folder.prefix)?.collect();
    let [name] = parts.as_slice() else { return None };
    let name = name.as_ref();
    (name.ends_with(".parquet") && !name.starts_with(['_', '.'])).then(|| name.to_owned())
}

async fn listed(folder: &Location) -> Result<Vec<ObjectMeta>, WarehouseError> {
    match folder.store.list(Some(&folder.prefix)).try_collect().await {
        Ok(objects) => Ok(objects),
        Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(WarehouseError::Storage { path: folder.to_string(), error }),
    }
}

async fn remove(folder: &Location, files: Vec<Path>) -> Result<(), WarehouseError> {
    futures::stream::iter(files)
        .map(|file| async move {
            match folder.store.delete(&file).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(WarehouseError::Storage { path: folder.show(&file), error }),
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Files that a killed writer left half-written on a local disk, which no listing of the store shows: `name#1` of
/// object_store's local store, and `.….tmp` of a log entry that was never named.
async fn unfinished(folder: &Location, vacuum: &Vacuum) -> Result<Vec<DeadFile>, WarehouseError> {
    let Some(local) = folder.local.clone() else { return Ok(Vec::new()) };
    let (before, dry_run) = (std::time::SystemTime::from(vacuum.before), vacuum.dry_run);
    let looked = tokio::task::spawn_blocking(move || {
        let mut found = Vec::new();
        for place in [local.clone(), local.join("_delta_log")] {
            let Ok(entries) = std::fs::read_dir(&place) else { continue };
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let Ok(metadata) = entry.metadata() else { continue };
                let old = metadata.modified().is_ok_and(|modified| modified < before);
                if !metadata.is_file() || !old || !is_unfinished(&name) {
                    continue;
                }
                if !dry_run {
                    std::fs::remove_file(entry.path())?;
                }
                found.push((place.join(&name), metadata.len()));
            }
        }
        Ok::<_, std::io::Error>(found)
    });
    let failed = |error: std::io::Error| WarehouseError::Storage {
        path: folder.to_string(),
        error: object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(error) },
    };
    let found = looked.await.map_err(|error| failed(error.into()))?.map_err(failed)?;
    Ok(found.into_iter().map(|(path, bytes)| DeadFile { path: path.display().to_string(), bytes }).collect())
}

fn is_unfinished(name: &str) -> bool {
    let staged = name.rsplit_once('#').is_some_and(|(file, number)| {
        (file.ends_with(".parquet") || file.ends_with(".json"))
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    staged || (name.starts_with('.') && name.ends_with(".tmp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_writer_leaves_is_known_by_its_name() {
        assert!(is_unfinished("part-00000-a-c000.zstd.parquet#1"));
        assert!(is_unfinished(".6f1c.tmp"));
        for name in ["part-00000-a-c000.zstd.parquet", "00000000000000000000.json", "notes#1", "a.parquet#", ".crc"] {
            assert!(!is_unfinished(name), "{name}");
        }
    }

    #[test]
    fn a_line_of_the_log_names_its_file() {
        assert_eq!(named_file(br#"{"add":{"path":"part%200.parquet"}}"#), Some("part 0.parquet".to_owned()));
        assert_eq!(named_file(br#"{"remove":{"path":"part-1.parquet"}}"#), Some("part-1.parquet".to_owned()));
        assert_eq!(named_file(br#"{"commitInfo":{}}"#), None);
        assert_eq!(named_file(b"no json"), None);
    }
}
