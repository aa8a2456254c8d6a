//! A candidate in the words of a journey definition.

use crate::discovery::ends::Outline;
use crate::discovery::log::{Topic, TouchpointLog};
use crate::discovery::topics::Group;

/// Longest name made of topics.
const LONGEST_NAME: usize = 20;
/// Longest name made of two events.
const LONGEST_OF_EVENTS: usize = 40;

/// A candidate journey: conditions in SQL, limits in microseconds, and what was seen in the log.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// `snake_case`, from its topics; names of two candidates may be equal.
    pub name: String,
    /// What its touchpoints are about.
    pub topics: Vec<String>,
    /// Events that open it.
    pub start_events: Vec<String>,
    /// The events after which it stops, the commonest first; there is one at least.
    pub end_events: Vec<String>,
    /// Other events after which it stops.
    pub abandon_events: Vec<String>,
    /// Condition that opens an instance.
    pub starts: String,
    /// Condition that completes it.
    pub ends: String,
    /// Condition that abandons it.
    pub abandons: Option<String>,
    /// Condition of its other members.
    pub includes: String,
    /// Limit from the first touchpoint.
    pub within: i64,
    /// Limit between two members; none where a case is an episode.
    pub idle: Option<i64>,
    /// Whether a second start begins another instance.
    pub split: bool,
    /// Episodes over, in the log.
    pub episodes: usize,
    /// Of them, those that reached an end.
    pub completed: usize,
    /// Of the episodes in which an end occurs, the share that stops there.
    pub stopping_share: f64,
    /// The commonest sequences of events.
    pub variants: Vec<Variant>,
    /// How many different sequences there are.
    pub different_variants: usize,
    /// Events that nearly every completed episode goes through, in their usual order.
    pub milestones: Vec<String>,
}

/// A sequence of events, repetitions folded.
#[derive(Debug, Clone)]
pub struct Variant {
    /// The events.
    pub events: Vec<String>,
    /// Episodes that went so.
    pub episodes: usize,
}

impl Candidate {
    pub(crate) fn of(log: &TouchpointLog, group: &Group, outline: &Outline) -> Self {
        let condition = |activities: &[u32]| event_condition(log, group, activities);
        let variants =
            outline.paths.iter().map(|(path, episodes)| Variant { events: folded(log, path), episodes: *episodes });
        Self {
            name: name(log, group, outline),
            topics: group.topics.iter().map(|&topic| log.topic_text(topic)).collect(),
            start_events: events(log, &outline.starts),
            end_events: events(log, &outline.ends),
            abandon_events: events(log, &outline.abandons),
            starts: condition(&outline.starts),
            ends: condition(&outline.ends),
            abandons: (!outline.abandons.is_empty()).then(|| condition(&outline.abandons)),
            includes: topic_condition(log, &group.topics),
            within: outline.within,
            idle: outline.idle,
            split: outline.split,
            episodes: outline.episodes,
            completed: outline.completed,
            stopping_share: outline.stopping_share,
            variants: variants.collect(),
            different_variants: outline.different_paths,
            milestones: outline.milestones.clone(),
        }
    }
}

fn events(log: &TouchpointLog, activities: &[u32]) -> Vec<String> {
    let mut events: Vec<String> = Vec::new();
    for &activity in activities {
        let event = &log.activity(activity).event;
        if !events.contains(event) {
            events.push(event.clone());
        }
    }
    events
}

/// Activities with the same event and different topics are one step.
fn folded(log: &TouchpointLog, path: &[u32]) -> Vec<String> {
    let mut events: Vec<String> = path.iter().map(|&activity| log.activity(activity).event.clone()).collect();
    events.dedup();
    events
}

/// The topics as a name: all, the first and the last, or the first, whatever is not too long. Where events stand for
/// themselves, where it begins and where it ends.
fn name(log: &TouchpointLog, group: &Group, outline: &Outline) -> String {
    if let [start, ..] = outline.starts[..]
        && let [end, ..] = outline.ends[..]
        && matches!(log.topic(log.topic_of(start)), Topic::AnyOfEvent(_))
    {
        let [start, end] = [start, end].map(|activity| snake_case(&log.activity(activity).event));
        let both = format!("{start}_to_{end}");
        return if both.len() <= LONGEST_OF_EVENTS { both } else { start };
    }
    let parts: Vec<String> = group
        .topics
        .iter()
        .map(|&topic| match log.topic(topic) {
            Topic::Named(name) | Topic::OfEvent(name) | Topic::AnyOfEvent(name) => snake_case(name),
        })
        .collect();
    let whole = parts.join("_");
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return whole };
    let ends = format!("{first}_to_{last}");
    match (whole.len() <= LONGEST_NAME || parts.len() == 1, ends.len() <= LONGEST_NAME) {
        (true, _) => whole,
        (false, true) => ends,
        (false, false) => first.clone(),
    }
}

/// Letters, digits and single underscores, a letter in front.
fn snake_case(text: &str) -> String {
    let mut name = String::new();
    for sign in text.chars() {
        if sign.is_ascii_alphanumeric() {
            name.push(sign.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    let name = name.trim_end_matches('_');
    if name.starts_with(|sign: char| sign.is_ascii_alphabetic()) { name.to_owned() } else { format!("about_{name}") }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn one_of(column: &str, values: &[String]) -> String {
    match values {
        [value] => format!("{column} = {}", quoted(value)),
        values => {
            let list: Vec<String> = values.iter().map(|value| quoted(value)).collect();
            format!("{column} IN ({})", list.join(", "))
        }
    }
}

/// The events, narrowed to the group's topics where they occur with others too.
fn event_condition(log: &TouchpointLog, group: &Group, activities: &[u32]) -> String {
    let events = events(log, activities);
    let condition = one_of("event", &events);
    if events.iter().all(|event| log.event_is_only_about(event, &group.topics)) {
        return condition;
    }
    let mut topics: Vec<u32> = activities.iter().map(|&activity| log.topic_of(activity)).collect();
    topics.sort_unstable();
    topics.dedup();
    format!("{condition} AND ({})", topic_condition(log, &topics))
}

fn topic_condition(log: &TouchpointLog, topics: &[u32]) -> String {
    let mut named = Vec::new();
    let mut of_events = Vec::new();
    let mut any_of_events = Vec::new();
    for &topic in topics {
        match log.topic(topic) {
            Topic::Named(name) => named.push(name.clone()),
            Topic::OfEvent(event) => of_events.push(event.clone()),
            Topic::AnyOfEvent(event) => any_of_events.push(event.clone()),
        }
    }
    if !any_of_events.is_empty() {
        return one_of("event", &any_of_events);
    }
    let without = || format!("topic IS NULL AND {}", one_of("event", &of_events));
    match (named.is_empty(), of_events.is_empty()) {
        (false, true) => one_of("topic", &named),
        (true, _) => without(),
        (false, false) => format!("{} OR ({})", one_of("topic", &named), without()),
    }
}
