//! Files that runs staged and did not publish.

use std::time::{Duration, SystemTime};

use throughline_lake::Warehouse;

use crate::record::events::{Event, Observer};

/// Time in which writes that were given up come to an end.
pub(crate) const WRITES_END_WITHIN: Duration = Duration::from_millis(150);

/// What earlier runs of the pipeline left in the warehouse.
pub(crate) struct Leftovers {
    /// Runs that ended without being done: what they staged is of no use.
    ended: Vec<String>,
    /// When this run began.
    since: SystemTime,
}

impl Leftovers {
    pub(crate) fn of(ended: Vec<String>) -> Self {
        Self { ended, since: SystemTime::now() }
    }

    /// Removes what ended runs staged for a table that this run has just committed to: their commits can no longer
    /// arrive, because the version that they would create is taken.
    pub(crate) async fn remove(&self, table: &str, warehouse: &Warehouse, observer: &dyn Observer) {
        if self.ended.is_empty() {
            return;
        }
        if let Err(error) = warehouse.remove_leftovers(table, &self.ended, self.since).await {
            let message = format!("what a killed run left of `{table}` could not be removed: {error}");
            observer.event(&Event::Warning { message: &message });
        }
    }
}

/// Removes what a run that was interrupted staged for these tables.
pub(crate) async fn remove_own(run_id: &str, tables: &[String], warehouse: &Warehouse) {
    let own = [run_id.to_owned()];
    // Writes on other threads end after those who waited for them.
    for _ in 0..2 {
        tokio::time::sleep(WRITES_END_WITHIN).await;
        for table in tables {
            // What cannot be removed now is left to the next run.
            let _ = warehouse.remove_leftovers(table, &own, SystemTime::now()).await;
        }
    }
}
