//! Which topics belong together: those whose episodes follow one another regularly within a customer.
//!
//! For two topics A and B the waits from the begin of A's episodes to the next begin of B's are compared with the waits
//! from any moment of the same customers (the Kolmogorov–Smirnov distance of the two distributions). A monthly
//! newsletter is never far from a monthly bill, but no nearer to it than to any other day. Only when B comes soon after
//! most of A, and A soon before most of B, are they one journey: every first bill is followed by a payment, but few
//! payments follow a first bill.

use crate::discovery::bins::{BINS, bin_of, limits};
use crate::discovery::idle::Gaps;
use crate::discovery::lengths::{DAY, HOUR, MINUTE};
use crate::discovery::log::{SAME_CONTACT, Topic, TouchpointLog, Unit};
use crate::discovery::quiet::Quiet;

/// Beyond chance: least distance between the distributions of waits.
const LEAST_DISTANCE: f64 = 0.25;
/// Least share of the episodes with the other topic in reach, each way.
const LEAST_SHARE: f64 = 0.5;
/// Events join those beside which they come this far beyond chance,
const ATTACHED_DISTANCE: f64 = 0.5;
/// in at least this share of its episodes.
const ATTACHED_SHARE: f64 = 0.8;
/// Waits longer than this say nothing about one journey.
const LONGEST_WAIT: i64 = 120 * DAY;
/// Only this many topics, those with most touchpoints, are held against each other.
const MOST_TOPICS: usize = 100;

/// Topics that belong together.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Numbers of topics, in the order in which they usually begin.
    pub(crate) topics: Vec<u32>,
    /// Touchpoints about them.
    pub(crate) touchpoints: usize,
    /// What ends an episode, when there are episodes.
    pub(crate) quiet: Option<Quiet>,
}

impl Group {
    /// For each activity of the log, whether it is one of the group.
    pub(crate) fn members(&self, log: &TouchpointLog) -> Vec<bool> {
        (0..log.activity_count() as u32).map(|activity| self.topics.contains(&log.topic_of(activity))).collect()
    }
}

/// All topics of the log, those that belong together in one group. `given` is the silence that ends an episode, where a
/// person says it.
pub(crate) fn groups(log: &TouchpointLog, given: Option<i64>) -> Vec<Group> {
    let touchpoints = log.touchpoints_by_topic();
    let mut topics: Vec<u32> = (0..log.topic_count() as u32).collect();
    topics.sort_by_key(|&topic| std::cmp::Reverse(touchpoints[topic as usize]));
    topics.truncate(MOST_TOPICS);
    let idle_of = |sets: &[Vec<u32>], contact: i64| match given {
        Some(silence) => vec![Some(silence); sets.len()],
        None => idle_of_each(log, sets, contact),
    };
    let alone = idle_of(&topics.iter().map(|&topic| vec![topic]).collect::<Vec<_>>(), SAME_CONTACT);
    let waits = Waits::of(log, &topics, &alone);
    let pairs = waits.pairs();
    let mut groups = joined(topics.len(), &pairs);
    let are_events = topics.iter().any(|&topic| matches!(log.topic(topic), Topic::AnyOfEvent(_)));
    if are_events {
        waits.attach_parts(&mut groups);
    }
    for group in &mut groups {
        // A topic comes before those that most often follow it.
        let successors = |index: usize| pairs.iter().filter(|pair| pair.first == index).count();
        group.sort_by_key(|&index| std::cmp::Reverse(successors(index)));
    }
    let numbered: Vec<Vec<u32>> =
        groups.iter().map(|group| group.iter().map(|&index| topics[index]).collect()).collect();
    let quiet = if are_events { Quiet::of_events } else { Quiet::of_topic };
    let idle = idle_of(&numbered, if are_events { 0 } else { SAME_CONTACT });
    let groups = groups.iter().zip(numbered).zip(idle).map(|((group, topics), idle)| {
        let touchpoints = topics.iter().map(|&topic| touchpoints[topic as usize]).sum();
        // Where the last episode's end and the next one's begin are as near as its own steps (a bill every month), no
        // gap tells them apart, but the wait in which one topic follows the other does.
        let wait = pairs.iter().filter(|pair| group.contains(&pair.first)).map(|pair| pair.wait).max();
        Group { topics, touchpoints, quiet: idle.or(wait).map(quiet) }
    });
    groups.collect()
}

/// Places that pairs join, each place in one group.
fn joined(places: usize, pairs: &[Pair]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = (0..places).map(|index| vec![index]).collect();
    for pair in pairs {
        let place = |index: usize| groups.iter().position(|group| group.contains(&index));
        if let (Some(left), Some(right)) = (place(pair.first), place(pair.second))
            && left != right
        {
            let moved = groups.swap_remove(left.max(right));
            groups[left.min(right)].extend(moved);
        }
    }
    groups
}

