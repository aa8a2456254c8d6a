//! When instances end: limits of journeys as instants and as SQL over the columns of members and instances.
//!
//! Names of journeys are plain words and lengths of time are numbers, so nobody's text gets into this SQL.

use throughline_config::{Duration, JourneyDefinition, Timestamp};
use throughline_plan::{BEGINNING, Plan};

/// The earliest instant at which the last member of an instance that is open at `at` can lie: none stays open for
/// longer than its journey's limits allow.
pub(super) fn open_since(plan: &Plan, at: Timestamp) -> Timestamp {
    last_member_since(plan.pipeline.journeys.values(), at)
}

/// The same for instances of some journeys.
pub(super) fn last_member_since<'a>(journeys: impl Iterator<Item = &'a JourneyDefinition>, at: Timestamp) -> Timestamp {
    let limits: Option<Vec<Timestamp>> = journeys.map(longest_silence).collect();
    match limits {
        Some(limits) => at.saturating_sub(limits.into_iter().max().unwrap_or(0)),
        None => BEGINNING,
    }
}

/// How long after its last member an instance can still be open.
fn longest_silence(journey: &JourneyDefinition) -> Option<Timestamp> {
    [journey.within, journey.idle].into_iter().flatten().map(|limit| limit.0).min()
}

/// The instant after which nothing changes an instance: null while it is open, and where a restart may have come at any
/// time.
pub(super) fn settled_at(plan: &Plan) -> String {
    let otherwise = deadline(plan).map(|deadline| format!(" ELSE {deadline}")).unwrap_or_default();
    format!(
        "CASE WHEN status = 'open' THEN NULL WHEN status IN ('completed', 'abandoned') THEN ended_at{otherwise} END"
    )
}

/// The instant after which an instance is over unless another touchpoint comes; null for journeys without limits,
/// `None` when no journey has any.
pub(super) fn deadline(plan: &Plan) -> Option<String> {
    let deadlines: String = plan
        .pipeline
        .journeys
        .values()
        .filter_map(|journey| {
            let after = |column: &str, limit: Duration| format!("{column} + INTERVAL '{} microseconds'", limit.0);
            let deadline = match (journey.within, journey.idle) {
                (Some(within), Some(idle)) => {
                    format!("least({}, {})", after("started_at", within), after("last_at", idle))
                }
                (Some(within), None) => after("started_at", within),
                (None, Some(idle)) => after("last_at", idle),
                (None, None) => return None,
            };
            Some(format!(" WHEN '{}' THEN {deadline}", journey.name.value))
        })
        .collect();
    (!deadlines.is_empty()).then(|| format!("CASE journey{deadlines} END"))
}
