//! Progress of a step, and steps that make none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::physical_plan::ExecutionPlan;

use crate::failure::EngineError;
use crate::record::events::{Event, Observer};
use crate::record::usage::StepUsage;

/// How often progress is reported.
const REPORTED_EVERY: Duration = Duration::from_millis(200);

/// A step in which no operator computes and no row moves for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(600);

/// Reports progress until it is dropped, because the step has ended; returns only when the plan is stuck. Operators
/// that wait for each other's memory can block for good (seen with DataFusion 55 where an exchange spills below a
/// join), and a nightly run that fails is better than one that never ends.
pub(crate) async fn watch(step: &str, physical: &Arc<dyn ExecutionPlan>, observer: &dyn Observer) -> EngineError {
    let mut activity = StepUsage::activity(physical);
    let mut active = Instant::now();
    while active.elapsed() < STUCK_AFTER {
        tokio::time::sleep(REPORTED_EVERY).await;
        let rows = StepUsage::of(physical).rows_read;
        observer.event(&Event::StepProgress { step, rows });
        let now = StepUsage::activity(physical);
        if now != activity {
            (activity, active) = (now, Instant::now());
        }
    }
    EngineError::Stuck { step: step.to_owned(), minutes: STUCK_AFTER.as_secs() / 60 }
}
