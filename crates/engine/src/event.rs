//! What a run tells while it goes on.

use crate::run_record::{RunRecord, StepRecord};

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
        /// What came of it.
        record: &'a StepRecord,
    },
    /// Something to know that stops nothing.
    Warning {
        /// What.
        message: &'a str,
    },
    /// Something to know that is no cause for worry.
    Note {
        /// What.
        message: &'a str,
    },
    /// The run ended and its record is stored.
    RunFinished {
        /// The record.
        record: &'a RunRecord,
    },
}

/// Hears events; called from several tasks at once, so it must not block for long.
pub trait Observer: Send + Sync {
    /// Called for each event, in order for each step.
    fn event(&self, event: &Event<'_>);
}

/// Several observers that hear the same, one after the other.
pub struct Together(pub Vec<std::sync::Arc<dyn Observer>>);

impl Observer for Together {
    fn event(&self, event: &Event<'_>) {
        self.0.iter().for_each(|observer| observer.event(event));
    }
}

/// Hears nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _event: &Event<'_>) {}
}
