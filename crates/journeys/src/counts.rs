//! What became of every touchpoint, by definition: plain numbers, read from the metrics of a plan that ran.

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricValue;

use crate::counters::LABEL;
use crate::exec::MatchJourneysExec;

/// One definition's counts over all partitions that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionCounts {
    /// The journey's name.
    pub journey: String,
    /// Its counts.
    pub counts: MatchCounts,
}

/// Touchpoints and instances. Once a run is over, `read = members + non_members + set_aside + after_as_of`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MatchCounts {
    /// Touchpoints read.
    pub read: u64,
    /// Members of an instance; none is a member twice.
    pub members: u64,
    /// Touchpoints that belong to no instance.
    pub non_members: u64,
    /// Touchpoints that cannot be placed, by the first reason that holds.
    pub set_aside: SetAside,
    /// Touchpoints at or after `as_of`.
    pub after_as_of: u64,
    /// Instances by status.
    pub instances: Instances,
}

/// Touchpoints set aside; one with several reasons counts under the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetAside {
    /// `customer_id` or another key column is null.
    pub null_key: u64,
    /// `touchpoint_id` is null.
    pub null_id: u64,
    /// `occurred_at` is null.
    pub null_time: u64,
}

/// Instances by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Instances {
    /// Reached their end.
    pub completed: u64,
    /// Were abandoned.
    pub abandoned: u64,
    /// Ran into a limit.
    pub expired: u64,
    /// Gave way to a new start.
    pub restarted: u64,
    /// Not over yet.
    pub open: u64,
}

impl MatchCounts {
    /// Whether every touchpoint read is accounted for.
    pub fn is_conserved(&self) -> bool {
        self.read == self.members + self.non_members + self.set_aside.total() + self.after_as_of
    }

    fn slot(&mut self, metric: &str) -> Option<&mut u64> {
        Some(match metric {
            "read" => &mut self.read,
            "members" => &mut self.members,
            "non_members" => &mut self.non_members,
            "null_key" => &mut self.set_aside.null_key,
            "null_id" => &mut self.set_aside.null_id,
            "null_time" => &mut self.set_aside.null_time,
            "after_as_of" => &mut self.after_as_of,
            "completed" => &mut self.instances.completed,
            "abandoned" => &mut self.instances.abandoned,
            "expired" => &mut self.instances.expired,
            "restarted" => &mut self.instances.restarted,
            "open" => &mut self.instances.open,
            _ => return None,
        })
    }
}

impl SetAside {
    /// Over all reasons.
    pub fn total(&self) -> u64 {
        self.null_key + self.null_id + self.null_time
    }
}

impl Instances {
    /// Over all statuses.
    pub fn total(&self) -> u64 {
        self.completed + self.abandoned + self.expired + self.restarted + self.open
    }
}

/// The counts of every matcher in an executed plan, in the order of the journeys' names within each.
///
/// Metrics live in the very plan that ran: one rebuilt with other children starts from zero.
pub fn match_counts(plan: &dyn ExecutionPlan) -> Vec<DefinitionCounts> {
    let mut all = Vec::new();
    if let Some(matcher) = plan.downcast_ref::<MatchJourneysExec>() {
        let metrics = matcher.metrics().unwrap_or_default();
        all.extend(matcher.parameters().definitions.iter().map(|definition| {
            let mut counts = MatchCounts::default();
            for metric in metrics.iter() {
                let is_own =
                    metric.labels().iter().any(|label| label.name() == LABEL && label.value() == definition.name);
                if let (true, MetricValue::Count { name, count }) = (is_own, metric.value())
                    && let Some(slot) = counts.slot(name)
                {
                    *slot += count.value() as u64;
                }
            }
            DefinitionCounts { journey: definition.name.clone(), counts }
        }));
    }
    all.extend(plan.children().into_iter().flat_map(|child| match_counts(child.as_ref())));
    all
}