/// For each set of topics the gap between contacts that ends an episode; no topic is in two sets. What follows within
/// `contact` on the same channel is one contact.
fn idle_of_each(log: &TouchpointLog, sets: &[Vec<u32>], contact: i64) -> Vec<Option<i64>> {
    // Several steps at one instant say nothing about silence.
    let shortest = if contact > 0 { HOUR } else { MINUTE };
    let set_of = set_of_activity(log, sets);
    let mut gaps: Vec<Gaps> = sets.iter().map(|_| Gaps::default()).collect();
    let mut last: Vec<Option<usize>> = vec![None; sets.len()];
    for unit in log.each_unit() {
        for row in 0..unit.at.len() {
            let Some(set) = set_of[unit.activity[row] as usize] else { continue };
            if let Some(before) = last[set].replace(row)
                && !unit.continues_contact(before, row, contact)
            {
                gaps[set].ended(unit.at[row] - unit.at[before]);
            }
        }
        let end = unit.at.last().copied().unwrap_or(0);
        for (gaps, last) in gaps.iter_mut().zip(&mut last) {
            if let Some(before) = last.take() {
                gaps.censored(end - unit.at[before]);
            }
        }
    }
    gaps.iter().map(|gaps| gaps.idle(shortest)).collect()
}

fn set_of_activity(log: &TouchpointLog, sets: &[Vec<u32>]) -> Vec<Option<usize>> {
    let set_of = |activity: u32| sets.iter().position(|set| set.contains(&log.topic_of(activity)));
    (0..log.activity_count() as u32).map(set_of).collect()
}

/// Two topics that belong together, by their places.
struct Pair {
    first: usize,
    second: usize,
    /// Within this time after the first's begin the second begins most clearly more often than by chance.
    wait: i64,
}

/// Waits between begins of episodes, for each ordered pair of topics.
struct Waits {
    topics: usize,
    limits: [i64; BINS],
    /// Episodes of each topic.
    episodes: Vec<f64>,
    /// By pair and bin: from a begin of the first to the next of the second, and back from the second to the first.
    onward: Vec<[f32; BINS]>,
    back: Vec<[f32; BINS]>,
    /// The same from any moment, cumulated, weighed like the episodes.
    onward_by_chance: Vec<[f32; BINS]>,
    back_by_chance: Vec<[f32; BINS]>,
}

impl Waits {
    fn of(log: &TouchpointLog, topics: &[u32], idle: &[Option<i64>]) -> Self {
        let sets: Vec<Vec<u32>> = topics.iter().map(|&topic| vec![topic]).collect();
        let index_of = set_of_activity(log, &sets);
        let pairs = topics.len() * topics.len();
        let mut waits = Self {
            topics: topics.len(),
            limits: limits(),
            episodes: vec![0.0; topics.len()],
            onward: vec![[0.0; BINS]; pairs],
            back: vec![[0.0; BINS]; pairs],
            onward_by_chance: vec![[0.0; BINS]; pairs],
            back_by_chance: vec![[0.0; BINS]; pairs],
        };
        let mut begins: Vec<Vec<i64>> = vec![Vec::new(); topics.len()];
        let mut last: Vec<Option<usize>> = vec![None; topics.len()];
        for unit in log.each_unit() {
            begins_of_episodes(&unit, &index_of, idle, &mut begins, &mut last);
            waits.add(&unit, &begins);
            begins.iter_mut().for_each(Vec::clear);
            last.iter_mut().for_each(|last| *last = None);
        }
        waits
    }

    fn add(&mut self, unit: &Unit<'_>, begins: &[Vec<i64>]) {
        let (Some(&from), Some(&to)) = (unit.at.first(), unit.at.last()) else { return };
        let present: Vec<usize> = (0..begins.len()).filter(|&topic| !begins[topic].is_empty()).collect();
        for &second in &present {
            self.episodes[second] += begins[second].len() as f64;
            let onward = self.by_chance(std::iter::once(from).chain(begins[second].iter().copied()), to - from);
            let back = self.by_chance(begins[second].iter().copied().chain([to]), to - from);
            for &first in present.iter().filter(|&&first| first != second) {
                let weight = begins[first].len() as f32;
                let (pair, reverse) = (first * self.topics + second, second * self.topics + first);
                for bin in 0..BINS {
                    self.onward_by_chance[pair][bin] += weight * onward[bin];
                    // Back from `first` to `second`: the pair in which `second` comes first.
                    self.back_by_chance[reverse][bin] += weight * back[bin];
                }
                for wait in waits(&begins[first], &begins[second]) {
                    if let Some(number) = self.onward[pair].get_mut(bin_of(&self.limits, wait)) {
                        *number += 1.0;
                    }
                }
                for wait in waits_back(&begins[second], &begins[first]) {
                    if let Some(number) = self.back[pair].get_mut(bin_of(&self.limits, wait)) {
                        *number += 1.0;
                    }
                }
            }
        }
    }

    /// The share of moments in a span from which the wait to the end of their interval is within each limit.
    fn by_chance(&self, ends: impl Iterator<Item = i64>, span: i64) -> [f32; BINS] {
        let mut shares = [0.0_f32; BINS];
        if span <= 0 {
            return [1.0; BINS];
        }
        let mut before: Option<i64> = None;
        for end in ends {
            if let Some(before) = before.replace(end) {
                for (share, limit) in shares.iter_mut().zip(&self.limits) {
                    *share += (end - before).min(*limit) as f32 / span as f32;
                }
            }
        }
        shares
    }

