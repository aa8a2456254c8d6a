//! Where episodes that an event opens lead: the event after which they stop, other ends, limits, paths.

use std::collections::{BTreeMap, HashMap};

use crate::discovery::lengths::round_up;
use crate::discovery::log::{TouchpointLog, Unit};
use crate::discovery::options::DiscoveryOptions;
use crate::discovery::topics::Group;

/// Of the episodes in which the end occurs, at least this share stops there.
const LEAST_STOPPING: f64 = 0.5;
/// At least this share of the episodes reaches the end.
const LEAST_REACHED: f64 = 0.3;
/// Another end is one at which nearly all episodes that see it stop,
const ABANDON_STOPPING: f64 = 0.8;
/// few of which have seen the end,
const ABANDON_WITH_END: f64 = 0.2;
/// and which is no rarity.
const ABANDON_SHARE: f64 = 0.02;
const ABANDON_FEWEST: usize = 5;
/// At least this share of the episodes has more than one contact.
const LEAST_GOING_ON: f64 = 0.5;
/// Limits let this share of the completed episodes through, and a tenth more in length.
const LET_THROUGH: f64 = 0.995;
/// A second opening begins anew when from there the end takes about as long as from the first.
const AS_LONG: f64 = 0.75;
/// A milestone is passed in this share of the completed episodes.
const MILESTONE: f64 = 0.8;
/// Below this share of second openings nothing is made of them.
const LEAST_REOPENED: f64 = 0.005;

/// A candidate in numbers of the log.
#[derive(Debug, Clone)]
pub(crate) struct Outline {
    pub(crate) starts: Vec<u32>,
    pub(crate) end: u32,
    pub(crate) abandons: Vec<u32>,
    pub(crate) within: i64,
    pub(crate) idle: i64,
    pub(crate) split: bool,
    /// Episodes over: reached an end, idle for long enough, or reopened.
    pub(crate) episodes: usize,
    /// Of them, those that reached the end.
    pub(crate) completed: usize,
    /// Of the episodes in which the end occurs, those that stop there: how clear an end it is.
    pub(crate) stopping_share: f64,
    /// Sequences of activities, repetitions folded, commonest first.
    pub(crate) paths: Vec<(Vec<u32>, usize)>,
    /// How many different ones there are.
    pub(crate) different_paths: usize,
    /// Events that nearly every completed episode goes through, in their usual order.
    pub(crate) milestones: Vec<String>,
}

/// What ends and reopens episodes while they are followed.
struct Roles {
    starts: Vec<bool>,
    end: Option<u32>,
    abandons: Vec<u32>,
    split: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Close {
    Completed,
    Abandoned,
    Idle,
    Reopened,
    /// Not over when sight ends.
    Open,
}

/// Follows the episodes that `starts` opens.
///
/// # Errors
/// Why they are no journey, in words.
pub(crate) fn outline(
    log: &TouchpointLog,
    group: &Group,
    starts: &[u32],
    idle: i64,
    options: &DiscoveryOptions,
) -> Result<Outline, String> {
    let mut roles = Roles {
        starts: (0..log.activity_count() as u32).map(|activity| starts.contains(&activity)).collect(),
        end: None,
        abandons: Vec::new(),
        split: true,
    };
    let names = || starts.iter().map(|&start| log.activity(start).event.as_str()).collect::<Vec<_>>().join(", ");
    let mut stops = Stops::of(log, group, &roles, idle, options);
    if stops.end(&roles).is_none() {
        // An opening that is repeated on the way cuts episodes short.
        roles.split = false;
        stops = Stops::of(log, group, &roles, idle, options);
    }
    if stops.episodes < options.minimum_episodes {
        return Err(format!("fewer than {} episodes begin with {}", options.minimum_episodes, names()));
    }
    let going_on = stops.going_on as f64 / stops.episodes as f64;
    if going_on < LEAST_GOING_ON {
        return Err(format!("{:.0} % of the episodes of {} are one contact", 100.0 * (1.0 - going_on), names()));
    }
    let Some(end) = stops.end(&roles) else {
        return Err(format!("what begins with {} leads to no event at which it usually stops", names()));
    };
    roles.end = Some(end);
    roles.abandons = stops.abandons(&roles, end);
    let stopping_share = stops.stopping_share(end);

    roles.split = false;
    let absorbing = Course::of(log, group, &roles, idle, options);
    roles.split = absorbing.begins_anew();
    let course = if roles.split { Course::of(log, group, &roles, idle, options) } else { absorbing };
    let milestones = course.milestones(log);
    let mut paths: Vec<(Vec<u32>, usize)> = course.paths.into_iter().collect();
    paths.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(&right.0)));
    let different_paths = paths.len();
    paths.truncate(3);
    Ok(Outline {
        starts: starts.to_vec(),
        end,
        abandons: roles.abandons,
        within: round_up(quantile(course.durations, LET_THROUGH).unwrap_or(idle)),
        idle: round_up(quantile(course.gaps, LET_THROUGH).unwrap_or(idle)),
        split: roles.split,
        episodes: course.episodes,
        completed: course.completed,
        stopping_share,
        paths,
        different_paths,
        milestones,
    })
}

