//! What becomes of every touchpoint, by definition: counted as DataFusion metrics while the operator runs.

use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};

use crate::rules::Status;

/// The metrics' label that holds the journey's name.
pub(crate) const LABEL: &str = "journey";

/// One definition's counters in one partition.
#[derive(Debug)]
pub(crate) struct Counters {
    read: Count,
    members: Count,
    non_members: Count,
    null_key: Count,
    null_id: Count,
    null_time: Count,
    after_as_of: Count,
    instances: [Count; 5],
}

/// What became of a batch's rows before any definition was applied; the remaining ones go on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sorted {
    pub(crate) read: usize,
    pub(crate) null_key: usize,
    pub(crate) null_id: usize,
    pub(crate) null_time: usize,
    pub(crate) after_as_of: usize,
    /// Rows for which no definition has any use.
    pub(crate) idle: usize,
}

impl Counters {
    pub(crate) fn new(metrics: &ExecutionPlanMetricsSet, partition: usize, journey: &str) -> Self {
        let counter = |name: &'static str| {
            MetricBuilder::new(metrics).with_new_label(LABEL, journey.to_owned()).counter(name, partition)
        };
        Self {
            read: counter("read"),
            members: counter("members"),
            non_members: counter("non_members"),
            null_key: counter("null_key"),
            null_id: counter("null_id"),
            null_time: counter("null_time"),
            after_as_of: counter("after_as_of"),
            instances: Status::NAMES.map(counter),
        }
    }

    /// Adds a batch that was read, with the rows that end here.
    pub(crate) fn add_batch(&self, rows: &Sorted) {
        let Sorted { read, null_key, null_id, null_time, after_as_of, idle } = *rows;
        self.read.add(read);
        self.non_members.add(idle);
        self.null_key.add(null_key);
        self.null_id.add(null_id);
        self.null_time.add(null_time);
        self.after_as_of.add(after_as_of);
    }

    /// Adds rows that were matched, of which `members` became members. They are counted where they arrive, not where
    /// they were read: a row lost on the way breaks the sum.
    pub(crate) fn add_matched(&self, rows: usize, members: usize) {
        debug_assert!(members <= rows, "no touchpoint is a member twice");
        self.members.add(members);
        self.non_members.add(rows.saturating_sub(members));
    }

    /// Adds an instance that is handed on.
    pub(crate) fn add_instance(&self, status: Status) {
        self.instances[status as usize].add(1);
    }
}
