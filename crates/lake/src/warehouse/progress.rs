//! What a run has done so far, in case it is killed: written as its steps finish, and removed once its record is there.
//! Never read as a finished run.

use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::Value;

use super::error::WarehouseError;
use super::runs::{FOLDER, check};
use super::{Warehouse, durable};

const ENDING: &str = ".partial.json";

impl Warehouse {
    /// Stores what a run has done so far, in place of what was stored before.
    pub async fn write_progress(&self, run_id: &str, progress: &Value) -> Result<(), WarehouseError> {
        check(run_id)?;
        let bytes = Bytes::from(format!("{progress:#}\n"));
        let path = self.progress_path(run_id);
        let written = match &self.location().local {
            Some(local) => {
                let target = local.join(FOLDER).join(format!("{run_id}{ENDING}"));
                let replaced = tokio::task::spawn_blocking(move || durable::replace(&target, &bytes)).await;
                replaced
                    .unwrap_or_else(|error| Err(error.into()))
                    .map_err(|error| object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(error) })
            }
            None => self.location().store.put(&path, bytes.into()).await.map(|_| ()),
        };
        written.map_err(|error| WarehouseError::Storage { path: self.location().show(&path), error })
    }

    /// Removes it; one that is not there is fine.
    pub async fn remove_progress(&self, run_id: &str) -> Result<(), WarehouseError> {
        check(run_id)?;
        let path = self.progress_path(run_id);
        match self.location().store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(WarehouseError::Storage { path: self.location().show(&path), error }),
        }
    }

    /// Runs that left their progress and no record, newest first: still at work, or killed. Reads names only.
    pub async fn unfinished_runs(&self) -> Result<Vec<String>, WarehouseError> {
        self.run_ids_with(ENDING).await
    }

    /// What a run had done; `None` when nothing is there.
    ///
    /// # Errors
    /// The store fails, or what is there is damaged ([`WarehouseError::Progress`]).
    pub async fn read_progress(&self, run_id: &str) -> Result<Option<Value>, WarehouseError> {
        check(run_id)?;
        let path = self.progress_path(run_id);
        let read = async { self.location().store.get(&path).await?.bytes().await };
        match read.await {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| WarehouseError::Progress { run_id: run_id.to_owned(), error }),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(WarehouseError::Storage { path: self.location().show(&path), error }),
        }
    }

    fn progress_path(&self, run_id: &str) -> Path {
        self.location().prefix.clone().join(FOLDER).join(format!("{run_id}{ENDING}"))
    }
}
