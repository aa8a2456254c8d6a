//! Walks through the episodes that certain events open and others close.

use crate::discovery::log::{TouchpointLog, Unit};
use crate::discovery::options::DiscoveryOptions;
use crate::discovery::quiet::Quiet;
use crate::discovery::topics::Group;

/// What ends and reopens episodes while they are followed.
pub(crate) struct Roles {
    pub(crate) starts: Vec<bool>,
    pub(crate) ends: Vec<u32>,
    pub(crate) abandons: Vec<u32>,
    pub(crate) split: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    Completed,
    Abandoned,
    Idle,
    Reopened,
    /// Not over when sight ends.
    Open,
}

/// Calls `visit` with each episode's rows and how it closed.
pub(crate) fn follow<'a>(
    log: &'a TouchpointLog,
    group: &Group,
    roles: &Roles,
    quiet: Quiet,
    options: &DiscoveryOptions,
    mut visit: impl FnMut(&Unit<'a>, &[usize], Close),
) {
    let is_member = group.members(log);
    let mut episode: Vec<usize> = Vec::new();
    for unit in log.each_unit() {
        for row in (0..unit.at.len()).filter(|&row| is_member[unit.activity[row] as usize]) {
            let activity = unit.activity[row];
            if episode.last().is_some_and(|&before| unit.at[row] - unit.at[before] > quiet.cut) {
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
            let close = if roles.ends.contains(&activity) {
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
            let over = options.as_of.saturating_sub(unit.at[last]) > quiet.over;
            visit(&unit, &episode, if over { Close::Idle } else { Close::Open });
            episode.clear();
        }
    }
}
