//! How episodes with known ends go: durations, gaps, paths, milestones.

use std::collections::{BTreeMap, HashMap};

use crate::discovery::follow::{Close, Roles, follow};
use crate::discovery::log::TouchpointLog;
use crate::discovery::options::DiscoveryOptions;
use crate::discovery::quiet::Quiet;
use crate::discovery::topics::Group;

/// A second opening begins anew when from there the end takes about as long as from the first.
const AS_LONG: f64 = 0.75;
/// A milestone is passed in this share of the completed episodes.
const MILESTONE: f64 = 0.8;
/// Below this share of second openings nothing is made of them.
const LEAST_REOPENED: f64 = 0.005;

/// How episodes with known ends go.
#[derive(Default)]
pub(crate) struct Course {
    pub(crate) units: usize,
    pub(crate) touchpoints: usize,
    pub(crate) episodes: usize,
    pub(crate) completed: usize,
    /// Of the completed, microseconds.
    pub(crate) durations: Vec<i64>,
    pub(crate) gaps: Vec<i64>,
    /// Completed with a second opening: from the last opening to the end.
    from_last_opening: Vec<i64>,
    pub(crate) paths: HashMap<Vec<u32>, usize>,
    completed_paths: HashMap<Vec<u32>, usize>,
}

impl Course {
    /// Paths of the completed tell which events most of them pass, and where on the way these stand on average.
    pub(crate) fn milestones(&self, log: &TouchpointLog) -> Vec<String> {
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

    pub(crate) fn of(
        log: &TouchpointLog,
        group: &Group,
        roles: &Roles,
        quiet: Quiet,
        options: &DiscoveryOptions,
    ) -> Self {
        let mut course = Self::default();
        let mut unit_before: Option<*const i64> = None;
        follow(log, group, roles, quiet, options, |unit, rows, close| {
            let (Some(&first), Some(&last)) = (rows.first(), rows.last()) else { return };
            if close == Close::Open {
                return;
            }
            course.episodes += 1;
            course.touchpoints += rows.len();
            course.units += usize::from(unit_before.replace(unit.at.as_ptr()) != Some(unit.at.as_ptr()));
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
    pub(crate) fn begins_anew(&self) -> bool {
        let reopened = self.from_last_opening.len() as f64;
        if reopened < LEAST_REOPENED * self.episodes as f64 {
            return false;
        }
        let middle = |lengths: &[i64]| quantile(lengths.to_vec(), 0.5).unwrap_or(0) as f64;
        middle(&self.from_last_opening) >= AS_LONG * middle(&self.durations)
    }
}

/// The value at a share of the sorted lengths.
pub(crate) fn quantile(mut lengths: Vec<i64>, share: f64) -> Option<i64> {
    lengths.sort_unstable();
    let place = ((lengths.len().checked_sub(1)?) as f64 * share).ceil() as usize;
    lengths.get(place).copied()
}
