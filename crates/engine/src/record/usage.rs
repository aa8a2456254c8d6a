//! What executing plans cost: rows, bytes, spills, memory.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use serde::{Deserialize, Serialize};

/// What the plans that a step executed cost, by their own metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepUsage {
    /// Rows that came out of the step's scans.
    pub rows_read: u64,
    /// Bytes its scans read from storage.
    pub bytes_read: u64,
    /// Bytes its operators spilled.
    pub bytes_spilled: u64,
}

impl StepUsage {
    /// Sums the metrics of a plan, also while it still runs.
    pub fn of(plan: &Arc<dyn ExecutionPlan>) -> Self {
        let mut usage = Self::default();
        usage.add(plan);
        usage
    }

    /// A number that changes while any operator of a running plan computes, passes on rows or spills.
    pub(crate) fn activity(plan: &Arc<dyn ExecutionPlan>) -> u64 {
        let own = plan.metrics().map_or(0, |metrics| {
            let parts = [metrics.output_rows(), metrics.elapsed_compute(), metrics.spilled_bytes()];
            parts.into_iter().flatten().map(|part| part as u64).sum()
        });
        plan.children().into_iter().map(Self::activity).fold(own, u64::wrapping_add)
    }

    /// Adds what another part of the step cost.
    pub(crate) fn add_usage(&mut self, other: Self) {
        self.rows_read += other.rows_read;
        self.bytes_read += other.bytes_read;
        self.bytes_spilled += other.bytes_spilled;
    }

    fn add(&mut self, plan: &Arc<dyn ExecutionPlan>) {
        let metrics = plan.metrics();
        let children = plan.children();
        if let Some(metrics) = metrics {
            if children.is_empty() {
                self.rows_read += metrics.output_rows().unwrap_or(0) as u64;
                let scanned = metrics.sum_by_name("bytes_scanned").map_or(0, |value| value.as_usize());
                self.bytes_read += scanned as u64;
            }
            self.bytes_spilled += metrics.spilled_bytes().unwrap_or(0) as u64;
        }
        for child in children {
            self.add(child);
        }
    }
}

/// The most memory this process has held so far, where the system says so (Linux).
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}
