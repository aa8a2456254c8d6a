//! Which topics, or events, belong together when episodes are known: those that occur in the same episodes.
//!
//! Where a key tells cases apart, or a silence does, no waits have to be compared. Two belong together when most
//! episodes with the rarer one hold the commoner one too, and clearly more of them than of all episodes do, so that
//! what is frequent by itself joins nothing. So a cancellation or a reminder, which few episodes have, joins those it
//! occurs with. What is in nearly all episodes is part of all, and they are one journey; where that leads nowhere, only
//! what comes together in most episodes of either is looked at, as the checkout among all that is done in a shop.

use crate::discovery::log::{TouchpointLog, Unit};
use crate::discovery::quiet::Quiet;
use crate::discovery::topics::Group;

/// Of the episodes with the rarer one, at least this share holds the other.
const LEAST_TOGETHER: f64 = 0.5;
/// And this much of what is left to a full share, beyond the share of all episodes that hold it.
const LEAST_BEYOND: f64 = 0.3;
/// One in so large a share of all episodes is part of whatever they are.
const EVERYWHERE: f64 = 0.8;
/// Rarer ones are not judged.
const FEWEST_EPISODES: u32 = 3;
/// Only this many, those in most episodes, are held against each other.
const MOST_NODES: usize = 300;

/// What belongs together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ties {
    /// What is in nearly all episodes belongs to everything.
    WithTheCommonest,
    /// Only what occurs together in most episodes of either: parts of episodes, such as a checkout.
    Mutual,
}

/// The groups of `log` by the episodes that `quiet` makes of each unit.
pub(crate) fn groups(log: &TouchpointLog, quiet: Quiet, ties: Ties) -> Vec<Group> {
    let counts = Together::of(log, quiet);
    let mut group_of: Vec<usize> = (0..counts.nodes.len()).collect();
    for (right, left) in counts.pairs(ties) {
        let (from, to) = (group_of[right].max(group_of[left]), group_of[right].min(group_of[left]));
        group_of.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
    }
    let mut groups: Vec<Group> = Vec::new();
    for number in 0..counts.nodes.len() {
        let members: Vec<usize> = (0..counts.nodes.len()).filter(|&node| group_of[node] == number).collect();
        if members.is_empty() {
            continue;
        }
        // In the order in which they usually begin.
        let mut ordered = members.clone();
        ordered.sort_by(|&left, &right| counts.usual_place(left).total_cmp(&counts.usual_place(right)));
        groups.push(Group {
            topics: ordered.iter().map(|&node| counts.nodes[node]).collect(),
            touchpoints: members.iter().map(|&node| counts.touchpoints[node]).sum(),
            quiet: Some(quiet),
        });
    }
    groups
}

/// In how many episodes topics occur, alone and with each other.
struct Together {
    /// Numbers of topics.
    nodes: Vec<u32>,
    touchpoints: Vec<usize>,
    episodes: u32,
    occurred: Vec<u32>,
    both: Vec<u32>,
    /// Sum of the shares of the way at which they first occur.
    places: Vec<f64>,
}

impl Together {
    fn of(log: &TouchpointLog, quiet: Quiet) -> Self {
        let touchpoints = log.touchpoints_by_topic();
        let mut nodes: Vec<u32> = (0..log.topic_count() as u32).collect();
        nodes.sort_by_key(|&topic| std::cmp::Reverse(touchpoints[topic as usize]));
        nodes.truncate(MOST_NODES);
        let mut node_of = vec![None; log.topic_count()];
        for (node, &topic) in nodes.iter().enumerate() {
            node_of[topic as usize] = Some(node);
        }
        let number = nodes.len();
        let mut counts = Self {
            touchpoints: nodes.iter().map(|&topic| touchpoints[topic as usize]).collect(),
            nodes,
            episodes: 0,
            occurred: vec![0; number],
            both: vec![0; number * number],
            places: vec![0.0; number],
        };
        for unit in log.each_unit() {
            let mut first = 0;
            for row in 1..=unit.at.len() {
                if row == unit.at.len() || unit.at[row] - unit.at[row - 1] > quiet.cut {
                    counts.add(log, &unit, first..row, &node_of);
                    first = row;
                }
            }
        }
        counts
    }

    fn add(&mut self, log: &TouchpointLog, unit: &Unit<'_>, rows: std::ops::Range<usize>, node_of: &[Option<usize>]) {
        let mut seen: Vec<usize> = Vec::new();
        let (begin, length) = (rows.start, rows.len() as f64);
        for row in rows {
            if let Some(node) = node_of[log.topic_of(unit.activity[row]) as usize]
                && !seen.contains(&node)
            {
                seen.push(node);
                self.places[node] += (row - begin) as f64 / length;
            }
        }
        self.episodes += 1;
        for &node in &seen {
            self.occurred[node] += 1;
            for &other in &seen {
                self.both[node * self.nodes.len() + other] += 1;
            }
        }
    }

    fn usual_place(&self, node: usize) -> f64 {
        self.places[node] / f64::from(self.occurred[node].max(1))
    }

    /// Pairs that belong together.
    fn pairs(&self, ties: Ties) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        for rarer in 0..self.nodes.len() {
            if self.occurred[rarer] < FEWEST_EPISODES {
                continue;
            }
            for commoner in 0..self.nodes.len() {
                if rarer == commoner || self.occurred[commoner] < self.occurred[rarer] {
                    continue;
                }
                let both = f64::from(self.both[rarer * self.nodes.len() + commoner]);
                let share = both / f64::from(self.occurred[rarer]);
                let of_all = f64::from(self.occurred[commoner]) / f64::from(self.episodes.max(1));
                let beyond = share - of_all >= LEAST_BEYOND * (1.0 - of_all);
                let back = both / f64::from(self.occurred[commoner]);
                let is_tied = match ties {
                    Ties::WithTheCommonest => beyond || of_all >= EVERYWHERE,
                    Ties::Mutual => beyond && back >= LEAST_TOGETHER,
                };
                if share >= LEAST_TOGETHER && is_tied {
                    pairs.push((rarer, commoner));
                }
            }
        }
        pairs
    }
}
