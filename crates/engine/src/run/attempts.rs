//! The runs of a pipeline since the last one in which every step was done.

use std::fmt::Display;

use throughline_lake::Warehouse;

use crate::failure::EngineError;
use crate::record::events::{Event, Observer};
use crate::record::run_record::{RunRecord, RunStatus};
use crate::record::stored::read_record;

/// The runs of a pipeline since the last one in which every step was done.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// The newest run, done or not.
    pub(crate) last: Option<RunRecord>,
    /// Runs that ended otherwise: failed, interrupted, killed.
    pub(crate) ended: Vec<String>,
    /// Runs that were killed: they left their progress.
    pub(crate) killed: Vec<String>,
}

impl Attempts {
    /// Only for the run that holds the pipeline: a run that has not ended by then has lost it. A run whose record
    /// cannot be read is reported and left out: nothing of it is reused.
    pub(crate) async fn of(
        warehouse: &Warehouse,
        pipeline: &str,
        observer: &dyn Observer,
    ) -> Result<Self, EngineError> {
        let left_out = |run_id: &str, error: &dyn Display| {
            let message = format!("run {run_id} is left out, since what it recorded cannot be read: {error}");
            observer.event(&Event::Warning { message: &message });
        };
        let mut attempts = Self::default();
        for run_id in warehouse.run_ids().await? {
            let record = match read_record(warehouse, &run_id).await {
                Ok(Some(record)) => record,
                Ok(None) => continue,
                Err(error) => {
                    left_out(&run_id, &error);
                    continue;
                }
            };
            if record.pipeline != pipeline {
                continue;
            }
            let is_done = record.status == RunStatus::Done;
            attempts.last.get_or_insert(record);
            if is_done {
                break;
            }
            attempts.ended.push(run_id);
        }
        for run_id in warehouse.unfinished_runs().await? {
            let Some(progress) = warehouse.read_progress(&run_id).await? else { continue };
            let record = match serde_json::from_value::<RunRecord>(progress) {
                Ok(record) => record,
                Err(error) => {
                    left_out(&run_id, &error);
                    continue;
                }
            };
            if record.pipeline != pipeline {
                continue;
            }
            if attempts.last.as_ref().is_none_or(|last| last.run_id < run_id) {
                attempts.last = Some(record);
            }
            attempts.ended.push(run_id.clone());
            attempts.killed.push(run_id);
        }
        attempts.ended.sort_unstable();
        attempts.ended.dedup();
        Ok(attempts)
    }
}
