//! Run records: one JSON object a run, created once. The engine decides what they contain.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use serde_json::Value;

use super::error::WarehouseError;
use super::{Warehouse, delta_log, mark};

pub(super) const FOLDER: &str = "_runs";

impl Warehouse {
    /// A run's id: its number, so that ids sort in the order of the runs whatever the clocks of their machines say;
    /// when it began by its machine's clock, for those who read it; and a random end.
    pub fn run_id(number: u64, began: DateTime<Utc>, random: u32) -> String {
        format!("r{number:08}-{}-{random:08x}", began.format("%Y%m%dT%H%M%S%6fZ"))
    }

    /// The number of the next run: one more than that of any run that has a record, or has left its progress.
    ///
    /// # Errors
    /// The store does not list.
    pub async fn next_run_number(&self) -> Result<u64, WarehouseError> {
        let recorded = self.run_ids().await?;
        let unfinished = self.unfinished_runs().await?;
        let newest = recorded.iter().chain(&unfinished).filter_map(|run_id| mark::number(run_id)).max();
        Ok(newest.unwrap_or(0).saturating_add(1))
    }

    /// Stores a run's record.
    ///
    /// # Errors
    ///
    /// [`WarehouseError::RunExists`] when the run has a record: records are never replaced.
    pub async fn write_run(&self, run_id: &str, record: &Value) -> Result<(), WarehouseError> {
        check(run_id)?;
        let file = format!("{run_id}.json");
        let path = self.location().prefix.clone().join(FOLDER).join(file.as_str());
        let bytes = Bytes::from(format!("{record:#}\n"));
        match delta_log::create(self.location(), &path, &[FOLDER, &file], bytes.clone()).await {
            Ok(()) => Ok(()),
            // A lost answer that the client repeated finds its own record.
            Err(object_store::Error::AlreadyExists { .. }) if self.same_run(&path, &bytes).await => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => Err(WarehouseError::RunExists { run_id: run_id.into() }),
            Err(error) => Err(WarehouseError::Storage { path: self.location().show(&path), error }),
        }
    }

    async fn same_run(&self, path: &object_store::path::Path, bytes: &Bytes) -> bool {
        match self.location().store.get(path).await {
            Ok(found) => found.bytes().await.is_ok_and(|found| found == bytes),
            Err(_) => false,
        }
    }

    /// Ids of all runs with a record, newest first. Reads names only.
    pub async fn run_ids(&self) -> Result<Vec<String>, WarehouseError> {
        self.run_ids_with(".json").await
    }

    /// Ids of the runs that have a file with this ending, newest first.
    pub(super) async fn run_ids_with(&self, ending: &str) -> Result<Vec<String>, WarehouseError> {
        let folder = self.location().prefix.clone().join(FOLDER);
        let listed: Result<Vec<_>, _> = self.location().store.list(Some(&folder)).try_collect().await;
        let objects = match listed {
            Ok(objects) => objects,
            Err(object_store::Error::NotFound { .. }) if self.location().is_file() => Vec::new(),
            Err(error) => return Err(WarehouseError::Storage { path: self.location().show(&folder), error }),
        };
        let names = objects.iter().filter_map(|object| object.location.filename()?.strip_suffix(ending));
        let mut ids: Vec<String> = names.filter(|id| check(id).is_ok()).map(ToOwned::to_owned).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        Ok(ids)
    }

    /// One run's record; `None` when there is none.
    pub async fn read_run(&self, run_id: &str) -> Result<Option<Value>, WarehouseError> {
        check(run_id)?;
        let path = self.location().prefix.clone().join(FOLDER).join(format!("{run_id}.json"));
        let read = async { self.location().store.get(&path).await?.bytes().await };
        let bytes = match read.await {
            Ok(bytes) => bytes,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(WarehouseError::Storage { path: self.location().show(&path), error }),
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| WarehouseError::RunRecord { run_id: run_id.into(), error })
    }
}

pub(super) fn check(run_id: &str) -> Result<(), WarehouseError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !run_id.is_empty() && run_id.len() <= 128 && run_id.bytes().all(plain) {
        Ok(())
    } else {
        Err(WarehouseError::RunId { run_id: run_id.into() })
    }
}
