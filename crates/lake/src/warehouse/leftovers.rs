//! Files that runs staged and never published: which are certainly of no use, and their removal.
//!
//! A staged file's name holds the mark of its commit, and the mark begins with the run's own eight digits. So a run can
//! distinguish the files of runs that ended from those of runs at work, of this pipeline or of others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;
use object_store::ObjectMeta;
use object_store::path::Path;
use serde_json::Value;
use uuid::Uuid;

use super::data_writer;
use super::error::WarehouseError;
use super::mark::{began, digits, mark, run_of};
use super::runs::FOLDER as RUNS;
use super::{Warehouse, delta_log, durable};
use crate::stores::Location;

/// How far the clocks of two machines may be apart.
const CLOCKS_APART: TimeDelta = TimeDelta::days(1);

impl Warehouse {
    /// The same warehouse, where the names of staged files contain the run's digits.
    #[must_use]
    pub fn of_run(&self, run_id: &str) -> Self {
        Self { run: digits(run_id), ..self.clone() }
    }

    /// Removes the files that these runs staged for `table` and did not publish; how many were removed.
    ///
    /// The runs must have ended or lost their lease, and no commit of theirs may still arrive: after the caller has
    /// committed to the table itself, a commit that was under way before finds its version taken, for good. On a local
    /// disk also what was left in the middle of a write `before` an instant.
    ///
    /// # Errors
    ///
    /// An error of the store. A file whose commit cannot be ruled out stays.
    pub async fn remove_leftovers(
        &self,
        table: &str,
        runs: &[String],
        before: SystemTime,
    ) -> Result<usize, WarehouseError> {
        let folder = self.folder(table)?;
        let failed = |error| WarehouseError::Storage { path: folder.to_string(), error };
        let ended: BTreeMap<u32, &String> = runs.iter().filter_map(|run| Some((digits(run)?, run))).collect();
        let mut left: BTreeMap<Uuid, Vec<String>> = BTreeMap::new();
        for name in names(&folder).await.map_err(failed)? {
            if let Some(mark) = mark(&name).filter(|mark| ended.contains_key(&run_of(*mark))) {
                left.entry(mark).or_default().push(name);
            }
        }
        let oldest = left.keys().filter_map(|mark| began(ended.get(&run_of(*mark))?)).min();
        let mut removed = 0;
        if let Some(oldest) = oldest
            && let Some(published) = published_since(&folder, oldest).await.map_err(failed)?
        {
            let files = left.into_iter().filter(|(mark, _)| !published.contains(mark)).flat_map(|(_, names)| names);
            let files: Vec<String> = files.collect();
            removed += files.len();
            remove(&folder, &files).await.map_err(failed)?;
        }
        if let Some(local) = &folder.local {
            removed += durable::remove_unfinished(&local.join("_delta_log"), before).unwrap_or(0);
        }
        Ok(removed)
    }

    /// Removes what was left in the middle of writing a run's record before an instant. Only a local disk shows such.
    pub fn remove_unfinished_records(&self, before: SystemTime) {
        if let Some(local) = &self.location().local {
            // What cannot be removed is tried again by the next run.
            let _ = durable::remove_unfinished(&local.join(RUNS), before);
        }
    }
}

/// Names of the files in a folder. On a local disk also of those that were not finished, which a store does not list.
async fn names(folder: &Location) -> object_store::Result<Vec<String>> {
    if let Some(local) = &folder.local {
        let entries = match std::fs::read_dir(local) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(error) });
            }
        };
        return Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect());
    }
    let listed = folder.store.list_with_delimiter(Some(&folder.prefix)).await?;
    Ok(listed.objects.iter().filter_map(|object| object.location.filename().map(ToOwned::to_owned)).collect())
}

/// Marks of all commits, and of the files they name, since an instant; `None` when an entry is missing, so that a
/// commit cannot be ruled out.
async fn published_since(table: &Location, instant: DateTime<Utc>) -> object_store::Result<Option<BTreeSet<Uuid>>> {
    let folder = table.prefix.clone().join("_delta_log");
    let objects: Vec<ObjectMeta> = match table.store.list(Some(&folder)).try_collect().await {
        Err(object_store::Error::NotFound { .. }) if table.is_file() => Vec::new(),
        listed => listed?,
    };
    let entries = objects.iter().filter_map(|object| object.location.filename()?.strip_suffix(".json")?.parse().ok());
    let Some(newest) = entries.max() else {
        let none_yet = !objects.iter().filter_map(|object| object.location.filename()).any(delta_log::names_a_version);
        return Ok(none_yet.then(BTreeSet::new));
    };
    let mut marks = BTreeSet::new();
    let mut version: u64 = newest;
    loop {
        let Some(actions) = delta_log::entry(table, version).await? else { return Ok(None) };
        let mut at = None;
        for action in &actions {
            let text = |pointer: &str| action.pointer(pointer).and_then(Value::as_str);
            marks.extend(text("/commitInfo/commitId").and_then(|mark| Uuid::try_parse(mark).ok()));
            marks.extend(text("/add/path").and_then(|path| mark(path.rsplit('/').next()?)));
            let stamp = action.pointer("/commitInfo/timestamp").and_then(Value::as_i64);
            at = at.or(stamp.and_then(DateTime::from_timestamp_millis));
        }
        if version == 0 || at.is_some_and(|at| at + CLOCKS_APART < instant) {
            return Ok(Some(marks));
        }
        version -= 1;
    }
}

async fn remove(folder: &Location, names: &[String]) -> object_store::Result<()> {
    if let Some(local) = &folder.local {
        for name in names {
            match std::fs::remove_file(local.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(error) });
                }
                _ => {}
            }
        }
        return Ok(());
    }
    let paths: Vec<Path> = names.iter().map(|name| folder.prefix.clone().join(name.as_str())).collect();
    data_writer::remove(folder, paths.into_iter()).await
}
