//! What a run has done so far, stored as its steps finish: a run that is killed leaves it in place of a record.

use throughline_lake::Warehouse;

use super::events::{Event, Observer};
use super::run_record::RunRecord;
use super::step_record::StepRecord;
use crate::failure::EngineError;

/// The record of a run that is under way.
pub(crate) struct RunProgress<'a> {
    warehouse: &'a Warehouse,
    observer: &'a dyn Observer,
    record: RunRecord,
    warned: bool,
}

impl<'a> RunProgress<'a> {
    /// Stores that a run begins. `record` says that it was interrupted, which holds until there is another one.
    pub(crate) async fn begin(
        warehouse: &'a Warehouse,
        observer: &'a dyn Observer,
        record: RunRecord,
    ) -> Result<Self, EngineError> {
        let progress = Self { warehouse, observer, record, warned: false };
        progress.store().await?;
        Ok(progress)
    }

    /// Adds a step that finished. Stored when it published something or failed: the others cost little to run again.
    pub(crate) async fn add(&mut self, step: &StepRecord) {
        self.record.steps.push(step.clone());
        if step.version.is_none() && step.error.is_none() {
            return;
        }
        if let Err(error) = self.store().await
            && !self.warned
        {
            self.warned = true;
            let message = format!("what is done so far cannot be stored, so --retry would not know of it: {error}");
            self.observer.event(&Event::Warning { message: &message });
        }
    }

    async fn store(&self) -> Result<(), EngineError> {
        let value = serde_json::to_value(&self.record)
            .map_err(|error| EngineError::unexpected("the run's progress cannot be written", error))?;
        Ok(self.warehouse.write_progress(&self.record.run_id, &value).await?)
    }
}
