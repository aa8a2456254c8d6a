//! Which events open the episodes of a group of topics.

use crate::discovery::chance::Place;
use crate::discovery::lengths::length;
use crate::discovery::log::{TouchpointLog, Unit};
use crate::discovery::options::DiscoveryOptions;
use crate::discovery::quiet::Quiet;
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
    place: Place,
}

/// The activities that open episodes, commonest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Openings {
    /// Those that stand first after a quiet time, more often than elsewhere and than by chance.
    pub(crate) clear: Vec<u32>,
    /// Others that open a good part of the episodes, though they are common on the way as well.
    pub(crate) also: Vec<u32>,
}

/// Reads which activities open the episodes of a group.
///
/// Where a silence is what opens an episode, one that begins within that silence of the log's begin may have begun
/// before it, so it does not count.
///
/// # Errors
/// Why there is none, in words.
pub(crate) fn openings(
    log: &TouchpointLog,
    group: &Group,
    quiet: Quiet,
    options: &DiscoveryOptions,
) -> Result<Openings, String> {
    let known_from = if quiet.cuts() { log.begin().saturating_add(quiet.cut) } else { i64::MIN };
    let mut openings = vec![Opening::default(); log.activity_count()];
    let mut episode: Vec<usize> = Vec::new();
    let is_member = group.members(log);
    for unit in log.each_unit() {
        let rows = (0..unit.at.len()).filter(|&row| is_member[unit.activity[row] as usize]);
        for row in rows {
            if episode.last().is_some_and(|&before| unit.at[row] - unit.at[before] > quiet.cut) {
                count(&unit, &mut episode, known_from, quiet, &mut openings);
            }
            episode.push(row);
        }
        count(&unit, &mut episode, known_from, quiet, &mut openings);
    }
    let episodes: usize = openings.iter().map(|opening| opening.opened).sum();
    let going_on: usize = openings.iter().map(|opening| opening.opened_and_went_on).sum();
    if episodes < options.minimum_episodes {
        return Err(format!("fewer than {} episodes", options.minimum_episodes));
    }
    let is_common = |opening: &Opening| {
        let went_on = opening.opened_and_went_on as f64;
        opening.opened > 0 && went_on >= LEAST_OPENED * going_on as f64
    };
    let is_clear = |opening: &Opening| {
        opening.opened_and_went_on as f64 >= LEAST_GOING_ON * opening.opened as f64
            && opening.opened as f64 >= LEAST_FIRST * opening.occurred_in as f64
            && opening.place.beats_chance()
    };
    let mut common: Vec<u32> =
        (0..openings.len() as u32).filter(|&activity| is_common(&openings[activity as usize])).collect();
    common.sort_by_key(|&activity| std::cmp::Reverse(openings[activity as usize].opened_and_went_on));
    let (clear, also): (Vec<u32>, Vec<u32>) =
        common.into_iter().partition(|&activity| is_clear(&openings[activity as usize]));
    let in_order = also.iter().any(|&activity| openings[activity as usize].place.beats_chance());
    if clear.is_empty() && !(quiet.absorbs && in_order) {
        return Err(why_none(episodes, going_on, quiet));
    }
    Ok(Openings { clear, also })
}

fn why_none(episodes: usize, going_on: usize, quiet: Quiet) -> String {
    let share = 100.0 * going_on as f64 / episodes as f64;
    let within = if quiet.cuts() { format!(" within {}", length(quiet.cut)) } else { String::new() };
    format!(
        "no event opens episodes that go on, more often than if they came in any order; {share:.0} % have more than \
         one contact{within}"
    )
}

/// Counts an episode's activities and empties it.
fn count(unit: &Unit<'_>, episode: &mut Vec<usize>, known_from: i64, quiet: Quiet, openings: &mut [Opening]) {
    if let Some(&first) = episode.first()
        && unit.at[first] >= known_from
    {
        let went_on = episode.windows(2).any(|pair| !unit.continues_contact(pair[0], pair[1], quiet.contact));
        let opening = &mut openings[unit.activity[first] as usize];
        opening.opened += 1;
        opening.opened_and_went_on += usize::from(went_on);
        let mut activities: Vec<u32> = episode.iter().map(|&row| unit.activity[row]).collect();
        activities.sort_unstable();
        for of_one in activities.chunk_by(|left, right| left == right) {
            let opening = &mut openings[of_one[0] as usize];
            opening.occurred_in += 1;
            opening.place.add(of_one.len(), episode.len(), of_one[0] == unit.activity[first]);
        }
    }
    episode.clear();
}
