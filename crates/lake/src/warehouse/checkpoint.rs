//! Checkpoints: one file that sums up a table's log so far, so that a log of thousands of entries is quick to open.
//!
//! A torn or wrong checkpoint would keep every reader from the table, so it is never written on the way of a commit, it
//! is read back at once, and removed when the table does not read as before. The entries stay.

use std::collections::BTreeSet;

use deltalake::DeltaTable;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use serde_json::Value;

use super::Warehouse;
use super::delta_log;
use super::error::WarehouseError;
use crate::stores::Location;

/// A checkpoint that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The table.
    pub table: String,
    /// What came of it.
    pub outcome: CheckpointOutcome,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckpointOutcome {
    /// Written, read back and found to say what the log says.
    Written {
        /// The version it sums up.
        version: u64,
    },
    /// Few entries have come since the last one.
    NotNeeded,
    /// It could not be made or did not read back; what was written of it is removed, and the table is as it was.
    Failed {
        /// Why.
        reason: String,
    },
}

impl Warehouse {
    /// Writes a checkpoint of a table's newest version once its log has this many entries since the last one.
    ///
    /// # Errors
    ///
    /// The log cannot be read as it is. That a checkpoint cannot be written is no error but an outcome.
    pub async fn checkpoint(&self, table: &str, entries: u64) -> Result<Checkpoint, WarehouseError> {
        let folder = self.folder(table)?;
        let done = |outcome| Ok(Checkpoint { table: table.to_owned(), outcome });
        let Some((newest, last)) = versions(&folder).await? else { return done(CheckpointOutcome::NotNeeded) };
        let since = last.map_or(newest + 1, |last| newest.saturating_sub(last));
        if since < entries {
            return done(CheckpointOutcome::NotNeeded);
        }
        let failed = |error| WarehouseError::Log { table: table.to_owned(), error: Box::new(error) };
        let before = delta_log::load(&folder, None).await.map_err(failed)?;
        let expected = Contents::of(&before).map_err(failed)?;
        let written = deltalake::checkpoints::create_checkpoint(&before, None).await;
        let read_back = match written {
            Ok(()) => delta_log::load(&folder, Some(expected.version)).await.and_then(|table| Contents::of(&table)),
            Err(error) => Err(error),
        };
        let reason = match read_back {
            Ok(found) if found == expected => {
                return done(CheckpointOutcome::Written { version: expected.version });
            }
            Ok(_) => "read back, it says something else than the log".to_owned(),
            Err(error) => error.to_string(),
        };
        take_back(&folder, expected.version).await?;
        done(CheckpointOutcome::Failed { reason })
    }
}

/// What a version holds, as readers see it.
#[derive(Debug, PartialEq)]
struct Contents {
    version: u64,
    files: BTreeSet<(String, i64, Option<usize>)>,
    schema: Value,
    description: Option<String>,
}

impl Contents {
    fn of(table: &DeltaTable) -> deltalake::DeltaResult<Self> {
        let snapshot = table.snapshot()?;
        let data = snapshot.log_data();
        Ok(Self {
            version: snapshot.version(),
            files: data
                .iter()
                .map(|file| (file.object_store_path().to_string(), file.size(), file.num_records()))
                .collect(),
            schema: serde_json::to_value(snapshot.schema().as_ref())?,
            description: snapshot.metadata().description().map(ToOwned::to_owned),
        })
    }
}

/// The newest entry's version and the newest checkpoint's; `None` without an entry.
async fn versions(folder: &Location) -> Result<Option<(u64, Option<u64>)>, WarehouseError> {
    let log = folder.prefix.clone().join("_delta_log");
    let listed: Result<Vec<_>, _> = folder.store.list(Some(&log)).try_collect().await;
    let objects = match listed {
        Ok(objects) => objects,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(WarehouseError::Storage { path: folder.show(&log), error }),
    };
    let of_kind = |ending: &str| {
        let names = objects.iter().filter_map(|object| object.location.filename());
        names
            .filter_map(|name| name.split_once('.').filter(|(_, rest)| rest.starts_with(ending))?.0.parse::<u64>().ok())
            .max()
    };
    Ok(of_kind("json").map(|newest| (newest, of_kind("checkpoint"))))
}

/// Removes a checkpoint and the hint to it. Readers then find the one before, or read the entries.
async fn take_back(folder: &Location, version: u64) -> Result<(), WarehouseError> {
    let log = folder.prefix.clone().join("_delta_log");
    for name in ["_last_checkpoint".to_owned(), format!("{version:020}.checkpoint.parquet")] {
        let path = log.clone().join(name.as_str());
        match folder.store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(WarehouseError::Storage { path: folder.show(&path), error }),
        }
    }
    Ok(())
}
