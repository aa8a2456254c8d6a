//! Where episodes that an event opens lead: the events after which they stop, limits, paths.

use crate::discovery::course::{Course, quantile};
use crate::discovery::follow::Roles;
use crate::discovery::lengths::round_up;
use crate::discovery::log::TouchpointLog;
use crate::discovery::options::DiscoveryOptions;
use crate::discovery::quiet::Quiet;
use crate::discovery::stops::Stops;
use crate::discovery::topics::Group;

/// At least this share of the episodes has more than one contact.
const LEAST_GOING_ON: f64 = 0.5;
/// Limits let this share of the completed episodes through, and a tenth more in length.
const LET_THROUGH: f64 = 0.995;
/// Another opening makes at most so many times as many instances of a case.
const MOST_MORE_A_CASE: f64 = 1.05;

/// A candidate in numbers of the log.
#[derive(Debug, Clone)]
pub(crate) struct Outline {
    pub(crate) starts: Vec<u32>,
    /// Where episodes stop, the commonest first; there is one at least.
    pub(crate) ends: Vec<u32>,
    pub(crate) abandons: Vec<u32>,
    pub(crate) within: i64,
    /// `None` where a case is an episode, whatever the gaps in it.
    pub(crate) idle: Option<i64>,
    pub(crate) split: bool,
    /// Units with an episode.
    pub(crate) units: usize,
    /// Touchpoints of the episodes.
    pub(crate) touchpoints: usize,
    /// Episodes over: reached an end, idle for long enough, or reopened.
    pub(crate) episodes: usize,
    /// Of them, those that reached the end.
    pub(crate) completed: usize,
    /// Of the episodes in which an end occurs, those that stop there: how clear an end it is.
    pub(crate) stopping_share: f64,
    /// Sequences of activities, repetitions folded, commonest first.
    pub(crate) paths: Vec<(Vec<u32>, usize)>,
    /// How many different ones there are.
    pub(crate) different_paths: usize,
    /// Events that nearly every completed episode goes through, in their usual order.
    pub(crate) milestones: Vec<String>,
}

impl Outline {
    /// Episodes a unit that has one.
    fn a_case(&self) -> f64 {
        self.episodes as f64 / self.units.max(1) as f64
    }
}

/// Follows the episodes that `starts` opens.
///
/// # Errors
/// Why they are no journey, in words.
pub(crate) fn outline(
    log: &TouchpointLog,
    group: &Group,
    starts: &[u32],
    quiet: Quiet,
    options: &DiscoveryOptions,
) -> Result<Outline, String> {
    let (mut roles, stops) = ends_of(log, group, starts, quiet, options)?;
    roles.abandons = stops.abandons(&roles);
    let stopping_share = stops.stopping_share(&roles.ends);
    roles.split = false;
    let absorbing = Course::of(log, group, &roles, quiet, options);
    roles.split = !quiet.absorbs && absorbing.begins_anew();
    let course = if roles.split { Course::of(log, group, &roles, quiet, options) } else { absorbing };
    let milestones = course.milestones(log);
    let longest = quantile(course.durations, LET_THROUGH);
    let gap = quantile(course.gaps, LET_THROUGH).unwrap_or(quiet.over);
    let mut paths: Vec<(Vec<u32>, usize)> = course.paths.into_iter().collect();
    paths.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(&right.0)));
    let different_paths = paths.len();
    paths.truncate(3);
    Ok(Outline {
        starts: starts.to_vec(),
        ends: roles.ends,
        abandons: roles.abandons,
        within: round_up(longest.unwrap_or(quiet.over)),
        idle: quiet.cuts().then(|| round_up(gap)),
        split: roles.split,
        units: course.units,
        touchpoints: course.touchpoints,
        episodes: course.episodes,
        completed: course.completed,
        stopping_share,
        paths,
        different_paths,
        milestones,
    })
}

/// Where the episodes that `starts` opens stop.
fn ends_of(
    log: &TouchpointLog,
    group: &Group,
    starts: &[u32],
    quiet: Quiet,
    options: &DiscoveryOptions,
) -> Result<(Roles, Stops), String> {
    let mut roles = Roles {
        starts: (0..log.activity_count() as u32).map(|activity| starts.contains(&activity)).collect(),
        ends: Vec::new(),
        abandons: Vec::new(),
        split: !quiet.absorbs,
    };
    let names = || starts.iter().map(|&start| log.activity(start).event.as_str()).collect::<Vec<_>>().join(", ");
    let mut stops = Stops::of(log, group, &roles, quiet, options);
    let mut ends = stops.ends(&roles);
    if ends.is_empty() && roles.split {
        // An opening that is repeated on the way cuts episodes short.
        roles.split = false;
        stops = Stops::of(log, group, &roles, quiet, options);
        ends = stops.ends(&roles);
    }
    if stops.episodes < options.minimum_episodes {
        return Err(format!("fewer than {} episodes begin with {}", options.minimum_episodes, names()));
    }
    let going_on = stops.going_on as f64 / stops.episodes as f64;
    if going_on < LEAST_GOING_ON {
        return Err(format!("{:.0} % of the episodes of {} are one contact", 100.0 * (1.0 - going_on), names()));
    }
    if ends.is_empty() {
        return Err(format!("what begins with {} leads to no event at which it usually stops", names()));
    }
    roles.ends = ends;
    Ok((roles, stops))
}

/// Candidates of one group that lead to the same end are one journey with several openings; the commonest comes first.
pub(crate) fn joined_by_end(
    log: &TouchpointLog,
    group: &Group,
    outlines: Vec<Outline>,
    quiet: Quiet,
    options: &DiscoveryOptions,
) -> Vec<Outline> {
    let mut joined: Vec<Outline> = Vec::new();
    for outline_of_one in outlines {
        let same = joined.iter_mut().find(|known| known.ends[0] == outline_of_one.ends[0]);
        match same {
            None => joined.push(outline_of_one),
            Some(known) => {
                let completed_by_it = outline_of_one.completed;
                let starts = [known.starts.clone(), outline_of_one.starts].concat();
                if let Ok(both) = outline(log, group, &starts, quiet, options)
                    && both.ends[0] == known.ends[0]
                    // Otherwise one of them is a prelude to the other, and they open the same episodes.
                    && 2 * (both.completed.saturating_sub(known.completed)) >= completed_by_it
                {
                    *known = both;
                }
            }
        }
    }
    joined
}

/// Adds to a journey of cases the other events that open a good part of them, as long as a case stays one instance: an
/// event that comes on the way as well may open another after the end.
pub(crate) fn open_also_with(
    log: &TouchpointLog,
    group: &Group,
    known: &mut Outline,
    also: &[u32],
    quiet: Quiet,
    options: &DiscoveryOptions,
) {
    for start in also {
        if known.starts.contains(start) || known.ends.contains(start) {
            continue;
        }
        let starts = [known.starts.as_slice(), &[*start]].concat();
        if let Ok(more) = outline(log, group, &starts, quiet, options)
            && more.ends[0] == known.ends[0]
            && more.units > known.units
            && more.a_case() <= MOST_MORE_A_CASE * known.a_case()
        {
            *known = more;
        }
    }
}
