//! Candidate journeys from the touchpoints alone, bottom-up.
//!
//! In: a [`TouchpointLog`], the time-ordered touchpoints of customers or of their cases. Out: [`Candidate`]s, each with
//! the conditions and limits of a journey definition. First it is settled what an episode is (`approach`):
//! - a case is one, where the log is made of cases, or all that a customer does lies together (`cases` says what
//!   belongs together: what occurs in the same episodes);
//! - where touchpoints have topics, `idle` separates, for each topic, the gaps inside an episode from those between two
//!   (a change point of the hazard), and `topics` merges topics whose episodes follow one another regularly;
//! - without topics, `silence` looks for one silence for all touchpoints (a `mixture` of the gaps), and where contacts
//!   overlap too much for one, events are put together by what follows what, like topics.
//!
//! Then, for each group and whatever an episode is:
//! 1. `starts` tells which events open the episodes;
//! 2. `ends` follows the episodes from there (`follow`) to the events after which they stop (`stops`), and takes limits
//!    and ways through from how they go (`course`).
//!
//! A journey leads somewhere in more than one contact, and in an order: what has no event at which it usually stops, is
//! mostly over with one visit, one mail or one call, or comes in any order (`chance`) is everyday contact and no
//! candidate. Nothing here knows existing definitions, opens storage or looks at churn.
//!
//! No library does this. The process-mining crates (`process_mining` of rust4pm is the kept one) read logs whose cases
//! are known and draw graphs and Petri nets of them; which touchpoints are a case is the work here, and what is left,
//! counting paths, is a map. For sequential patterns (PrefixSpan and its kin) no crate is kept, and frequent
//! subsequences are not what is asked for: they have no begin, no end and no limits in time.

mod approach;
mod bins;
mod candidate;
mod cases;
mod chance;
mod course;
mod ends;
mod follow;
mod idle;
mod lengths;
mod log;
mod mixture;
mod options;
mod quiet;
mod silence;
mod starts;
mod stops;
mod topics;

pub use candidate::{Candidate, Variant};
pub use log::{LogError, TouchpointLog};
pub use options::DiscoveryOptions;

use crate::discovery::approach::Approach;
use crate::discovery::ends::Outline;
use crate::discovery::topics::Group;

/// Of the touchpoints that the best approach explains, an earlier one is taken that explains at least this share.
const GOOD_PART: f64 = 0.7;

/// What the search came to.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The candidates, most episodes first.
    pub candidates: Vec<Candidate>,
    /// Groups of topics that are no journey, with the reason, in the order of their touchpoints.
    pub everyday: Vec<Everyday>,
    /// What was taken for an episode and what came of it, in the order in which it was tried; a sentence each.
    pub tried: Vec<String>,
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

/// Finds candidate journeys in `log`. Where its topics lead to none, they are forgotten, and events are looked at for
/// themselves.
pub fn discover(log: &mut TouchpointLog, options: &DiscoveryOptions) -> Found {
    let mut found = Found::default();
    if log.has_topics() {
        let approaches =
            if options.units_are_cases { approach::of_cases(log) } else { approach::by_topic(log, options) };
        found = best(log, &approaches, options);
    }
    if found.candidates.is_empty() {
        log.forget_topics();
        let approaches =
            if options.units_are_cases { approach::of_cases(log) } else { approach::by_event(log, options) };
        let tried = found.tried;
        found = best(log, &approaches, options);
        found.tried = [tried, found.tried].concat();
    }
    found.candidates.sort_by(|left, right| right.episodes.cmp(&left.episodes).then(left.name.cmp(&right.name)));
    found.everyday.sort_by_key(|everyday| std::cmp::Reverse(everyday.touchpoints));
    found
}

/// What the first approach comes to that explains a good part of the touchpoints which the best one does: those that
/// come first keep apart what overlaps, those that come later join all that a customer does.
fn best(log: &TouchpointLog, approaches: &[Approach], options: &DiscoveryOptions) -> Found {
    let mut tried = Vec::new();
    let mut came: Vec<(usize, Found)> = Vec::new();
    for approach in approaches {
        let (explained, found) = searched(log, approach, options);
        let outcome = match found.candidates.len() {
            0 => "no candidate".to_owned(),
            1 => format!("1 candidate with {explained} touchpoints"),
            several => format!("{several} candidates with {explained} touchpoints"),
        };
        tried.push(format!("{}: {outcome}", approach.told));
        came.push((explained, found));
    }
    let most = came.iter().map(|(explained, _)| *explained).max().unwrap_or(0);
    let taken = came.into_iter().find(|(explained, _)| *explained as f64 >= GOOD_PART * most as f64);
    let (_, found) = taken.unwrap_or_default();
    Found { tried, ..found }
}

/// What an approach comes to, and the touchpoints in the episodes of its candidates.
fn searched(log: &TouchpointLog, approach: &Approach, options: &DiscoveryOptions) -> (usize, Found) {
    let mut found = Found::default();
    let mut explained = 0;
    for group in &approach.groups {
        match journeys_of(log, group, options) {
            Ok(outlines) => {
                // Two candidates of one group may explain the same touchpoints.
                let by_each = outlines.iter().map(|outline| outline.touchpoints).sum::<usize>();
                explained += by_each.min(group.touchpoints);
                found.candidates.extend(outlines.iter().map(|outline| Candidate::of(log, group, outline)));
            }
            Err(reason) => found.everyday.push(Everyday {
                topics: group.topics.iter().map(|&topic| log.topic_text(topic)).collect(),
                touchpoints: group.touchpoints,
                reason,
            }),
        }
    }
    (explained, found)
}

fn journeys_of(log: &TouchpointLog, group: &Group, options: &DiscoveryOptions) -> Result<Vec<Outline>, String> {
    let Some(quiet) = group.quiet else {
        return Err("its contacts come evenly, not in episodes".to_owned());
    };
    let openings = starts::openings(log, group, quiet, options)?;
    let mut outlines: Vec<Outline> = Vec::new();
    let mut reason = String::new();
    let mut attempt = |starts: &[u32], outlines: &mut Vec<Outline>| {
        match ends::outline(log, group, starts, quiet, options) {
            Ok(outline) => outlines.push(outline),
            // The commonest opening says best why the group is none.
            Err(why) if reason.is_empty() => reason = why,
            Err(_) => {}
        }
    };
    for &start in &openings.clear {
        attempt(&[start], &mut outlines);
    }
    if outlines.is_empty() && quiet.absorbs {
        // No event alone opens enough cases, or clearly enough, but all cases begin somehow.
        attempt(&[openings.clear, openings.also.clone()].concat(), &mut outlines);
    }
    let mut outlines = ends::joined_by_end(log, group, outlines, quiet, options);
    if let ([known], true) = (outlines.as_mut_slice(), quiet.absorbs) {
        ends::open_also_with(log, group, known, &openings.also, quiet, options);
    }
    if outlines.is_empty() { Err(reason) } else { Ok(outlines) }
}

#[cfg(test)]
mod tests;
