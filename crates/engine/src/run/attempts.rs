//! The runs of a pipeline since the last one in which every step was done.

use throughline_lake::Warehouse;

use crate::failure::EngineError;
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
    /// Only for the run that holds the pipeline: a run that has not ended by then has lost it.
    pub(crate) async fn of(warehouse: &Warehouse, pipeline: &str) -> Result<Self, EngineError> {
        let mut attempts = Self::default();
        for run_id in warehouse.run_ids().await? {
            // A record that cannot be read, whether another version of the program wrote it, it is damaged or the store
            // fails, is passed over without a word: nothing is reused of that run, and older records are looked at.
            let Ok(Some(record)) = read_record(warehouse, &run_id).await else { continue };
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
            let Ok(record) = serde_json::from_value::<RunRecord>(progress) else { continue };
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
