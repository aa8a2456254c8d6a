//! How far before a new row a model's own rows may change.

use throughline_config::{Calendar, Materialization, Timestamp};
use throughline_plan::{Graph, Plan, ReplacedRows};

use super::calendar::floor;

/// How far a model reaches back, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    /// How late rows of sources may come and still be taken in.
    pub(super) lookback: Timestamp,
    /// How far before a new row the model's own rows may change.
    pub(super) own: Timestamp,
    /// The reach of the incremental models that it reads, directly or not.
    pub(super) upstream: Timestamp,
    /// At whose boundaries its intervals begin.
    pub(super) interval: Calendar,
}

impl Reach {
    /// The reach of a model; none for one that is not incremental, but for that of the models it reads.
    pub(super) fn of(plan: &Plan, model: &str) -> Self {
        let declared = |name: &str| match plan.pipeline.models.get(name)?.materialized {
            Materialization::Incremental(increment) => Some(increment),
            Materialization::View | Materialization::Table => None,
        };
        let closure = Graph::closure([model], |name| plan.graph.inputs(name));
        let inputs = closure.iter().filter(|input| **input != model && declared(input).is_some());
        let upstream = inputs.map(|input| Self::of(plan, input).whole()).max().unwrap_or(0);
        match declared(model) {
            Some(increment) => {
                Self { lookback: increment.lookback.0, own: increment.reach.0, upstream, interval: increment.interval }
            }
            None => Self { lookback: 0, own: 0, upstream, interval: Calendar::Instant },
        }
    }

    /// How far before a new row of a source the model's rows may change.
    pub(super) fn whole(&self) -> Timestamp {
        self.own + self.upstream
    }

    /// The instant since which the model's rows may change when its inputs changed since `changed_since`.
    pub(super) fn rebuilt_since(&self, changed_since: Timestamp) -> Timestamp {
        floor(changed_since.saturating_sub(self.own), self.interval)
    }

    /// The instant since which its touchpoints are matched when its inputs changed since `changed_since`.
    pub(super) fn matched_since(&self, replaced: &ReplacedRows, changed_since: Timestamp) -> Timestamp {
        match replaced {
            ReplacedRows::Members => self.rebuilt_since(changed_since),
            ReplacedRows::Instances { .. } | ReplacedRows::Interval { .. } => changed_since,
        }
    }
}
