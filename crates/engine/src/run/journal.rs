//! What is recorded of a run while it goes on: events for observers, and progress in the warehouse.

use std::collections::BTreeMap;

use super::made_from::MadeFrom;
use super::work_off::Journal;
use crate::record::events::{Event, Observer};
use crate::record::progress::RunProgress;
use crate::record::step_record::StepRecord;

/// The journal of a run.
pub(crate) struct RunJournal<'a> {
    pub(crate) observer: &'a dyn Observer,
    pub(crate) progress: RunProgress<'a>,
    pub(crate) made_from: MadeFrom,
    /// With `--retry`, why each step runs that was not reused.
    pub(crate) because: BTreeMap<String, String>,
    /// The versions of tables that this run has made or reused so far.
    pub(crate) versions: BTreeMap<String, u64>,
}

impl Journal for RunJournal<'_> {
    async fn ended(&mut self, record: StepRecord) -> StepRecord {
        let record = match record.reused_from {
            Some(_) => record,
            None => StepRecord {
                made_from: self.made_from.of_step(&record.step, |table| self.versions.get(table).copied()),
                rerun_because: self.because.get(&record.step).cloned(),
                ..record
            },
        };
        if let Some(version) = record.version {
            self.versions.insert(record.step.clone(), version);
        }
        self.observer.event(&Event::StepFinished { record: &record });
        self.progress.add(&record).await;
        record
    }

    fn not_run(&mut self, record: &StepRecord) {
        self.observer.event(&Event::StepFinished { record });
    }
}
