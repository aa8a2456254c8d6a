//! Turns the events of a run into OpenLineage's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use throughline_engine::{Event, Observer, Prepared, RunStatus, StepStatus};
use throughline_plan::ColumnLineage;

use crate::delivery::{Delivered, Delivery};
use crate::events::{Events, State};
use crate::failure::LineageError;
use crate::options::LineageOptions;

/// Turns a run's events into OpenLineage's.
pub struct LineageObserver {
    events: Events,
    run: Mutex<Option<Running>>,
    delivery: Mutex<Option<Delivery>>,
}

/// The run that goes on, and when its steps began.
struct Running {
    run_id: String,
    began: DateTime<Utc>,
    steps: BTreeMap<String, DateTime<Utc>>,
}

impl LineageObserver {
    /// Traces the lineage of every column and opens the target.
    ///
    /// # Errors
    /// The file cannot be opened, or the address is none. What becomes of single events later, [`Self::finish`]
    /// returns.
    pub async fn new(prepared: &Arc<Prepared>, options: LineageOptions) -> Result<Self, LineageError> {
        let columns: BTreeMap<String, ColumnLineage> = prepared.lineage().await?.models.into_iter().collect();
        let delivery = Delivery::start(&options.target)?;
        let events = Events::new(Arc::clone(prepared), columns, options);
        Ok(Self { events, run: Mutex::default(), delivery: Mutex::new(Some(delivery)) })
    }

    /// Waits for the events under way, for some seconds at most, and says what became of them. A run that is not over
    /// by now was interrupted.
    pub fn finish(&self) -> Delivered {
        let running = self.run.lock().ok().and_then(|mut running| running.take());
        if let Some(running) = running {
            let now = Utc::now();
            for step in running.steps.keys() {
                self.send(self.events.step(State::Abort, &running.run_id, running.began, now, step, None));
            }
            self.send(self.events.run(State::Abort, &running.run_id, running.began, now, None));
        }
        let delivery = self.delivery.lock().ok().and_then(|mut delivery| delivery.take());
        delivery.map_or_else(Delivered::default, Delivery::finish)
    }

    fn send(&self, event: serde_json::Value) {
        if let Ok(delivery) = self.delivery.lock()
            && let Some(delivery) = delivery.as_ref()
        {
            delivery.send(event);
        }
    }
}

impl Observer for LineageObserver {
    fn event(&self, event: &Event<'_>) {
        let now = Utc::now();
        let Ok(mut running) = self.run.lock() else { return };
        match event {
            Event::RunStarted { run_id, .. } => {
                self.send(self.events.run(State::Start, run_id, now, now, None));
                *running = Some(Running { run_id: (*run_id).to_owned(), began: now, steps: BTreeMap::new() });
            }
            Event::StepStarted { step } => {
                let Some(running) = running.as_mut() else { return };
                self.send(self.events.step(State::Start, &running.run_id, running.began, now, step, None));
                running.steps.insert((*step).to_owned(), now);
            }
            Event::StepFinished { record } => {
                let Some(running) = running.as_mut() else { return };
                // A step that did not run was never started.
                let Some(step_began) = running.steps.remove(&record.step) else { return };
                let state = match record.status {
                    StepStatus::Failed | StepStatus::TestsFailed => State::Fail,
                    StepStatus::Done | StepStatus::NotRun => State::Complete,
                };
                let (run_id, began) = (running.run_id.as_str(), running.began);
                if !record.tests.is_empty() {
                    self.send(self.events.tests(State::Start, run_id, began, step_began, record));
                    let failed = record.tests.iter().any(|test| !test.passed && test.severity == "error");
                    let state = if failed { State::Fail } else { State::Complete };
                    self.send(self.events.tests(state, run_id, began, now, record));
                }
                self.send(self.events.step(state, run_id, began, now, &record.step, Some(record)));
            }
            Event::RunFinished { record } => {
                let Some(finished) = running.take() else { return };
                let state = match record.status {
                    RunStatus::Done => State::Complete,
                    RunStatus::Interrupted => State::Abort,
                    RunStatus::Failed | RunStatus::TestsFailed | RunStatus::Held => State::Fail,
                };
                self.send(self.events.run(state, &finished.run_id, finished.began, now, Some(record)));
            }
            _ => {}
        }
    }
}
