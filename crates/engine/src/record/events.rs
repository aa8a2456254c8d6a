//! What a run reports while it goes on.

use std::sync::Arc;

use super::run_record::RunRecord;
use super::step_record::StepRecord;

/// One thing that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The run begins with these steps, in the plan's order.
    RunStarted {
        /// The run's id.
        run_id: &'a str,
        /// Names of the steps that will run.
        steps: &'a [String],
    },
    /// A step begins.
    StepStarted {
        /// Its name.
        step: &'a str,
    },
    /// A step has read this many rows so far.
    StepProgress {
        /// Its name.
        step: &'a str,
        /// Rows read by its scans.
        rows: u64,
    },
    /// A step ended, well or not.
    StepFinished {
        /// Its record.
        record: &'a StepRecord,
    },
    /// Something a person should know; the run goes on.
    Warning {
        /// What happened, in words.
        message: &'a str,
    },
    /// Something good to know that is no cause for worry.
    Note {
        /// What happened, in words.
        message: &'a str,
    },
    /// The run ended and its record is stored.
    RunFinished {
        /// The record.
        record: &'a RunRecord,
    },
}

/// Receives events; called from several tasks at once, so it must not block for long.
pub trait Observer: Send + Sync {
    /// Called for each event, in order for each step.
    fn event(&self, event: &Event<'_>);
}

/// Passes each event on to several observers, one after the other.
pub struct Observers(pub Vec<Arc<dyn Observer>>);

impl Observer for Observers {
    fn event(&self, event: &Event<'_>) {
        self.0.iter().for_each(|observer| observer.event(event));
    }
}

/// Ignores events.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _event: &Event<'_>) {}
}