/// Candidates of one group that lead to the same end are one journey with several openings.
pub(crate) fn joined_by_end(
    log: &TouchpointLog,
    group: &Group,
    outlines: Vec<Outline>,
    idle: i64,
    options: &DiscoveryOptions,
) -> Vec<Outline> {
    let mut joined: Vec<Outline> = Vec::new();
    for outline_of_one in outlines {
        let same = joined.iter_mut().find(|known| known.end == outline_of_one.end);
        match same {
            None => joined.push(outline_of_one),
            Some(known) => {
                let starts = [known.starts.clone(), outline_of_one.starts].concat();
                if let Ok(both) = outline(log, group, &starts, idle, options)
                    && both.end == known.end
                {
                    *known = both;
                }
            }
        }
    }
    joined
}

/// Calls `visit` with each episode's rows and how it closed.
fn follow<'a>(
    log: &'a TouchpointLog,
    group: &Group,
    roles: &Roles,
    idle: i64,
    options: &DiscoveryOptions,
    mut visit: impl FnMut(&Unit<'a>, &[usize], Close),
) {
    let is_member: Vec<bool> = (0..log.activity_count() as u32).map(|activity| group.contains(log, activity)).collect();
    let mut episode: Vec<usize> = Vec::new();
    for unit in log.each_unit() {
        for row in (0..unit.at.len()).filter(|&row| is_member[unit.activity[row] as usize]) {
            let activity = unit.activity[row];
            if episode.last().is_some_and(|&before| unit.at[row] - unit.at[before] > idle) {
                visit(&unit, &episode, Close::Idle);
                episode.clear();
            }
            let starts = roles.starts[activity as usize];
            if starts && roles.split && !episode.is_empty() {
                visit(&unit, &episode, Close::Reopened);
                episode.clear();
            }
            if episode.is_empty() && !starts {
                continue;
            }
            episode.push(row);
            let close = if roles.end == Some(activity) {
                Close::Completed
            } else if roles.abandons.contains(&activity) {
                Close::Abandoned
            } else {
                continue;
            };
            visit(&unit, &episode, close);
            episode.clear();
        }
        if let Some(&last) = episode.last() {
            let over = options.as_of.saturating_sub(unit.at[last]) > idle;
            visit(&unit, &episode, if over { Close::Idle } else { Close::Open });
            episode.clear();
        }
    }
}

/// In how many episodes each activity occurs and is the last.
struct Stops {
    episodes: usize,
    going_on: usize,
    occurred: Vec<usize>,
    last: Vec<usize>,
    /// The same of the episodes that nothing followed, not even another opening.
    last_of_all: Vec<usize>,
    /// Sorted sets of activities of the episodes, for the question which of them occur together.
    sets: HashMap<Vec<u32>, usize>,
}

impl Stops {
    fn of(log: &TouchpointLog, group: &Group, roles: &Roles, idle: i64, options: &DiscoveryOptions) -> Self {
        let activities = log.activity_count();
        let mut stops = Self {
            episodes: 0,
            going_on: 0,
            occurred: vec![0; activities],
            last: vec![0; activities],
            last_of_all: vec![0; activities],
            sets: HashMap::new(),
        };
        follow(log, group, roles, idle, options, |unit, rows, close| {
            if close == Close::Open {
                return;
            }
            stops.episodes += 1;
            stops.going_on += usize::from(rows.windows(2).any(|pair| !unit.continues_contact(pair[0], pair[1])));
            if let Some(&last) = rows.last() {
                stops.last[unit.activity[last] as usize] += 1;
                stops.last_of_all[unit.activity[last] as usize] += usize::from(close == Close::Idle);
            }
            let mut set: Vec<u32> = rows.iter().map(|&row| unit.activity[row]).collect();
            set.sort_unstable();
            set.dedup();
            for &activity in &set {
                stops.occurred[activity as usize] += 1;
            }
            *stops.sets.entry(set).or_default() += 1;
        });
        stops
    }

    fn stopping_share(&self, activity: u32) -> f64 {
        let index = activity as usize;
        if self.occurred[index] == 0 { 0.0 } else { self.last[index] as f64 / self.occurred[index] as f64 }
    }

    /// The event after which most episodes stop.
    fn end(&self, roles: &Roles) -> Option<u32> {
        let reached = |activity: u32| self.occurred[activity as usize] as f64 >= LEAST_REACHED * self.episodes as f64;
        (0..self.last.len() as u32)
            .filter(|&activity| !roles.starts[activity as usize] && self.last[activity as usize] > 0)
            .filter(|&activity| reached(activity) && self.stopping_share(activity) >= LEAST_STOPPING)
            .max_by_key(|&activity| self.last[activity as usize])
    }

