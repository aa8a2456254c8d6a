//! Planning within limits: for a limited time, at a place of its own, and with constants of a limited size.
//!
//! Planning is work without a pause, and some of it computes: `repeat('x', 1000000)` becomes a text of a megabyte
//! before a row is read. It therefore runs on a thread for such work, so that the connections' tasks go on, and its
//! rules (`interruptible`) and the functions that make texts (`functions`) ask in between whether it may go on. What
//! they ask is kept for the task that plans; what runs later knows nothing of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use datafusion::error::{DataFusionError, Result};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, sqlstate};

tokio::task_local! {
    static BUDGET: Arc<Budget>;
}

/// What one planning may use.
#[derive(Debug)]
pub(crate) struct Budget {
    deadline: Instant,
    /// What it is refused with after that.
    late: Failure,
    no_longer: CancellationToken,
    /// Bytes that its constants may have together, and what they have.
    most: usize,
    made: AtomicUsize,
}

impl Budget {
    /// Of so much time, after which the planning is refused with `late`, and of so many bytes.
    pub(crate) fn new(limit: Duration, late: Failure, most: usize, no_longer: CancellationToken) -> Arc<Self> {
        Arc::new(Self { deadline: Instant::now() + limit, late, no_longer, most, made: AtomicUsize::new(0) })
    }

    /// Fails when the planning may not go on.
    fn verdict(&self) -> Result<(), Failure> {
        if self.no_longer.is_cancelled() {
            return Err(Failure::new(sqlstate::CANCELED, "nobody waits for the rows"));
        }
        if Instant::now() >= self.deadline {
            return Err(self.late.clone());
        }
        if self.made.load(Ordering::Relaxed) > self.most {
            return Err(too_large(self.most));
        }
        Ok(())
    }
}

/// What a query is refused with whose planning takes too long.
pub(crate) fn too_long(limit: Duration) -> Failure {
    let message = format!("canceled: planning the query took longer than {} s", limit.as_secs_f64());
    Failure::new(sqlstate::CANCELED, message)
        .hint("write fewer conditions or joins, or start the endpoint with a higher --planning-timeout")
}

/// What a query is refused with whose constants are too large.
pub(crate) fn too_large(most: usize) -> Failure {
    let message = format!("the constants of the query would have more than {} MiB", most.div_ceil(1 << 20));
    Failure::new(sqlstate::TOO_LONG, message)
        .hint("make shorter texts, or start the endpoint with a higher --max-constants")
}

/// Runs a planning under a budget. What failed inside without a word, as constants do that cannot be computed, is
/// reported at the end.
pub(crate) async fn within<T>(
    budget: Arc<Budget>,
    planning: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let planned = BUDGET.scope(Arc::clone(&budget), planning).await;
    budget.verdict()?;
    planned
}

/// Fails when the planning that asks may not go on. Nothing else is ever stopped.
pub(crate) fn go_on() -> Result<()> {
    BUDGET.try_with(|budget| budget.verdict()).unwrap_or(Ok(())).map_err(external)
}

/// Counts bytes that a constant is about to have, and fails when there are too many. Outside of planning nothing is
/// counted.
pub(crate) fn make(bytes: usize) -> Result<()> {
    let counted = BUDGET.try_with(|budget| {
        // It never wraps around: what is counted at a time is bounded far below.
        budget.made.fetch_add(bytes.min(usize::MAX / 4_096), Ordering::Relaxed);
        budget.verdict()
    });
    counted.unwrap_or(Ok(())).map_err(external)
}

fn external(failure: Failure) -> DataFusionError {
    DataFusionError::External(Box::new(failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_budget_ends_by_time_by_size_and_by_request() {
        let budget = |limit, most| {
            let limit = Duration::from_millis(limit);
            Budget::new(limit, too_long(limit), most, CancellationToken::new())
        };
        let made = within(budget(60_000, 100), async { Ok((make(60).is_ok(), make(60).is_ok())) }).await;
        // The second was refused, and that is not forgotten.
        assert_eq!(made.unwrap_err().code, sqlstate::TOO_LONG);
        let late = within(budget(0, 100), async { Ok(go_on().is_ok()) }).await;
        assert_eq!(late.unwrap_err().code, sqlstate::CANCELED);
        let unwanted = budget(60_000, 100);
        unwanted.no_longer.cancel();
        assert_eq!(within(unwanted, async { Ok(()) }).await.unwrap_err().code, sqlstate::CANCELED);
        assert!(within(budget(60_000, 100), async { Ok(make(100).is_ok()) }).await.unwrap());
        assert!(make(usize::MAX).is_ok() && go_on().is_ok(), "outside of planning nothing is counted");
    }
}