    /// Pairs of topics that belong together.
    fn pairs(&self) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for first in 0..self.topics {
            for second in (0..self.topics).filter(|&second| second != first) {
                let pair = first * self.topics + second;
                let onward = (&self.onward[pair], &self.onward_by_chance[pair], self.episodes[first]);
                let back = (&self.back[pair], &self.back_by_chance[pair], self.episodes[second]);
                if let (Some(wait), Some(_)) = (self.regular_wait(onward), self.regular_wait(back)) {
                    pairs.push(Pair { first, second, wait });
                }
            }
        }
        pairs
    }

    /// Puts groups to a larger one of which they are a part that does not always occur: a cancellation or a reminder
    /// that nearly always comes soon after one of its events, though few of those are followed by it, or a prelude.
    fn attach_parts(&self, groups: &mut Vec<Vec<usize>>) {
        let size = |group: &[usize]| group.iter().map(|&topic| self.episodes[topic]).sum::<f64>();
        groups.sort_by(|left, right| size(right).total_cmp(&size(left)));
        for place in (1..groups.len()).rev() {
            let part_of = |whole: &[usize]| {
                let pairs = whole.iter().flat_map(|&one| groups[place].iter().map(move |&part| (one, part)));
                pairs.filter_map(|(one, part)| self.is_beside(one, part)).max_by(f64::total_cmp)
            };
            let target = groups[..place]
                .iter()
                .enumerate()
                .filter(|(_, group)| group.len() > 1)
                .filter_map(|(whole, group)| Some((whole, part_of(group)?)))
                .max_by(|left, right| left.1.total_cmp(&right.1));
            if let Some((whole, _)) = target {
                let part = groups.remove(place);
                groups[whole].extend(part);
            }
        }
    }

    /// How far beyond chance `part` comes soon after `one`, or `one` soon after `part`, of the episodes of `part`.
    fn is_beside(&self, one: usize, part: usize) -> Option<f64> {
        let (after, before) = (one * self.topics + part, part * self.topics + one);
        let after = (&self.back[after], &self.back_by_chance[after], self.episodes[part]);
        let before = (&self.onward[before], &self.onward_by_chance[before], self.episodes[part]);
        let beside = [after, before].into_iter().map(|waits| self.farthest_beyond_chance(waits));
        let beside = beside.filter(|(distance, share, _)| *distance >= ATTACHED_DISTANCE && *share >= ATTACHED_SHARE);
        beside.map(|(distance, ..)| distance).max_by(f64::total_cmp)
    }

    /// The wait within which most episodes are followed, more than by chance; `None` when they are not.
    fn regular_wait(&self, waits: (&[f32; BINS], &[f32; BINS], f64)) -> Option<i64> {
        let (distance, share, wait) = self.farthest_beyond_chance(waits);
        (distance >= LEAST_DISTANCE && share >= LEAST_SHARE).then_some(wait)
    }

    /// The largest distance between waits and chance, the share reached there, and the wait.
    fn farthest_beyond_chance(
        &self,
        (waits, by_chance, episodes): (&[f32; BINS], &[f32; BINS], f64),
    ) -> (f64, f64, i64) {
        let mut reached = 0.0;
        let mut best = (0.0, 0.0, 0);
        for (bin, limit) in self.limits.iter().enumerate().take_while(|(_, limit)| **limit <= LONGEST_WAIT) {
            reached += f64::from(waits[bin]) / episodes;
            let distance = reached - f64::from(by_chance[bin]) / episodes;
            if distance > best.0 {
                best = (distance, reached, *limit);
            }
        }
        best
    }
}

/// When each topic's episodes begin; a topic without episodes begins anew with each contact.
fn begins_of_episodes(
    unit: &Unit<'_>,
    index_of: &[Option<usize>],
    idle: &[Option<i64>],
    begins: &mut [Vec<i64>],
    last: &mut [Option<usize>],
) {
    for row in 0..unit.at.len() {
        let Some(topic) = index_of[unit.activity[row] as usize] else { continue };
        let goes_on = last[topic].is_some_and(|before| {
            unit.continues_contact(before, row, SAME_CONTACT)
                || unit.at[row] - unit.at[before] <= idle[topic].unwrap_or(0)
        });
        last[topic] = Some(row);
        if !goes_on {
            begins[topic].push(unit.at[row]);
        }
    }
}

/// From each of `from` to the first of `to` at or after it; both ascending.
fn waits<'a>(from: &'a [i64], to: &'a [i64]) -> impl Iterator<Item = i64> + 'a {
    from.iter().filter_map(move |&begin| to.get(to.partition_point(|&other| other < begin)).map(|other| other - begin))
}

/// From each of `from` back to the last of `to` at or before it.
fn waits_back<'a>(from: &'a [i64], to: &'a [i64]) -> impl Iterator<Item = i64> + 'a {
    from.iter().filter_map(move |&begin| {
        let after = to.partition_point(|&other| other <= begin);
        after.checked_sub(1).map(|place| begin - to[place])
    })
}