    /// Other events after which episodes stop, without having reached the end.
    fn abandons(&self, roles: &Roles, end: u32) -> Vec<u32> {
        let with_end = |activity: u32| -> usize {
            let both = self.sets.iter().filter(|(set, _)| set.contains(&activity) && set.contains(&end));
            both.map(|(_, number)| number).sum()
        };
        let mut found: Vec<u32> = (0..self.last.len() as u32)
            .filter(|&activity| activity != end && !roles.starts[activity as usize])
            .filter(|&activity| {
                let (last, occurred) = (self.last_of_all[activity as usize], self.occurred[activity as usize] as f64);
                last >= ABANDON_FEWEST
                    && last as f64 >= ABANDON_SHARE * self.episodes as f64
                    && last as f64 >= ABANDON_STOPPING * occurred
                    && with_end(activity) as f64 <= ABANDON_WITH_END * occurred
            })
            .collect();
        found.sort_by_key(|&activity| std::cmp::Reverse(self.last[activity as usize]));
        found
    }
}

/// How episodes with known ends go.
#[derive(Default)]
struct Course {
    episodes: usize,
    completed: usize,
    /// Of the completed, microseconds.
    durations: Vec<i64>,
    gaps: Vec<i64>,
    /// Completed with a second opening: from the last opening to the end.
    from_last_opening: Vec<i64>,
    paths: HashMap<Vec<u32>, usize>,
    completed_paths: HashMap<Vec<u32>, usize>,
}

impl Course {
    /// Paths of the completed tell which events most of them pass, and where on the way these stand on average.
    fn milestones(&self, log: &TouchpointLog) -> Vec<String> {
        let mut passed: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
        for (path, number) in &self.completed_paths {
            let mut seen: Vec<&str> = Vec::new();
            for (place, &activity) in path.iter().enumerate() {
                let event = log.activity(activity).event.as_str();
                if seen.contains(&event) {
                    continue;
                }
                seen.push(event);
                let (episodes, places) = passed.entry(event).or_default();
                *episodes += number;
                *places += *number as f64 * place as f64 / path.len() as f64;
            }
        }
        let mut milestones: Vec<(&str, f64)> = passed
            .into_iter()
            .filter(|(_, (episodes, _))| *episodes as f64 >= MILESTONE * self.completed as f64)
            .map(|(event, (episodes, places))| (event, places / episodes as f64))
            .collect();
        milestones.sort_by(|left, right| left.1.total_cmp(&right.1));
        milestones.into_iter().map(|(event, _)| event.to_owned()).collect()
    }

    fn of(log: &TouchpointLog, group: &Group, roles: &Roles, idle: i64, options: &DiscoveryOptions) -> Self {
        let mut course = Self::default();
        follow(log, group, roles, idle, options, |unit, rows, close| {
            let (Some(&first), Some(&last)) = (rows.first(), rows.last()) else { return };
            if close == Close::Open {
                return;
            }
            course.episodes += 1;
            let mut path: Vec<u32> = rows.iter().map(|&row| unit.activity[row]).collect();
            path.dedup();
            if close == Close::Completed {
                *course.completed_paths.entry(path.clone()).or_default() += 1;
            }
            *course.paths.entry(path).or_default() += 1;
            if close != Close::Completed {
                return;
            }
            course.completed += 1;
            let opened = rows.iter().rev().find(|&&row| roles.starts[unit.activity[row] as usize]).copied();
            match opened.filter(|&row| row != first) {
                Some(row) => course.from_last_opening.push(unit.at[last] - unit.at[row]),
                None => course.durations.push(unit.at[last] - unit.at[first]),
            }
            course.gaps.extend(rows.windows(2).map(|pair| unit.at[pair[1]] - unit.at[pair[0]]));
        });
        course
    }

    /// Whether a second opening is the begin of another episode rather than a step of the same.
    fn begins_anew(&self) -> bool {
        let reopened = self.from_last_opening.len() as f64;
        if reopened < LEAST_REOPENED * self.episodes as f64 {
            return false;
        }
        let middle = |lengths: &[i64]| quantile(lengths.to_vec(), 0.5).unwrap_or(0) as f64;
        middle(&self.from_last_opening) >= AS_LONG * middle(&self.durations)
    }
}

/// The value at a share of the sorted lengths.
fn quantile(mut lengths: Vec<i64>, share: f64) -> Option<i64> {
    lengths.sort_unstable();
    let place = ((lengths.len().checked_sub(1)?) as f64 * share).ceil() as usize;
    lengths.get(place).copied()
}
