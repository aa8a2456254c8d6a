//! After which events episodes stop.
//!
//! Nothing in touchpoints says which end is a success. So the end is where most episodes stop; another one that is
//! reached instead, about as often (a claim is paid or refused), is an end too; and a rarer one abandons.

use std::collections::HashMap;

use crate::discovery::chance::Place;
use crate::discovery::follow::{Close, Roles, follow};
use crate::discovery::log::TouchpointLog;
use crate::discovery::options::DiscoveryOptions;
use crate::discovery::quiet::Quiet;
use crate::discovery::topics::Group;

/// Of the episodes in which the end occurs, at least this share stops there.
const LEAST_STOPPING: f64 = 0.5;
/// At least this share of the episodes reaches the end.
const LEAST_REACHED: f64 = 0.3;
/// Another end that is reached instead is one as well, when it stops at least this many of what the commonest does.
const EQUAL_END: f64 = 0.4;
/// Where no event alone is reached by so many, several together may be; each of them stops at least this share.
const LEAST_PART: f64 = 0.03;
/// Another end is one at which nearly all episodes that see it stop,
const ABANDON_STOPPING: f64 = 0.8;
/// few of which have seen the end,
const ABANDON_WITH_END: f64 = 0.2;
/// and which is no rarity.
const ABANDON_SHARE: f64 = 0.02;
const ABANDON_FEWEST: usize = 5;

/// In how many episodes each activity occurs and is the last.
pub(crate) struct Stops {
    pub(crate) episodes: usize,
    pub(crate) going_on: usize,
    occurred: Vec<usize>,
    last: Vec<usize>,
    /// The same of the episodes that nothing followed, not even another opening.
    last_of_all: Vec<usize>,
    places: Vec<Place>,
    /// Sorted sets of activities of the episodes, for the question which of them occur together.
    sets: HashMap<Vec<u32>, usize>,
}

impl Stops {
    pub(crate) fn of(
        log: &TouchpointLog,
        group: &Group,
        roles: &Roles,
        quiet: Quiet,
        options: &DiscoveryOptions,
    ) -> Self {
        let activities = log.activity_count();
        let mut stops = Self {
            episodes: 0,
            going_on: 0,
            occurred: vec![0; activities],
            last: vec![0; activities],
            last_of_all: vec![0; activities],
            places: vec![Place::default(); activities],
            sets: HashMap::new(),
        };
        follow(log, group, roles, quiet, options, |unit, rows, close| {
            if close == Close::Open {
                return;
            }
            stops.episodes += 1;
            let goes_on = |pair: &[usize]| !unit.continues_contact(pair[0], pair[1], quiet.contact);
            stops.going_on += usize::from(rows.windows(2).any(goes_on));
            let activities: Vec<u32> = rows.iter().map(|&row| unit.activity[row]).collect();
            stops.add(activities, close);
        });
        stops
    }

    /// Counts an episode by its activities in their order.
    fn add(&mut self, mut activities: Vec<u32>, close: Close) {
        let Some(&last) = activities.last() else { return };
        self.last[last as usize] += 1;
        self.last_of_all[last as usize] += usize::from(close == Close::Idle);
        // The opening has its place by definition; the others could stand in any order after it.
        let movable = if activities.len() > 2 { 1.. } else { 0.. };
        activities[movable.clone()].sort_unstable();
        let others = &activities[movable];
        for of_one in others.chunk_by(|left, right| left == right) {
            self.places[of_one[0] as usize].add(of_one.len(), others.len(), of_one[0] == last);
        }
        activities.sort_unstable();
        activities.dedup();
        for &activity in &activities {
            self.occurred[activity as usize] += 1;
        }
        *self.sets.entry(activities).or_default() += 1;
    }

    /// Of the episodes in which one of `ends` occurs, those that stop with one.
    pub(crate) fn stopping_share(&self, ends: &[u32]) -> f64 {
        let last: usize = ends.iter().map(|&end| self.last[end as usize]).sum();
        let occurred = match ends {
            [end] => self.occurred[*end as usize],
            _ => self.sets.iter().filter(|(set, _)| set.iter().any(|one| ends.contains(one))).map(|(_, n)| n).sum(),
        };
        if occurred == 0 { 0.0 } else { last as f64 / occurred as f64 }
    }

    /// The events after which episodes stop, commonest first; none where they stop anywhere.
    pub(crate) fn ends(&self, roles: &Roles) -> Vec<u32> {
        let mut stopping: Vec<u32> = (0..self.last.len() as u32)
            .filter(|&activity| !roles.starts[activity as usize] && self.last[activity as usize] > 0)
            .filter(|&activity| self.stopping_share(&[activity]) >= LEAST_STOPPING)
            .filter(|&activity| self.places[activity as usize].beats_chance())
            .collect();
        stopping.sort_by_key(|&activity| std::cmp::Reverse(self.last[activity as usize]));
        let is_reached = |activity: &u32| self.share(self.occurred[*activity as usize]) >= LEAST_REACHED;
        let main = stopping.iter().copied().find(is_reached);
        let mut ends: Vec<u32> = main.into_iter().collect();
        let least = match main {
            Some(main) => EQUAL_END * self.last[main as usize] as f64,
            None => LEAST_PART * self.episodes as f64,
        };
        for activity in stopping {
            let (last, instead) = (self.last[activity as usize] as f64, self.is_reached_instead(activity, &ends));
            if !ends.contains(&activity) && last >= least && instead {
                ends.push(activity);
            }
        }
        let reached: usize = ends.iter().map(|&end| self.occurred[end as usize]).sum();
        if self.share(reached) >= LEAST_REACHED { ends } else { Vec::new() }
    }

    /// Whether nearly all episodes that see an event stop there, few of which have seen one of `ends`.
    fn is_reached_instead(&self, activity: u32, ends: &[u32]) -> bool {
        let occurred = self.occurred[activity as usize] as f64;
        let sees_both = |set: &[u32]| set.contains(&activity) && set.iter().any(|one| ends.contains(one));
        let with_end: usize = self.sets.iter().filter(|(set, _)| sees_both(set)).map(|(_, number)| number).sum();
        self.last[activity as usize] as f64 >= ABANDON_STOPPING * occurred
            && with_end as f64 <= ABANDON_WITH_END * occurred
    }

    fn share(&self, number: usize) -> f64 {
        number as f64 / self.episodes.max(1) as f64
    }

    /// Other events after which episodes stop, without having reached an end.
    pub(crate) fn abandons(&self, roles: &Roles) -> Vec<u32> {
        let mut found: Vec<u32> = (0..self.last.len() as u32)
            .filter(|activity| !roles.ends.contains(activity) && !roles.starts[*activity as usize])
            .filter(|&activity| {
                let (last, occurred) = (self.last_of_all[activity as usize], self.occurred[activity as usize] as f64);
                last >= ABANDON_FEWEST
                    && self.share(last) >= ABANDON_SHARE
                    && last as f64 >= ABANDON_STOPPING * occurred
                    && self.is_reached_instead(activity, &roles.ends)
            })
            .collect();
        found.sort_by_key(|&activity| std::cmp::Reverse(self.last[activity as usize]));
        found
    }
}
