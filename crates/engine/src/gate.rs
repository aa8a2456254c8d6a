//! The one way to publish: every commit of a run passes here.
//!
//! Before a commit the run makes sure that it has not been asked to stop and still holds its pipeline; after it, what
//! ended runs had staged for the table can no longer be published, and is removed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use throughline_lake::{CommitDetails, Committed, Lease, StagedTable, Warehouse, WarehouseError};
use tokio::sync::RwLock;

use crate::event::Event;
use crate::failure::EngineError;
use crate::publish::Execution;
use crate::stop::Stop;

/// Time in which writes that were given up come to an end.
const SETTLES_AFTER: Duration = Duration::from_millis(150);

/// What stands between staged rows and their publication.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    stop: Stop,
    /// `None` for those who only look.
    lease: Option<Lease>,
    /// Runs of this pipeline that ended without being done; what they staged is of no use.
    ended: Vec<String>,
    /// Read while a commit is under way.
    commits: RwLock<()>,
    /// Tables with a commit of this run that may still arrive.
    unsettled: Mutex<BTreeSet<String>>,
    /// Another run has taken over.
    lost: AtomicBool,
    since: Option<SystemTime>,
}

impl Gate {
    pub(crate) fn new(stop: Stop, lease: Lease, ended: Vec<String>) -> Self {
        Self { stop, lease: Some(lease), ended, since: Some(SystemTime::now()), ..Self::default() }
    }

    /// Returns when the run was asked to stop and no commit is under way.
    pub(crate) async fn stopped(&self) {
        self.stop.asked().await;
        drop(self.commits.write().await);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_asked()
    }

    /// Whether nothing more can be published.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_stopped() || self.lost.load(Ordering::Relaxed)
    }

    /// Makes sure that the run still holds its pipeline: asked before each commit, and before the record of a run whose
    /// steps are all done, because that record makes their tables the ones that are read.
    pub(crate) async fn confirm(&self) -> Result<(), EngineError> {
        let Some(lease) = &self.lease else {
            return Err(EngineError::failed("this command only looks, it publishes nothing", ""));
        };
        lease.confirm().await.map_err(|error| {
            self.lost.fetch_or(error.is_held(), Ordering::Relaxed);
            error.into()
        })
    }

    /// Gives the pipeline back.
    pub(crate) async fn release(self) {
        if let Some(lease) = self.lease {
            lease.release().await;
        }
    }
}

impl Execution {
    /// Publishes staged rows in one commit.
    pub(crate) async fn publish(
        &self,
        staged: &StagedTable,
        details: &CommitDetails,
    ) -> Result<Committed, EngineError> {
        let _under_way = self.gate.commits.read().await;
        if self.gate.is_stopped() {
            return Err(EngineError::interrupted());
        }
        if let Err(error) = self.gate.confirm().await {
            let _ = staged.discard().await;
            return Err(error);
        }
        match staged.commit(details).await {
            Ok(committed) => {
                self.remove_leftovers(staged.name()).await;
                Ok(committed)
            }
            Err(error) => {
                if matches!(error, WarehouseError::Unknown { .. }) {
                    self.unsettled().insert(staged.name().to_owned());
                } else {
                    // The rows stay unnamed for good. What cannot be removed now is left to a later run.
                    let _ = staged.discard().await;
                }
                Err(error.into())
            }
        }
    }

    /// Removes what ended runs staged for a table that this run has just committed to: their commits can no longer
    /// arrive, because the version that they would create is taken.
    async fn remove_leftovers(&self, table: &str) {
        if self.gate.ended.is_empty() {
            return;
        }
        let since = self.gate.since.unwrap_or(SystemTime::UNIX_EPOCH);
        if let Err(error) = self.warehouse.remove_leftovers(table, &self.gate.ended, since).await {
            let message = format!("what a killed run left of `{table}` could not be removed: {error}");
            self.observer.event(&Event::Warning { message: &message });
        }
    }

    /// After an interruption: removes what this run staged and did not publish.
    pub(crate) async fn remove_own(&self, tables: impl Iterator<Item = String>) {
        let unsettled = self.unsettled().clone();
        let tables: Vec<String> = tables.filter(|table| !unsettled.contains(table)).collect();
        // Writes on other threads end after those who waited for them.
        for _ in 0..2 {
            tokio::time::sleep(SETTLES_AFTER).await;
            for table in &tables {
                let own = std::slice::from_ref(&self.run_id);
                // What cannot be removed now is left to the next run.
                let _ = self.warehouse.remove_leftovers(table, own, SystemTime::now()).await;
            }
        }
    }

    fn unsettled(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.gate.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins the name of a lease that is a snapshot's and no pipeline's, whose names have no `-`.
const SNAPSHOT: &str = "snapshot-";

/// Holder of a lease that is held by a vacuum.
pub(crate) const VACUUM: &str = "vacuum";

/// The name of a snapshot's lease, which is its holder's too.
pub(crate) fn snapshot_lease(name: &str) -> String {
    format!("{SNAPSHOT}{name}")
}

/// Takes a pipeline, or what is named like one, for a run.
pub(crate) async fn hold(
    warehouse: &Warehouse,
    name: &str,
    run_id: &str,
    lasts: Duration,
) -> Result<Lease, EngineError> {
    warehouse.lease(name, run_id, lasts).await.map_err(|error| match &error {
        WarehouseError::Held { pipeline, holder, .. } => {
            let message = match (pipeline.strip_prefix(SNAPSHOT), holder.run_id.as_str()) {
                (Some(snapshot), by) if by != VACUUM => format!(
                    "the snapshot {snapshot} is being made on host {} (pid {}) since {}",
                    holder.host, holder.pid, holder.since
                ),
                _ => error.to_string(),
            };
            EngineError::Held { message: format!("{message}; nothing ran"), help: error.help() }
        }
        _ => error.into(),
    })
}
