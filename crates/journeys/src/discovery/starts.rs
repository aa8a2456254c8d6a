//! Which events open the episodes of a group of topics.

use crate::discovery::lengths::days;
use crate::discovery::log::TouchpointLog;
use crate::discovery::options::DiscoveryOptions;
use crate::discovery::topics::Group;

/// Least share of the group's episodes of several contacts that an event opens.
const LEAST_OPENED: f64 = 0.05;
/// Of the episodes in which an event occurs, it opens at least this share.
const LEAST_FIRST: f64 = 0.5;
/// Of the episodes an event opens, at least this share goes on to another contact; less is everyday contact.
const LEAST_GOING_ON: f64 = 0.5;

/// What is known of an activity as an opening.
#[derive(Debug, Clone, Copy, Default)]
struct Opening {
    opened: usize,
    opened_and_went_on: usize,
    occurred_in: usize,
}

/// The activities that open episodes, commonest first: those that stand first after a quiet time.
///
/// An episode that begins within `idle` of the log's begin may have begun before it, so it does not count.
///
/// # Errors
/// Why there is none, in words.
pub(crate) fn opening_activities(
    log: &TouchpointLog,
    group: &Group,
    idle: i64,
    options: &DiscoveryOptions,
) -> Result<Vec<u32>, String> {
    let known_from = log.begin().saturating_add(idle);
    let mut openings = vec![Opening::default(); log.activity_count()];
    let mut episode: Vec<usize> = Vec::new();
    let is_member: Vec<bool> = (0..log.activity_count() as u32).map(|activity| group.contains(log, activity)).collect();
    for unit in log.each_unit() {
        let rows = (0..unit.at.len()).filter(|&row| is_member[unit.activity[row] as usize]);
        for row in rows {
            if episode.last().is_some_and(|&before| unit.at[row] - unit.at[before] > idle) {
                count(&unit, &mut episode, known_from, &mut openings);
            }
            episode.push(row);
        }
        count(&unit, &mut episode, known_from, &mut openings);
    }
    let episodes: usize = openings.iter().map(|opening| opening.opened).sum();
    let going_on: usize = openings.iter().map(|opening| opening.opened_and_went_on).sum();
    if episodes < options.minimum_episodes {
        return Err(format!("fewer than {} episodes", options.minimum_episodes));
    }
    let mut found: Vec<u32> = (0..openings.len() as u32)
        .filter(|&activity| {
            let Opening { opened, opened_and_went_on, occurred_in } = openings[activity as usize];
            let (opened, went_on) = (opened as f64, opened_and_went_on as f64);
            opened > 0.0
                && went_on >= LEAST_OPENED * going_on as f64
                && went_on >= LEAST_GOING_ON * opened
                && opened >= LEAST_FIRST * occurred_in as f64
        })
        .collect();
    found.sort_by_key(|&activity| std::cmp::Reverse(openings[activity as usize].opened_and_went_on));
    if found.is_empty() {
        let share = 100.0 * going_on as f64 / episodes as f64;
        return Err(format!(
            "no event opens episodes that go on; {share:.0} % have more than one contact within {:.1} days",
            days(idle)
        ));
    }
    Ok(found)
}

/// Counts an episode's activities and empties it.
fn count(unit: &crate::discovery::log::Unit<'_>, episode: &mut Vec<usize>, known_from: i64, openings: &mut [Opening]) {
    if let Some(&first) = episode.first()
        && unit.at[first] >= known_from
    {
        let went_on = episode.windows(2).any(|pair| !unit.continues_contact(pair[0], pair[1]));
        let opening = &mut openings[unit.activity[first] as usize];
        opening.opened += 1;
        opening.opened_and_went_on += usize::from(went_on);
        let mut activities: Vec<u32> = episode.iter().map(|&row| unit.activity[row]).collect();
        activities.sort_unstable();
        activities.dedup();
        for activity in activities {
            openings[activity as usize].occurred_in += 1;
        }
    }
    episode.clear();
}
