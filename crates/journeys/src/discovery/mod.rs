//! Candidate journeys from the touchpoints alone, bottom-up.
//!
//! In: a [`TouchpointLog`], the time-ordered touchpoints of customers. Out: [`Candidate`]s, each with the conditions and
//! limits of a journey definition. How they are found:
//! 1. `idle` separates, for each topic, the gaps inside an episode from those between two (a change point of the
//!    hazard), `topics` merges topics whose episodes follow one another regularly within a customer;
//! 2. `starts` tells which event opens the episodes of a group of topics after a quiet time;
//! 3. `ends` follows the episodes from there to the event after which they stop, and takes limits from quantiles.
//!
//! A journey leads somewhere in more than one contact: what has no event at which it usually stops, or is mostly over
//! with one visit, one mail or one call, is everyday contact and no candidate. Nothing here knows existing definitions,
//! opens storage or looks at churn.

mod bins;
mod candidate;
mod ends;
mod idle;
mod lengths;
mod log;
mod options;
mod starts;
mod topics;

pub use candidate::{Candidate, Variant};
pub use log::{LogError, TouchpointLog};
pub use options::DiscoveryOptions;

use crate::discovery::ends::Outline;
use crate::discovery::topics::Group;

/// What the search came to.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The candidates, most episodes first.
    pub candidates: Vec<Candidate>,
    /// Groups of topics that are no journey, with the reason, in the order of their touchpoints.
    pub everyday: Vec<Everyday>,
}

/// Topics that are no journey.
#[derive(Debug, Clone)]
pub struct Everyday {
    /// What the touchpoints are about.
    pub topics: Vec<String>,
    /// Touchpoints in the log.
    pub touchpoints: usize,
    /// Why not.
    pub reason: String,
}

/// Finds candidate journeys in `log`.
pub fn discover(log: &TouchpointLog, options: &DiscoveryOptions) -> Found {
    let mut found = Found::default();
    for group in topics::groups(log) {
        match journeys_of(log, &group, options) {
            Ok(outlines) => found.candidates.extend(outlines.iter().map(|outline| Candidate::of(log, &group, outline))),
            Err(reason) => found.everyday.push(Everyday {
                topics: group.topics.iter().map(|&topic| log.topic_text(topic)).collect(),
                touchpoints: group.touchpoints,
                reason,
            }),
        }
    }
    found.candidates.sort_by(|left, right| right.episodes.cmp(&left.episodes).then(left.name.cmp(&right.name)));
    found.everyday.sort_by_key(|everyday| std::cmp::Reverse(everyday.touchpoints));
    found
}

fn journeys_of(log: &TouchpointLog, group: &Group, options: &DiscoveryOptions) -> Result<Vec<Outline>, String> {
    let Some(idle) = group.idle else {
        return Err("its contacts come evenly, not in episodes".to_owned());
    };
    let starts = starts::opening_activities(log, group, idle, options)?;
    let mut outlines: Vec<Outline> = Vec::new();
    let mut reason = String::new();
    for start in starts {
        match ends::outline(log, group, &[start], idle, options) {
            Ok(outline) => outlines.push(outline),
            Err(why) => {
                // The commonest opening says best why the group is none.
                if reason.is_empty() {
                    reason = why;
                }
            }
        }
    }
    let outlines = ends::joined_by_end(log, group, outlines, idle, options);
    if outlines.is_empty() { Err(reason) } else { Ok(outlines) }
}

#[cfg(test)]
mod tests;
