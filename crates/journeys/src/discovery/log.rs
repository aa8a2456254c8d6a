//! The touchpoints of customers in memory, names as numbers: some 16 bytes a touchpoint.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;

use crate::discovery::lengths::MINUTE;

/// Touchpoints on one channel that are no further apart belong to one contact: a visit to the web site is one, however
/// many pages were looked at. Half an hour is the convention of web analytics.
pub(crate) const SAME_CONTACT: i64 = 30 * MINUTE;

/// Times beyond some seventy thousand years are taken for that, so that no difference of two overflows.
const FARTHEST: i64 = 1 << 61;

/// Most different events and topics; past it a column is free text, not a code.
const MOST_NAMES: usize = 20_000;

/// Rows that cannot be put into a log.
#[derive(Debug)]
pub enum LogError {
    /// A column of another type.
    Columns(ArrowError),
    /// Free text or numbers where codes are expected.
    TooManyNames {
        /// One of them.
        example: String,
    },
}

impl fmt::Display for LogError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Columns(error) => write!(formatter, "the touchpoints cannot be read: {error}"),
            Self::TooManyNames { example } => write!(
                formatter,
                "the touchpoints have more than {MOST_NAMES} different pairs of event and topic, such as `{example}`"
            ),
        }
    }
}

impl std::error::Error for LogError {}

impl From<ArrowError> for LogError {
    fn from(error: ArrowError) -> Self {
        Self::Columns(error)
    }
}

/// What happened, and what it was about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Activity {
    pub(crate) event: String,
    pub(crate) topic: Option<String>,
}

/// Time-ordered touchpoints of units, each a customer, or a customer and a case.
#[derive(Debug, Default)]
pub struct TouchpointLog {
    /// First row of each unit.
    firsts: Vec<usize>,
    at: Vec<i64>,
    activity: Vec<u32>,
    channel: Vec<u32>,
    activities: Vec<Activity>,
    topic_of: Vec<u32>,
    topics: Vec<Topic>,
    known: HashMap<Activity, u32>,
    known_topics: HashMap<Topic, u32>,
    channels: HashMap<String, u32>,
    last_unit: Option<String>,
}

/// A topic; a touchpoint without one is about its event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    Named(String),
    OfEvent(String),
    /// An event whatever its topic: topics play no part.
    AnyOfEvent(String),
}

/// A unit's rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit<'a> {
    pub(crate) at: &'a [i64],
    pub(crate) activity: &'a [u32],
    pub(crate) channel: &'a [u32],
}

impl Unit<'_> {
    /// Whether the row belongs to the contact of the row `before`: the same channel, not more than `contact` later.
    pub(crate) fn continues_contact(&self, before: usize, row: usize, contact: i64) -> bool {
        self.channel[before] == self.channel[row] && self.at[row] - self.at[before] <= contact && contact > 0
    }
}

impl TouchpointLog {
    /// Adds rows: unit, occurred_at, channel, event and topic in this order, sorted by unit and time; the units of a
    /// batch follow those of the batch before. Rows without unit, time or event are passed over.
    ///
    /// # Errors
    /// A column of another type, or free text as event or topic.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), LogError> {
        let text = |index: usize| -> Result<StringArray, ArrowError> {
            Ok(cast(batch.column(index), &DataType::Utf8)?.as_string::<i32>().clone())
        };
        let time = cast(batch.column(1), &DataType::Timestamp(TimeUnit::Microsecond, None))?;
        let time = time.as_primitive::<TimestampMicrosecondType>();
        let (units, channels, events, topics) = (text(0)?, text(2)?, text(3)?, text(4)?);
        for row in 0..batch.num_rows() {
            if units.is_null(row) || time.is_null(row) || events.is_null(row) {
                continue;
            }
            if self.last_unit.as_deref() != Some(units.value(row)) {
                self.last_unit = Some(units.value(row).to_owned());
                self.firsts.push(self.at.len());
            }
            let channel = if channels.is_valid(row) { channels.value(row) } else { "" };
            let topic = topics.is_valid(row).then(|| topics.value(row));
            let (channel, activity) = (self.channel_number(channel), self.activity_number(events.value(row), topic)?);
            self.at.push(time.value(row).clamp(-FARTHEST, FARTHEST));
            self.channel.push(channel);
            self.activity.push(activity);
        }
        Ok(())
    }

    fn channel_number(&mut self, channel: &str) -> u32 {
        match self.channels.get(channel) {
            Some(number) => *number,
            None => {
                let number = self.channels.len() as u32;
                self.channels.insert(channel.to_owned(), number);
                number
            }
        }
    }

    fn activity_number(&mut self, event: &str, topic: Option<&str>) -> Result<u32, LogError> {
        let activity = Activity { event: event.to_owned(), topic: topic.map(str::to_owned) };
        if let Some(number) = self.known.get(&activity) {
            return Ok(*number);
        }
        if self.activities.len() == MOST_NAMES {
            let topic = topic.map(|topic| format!(" about {topic}")).unwrap_or_default();
            return Err(LogError::TooManyNames { example: format!("{event}{topic}").chars().take(60).collect() });
        }
        let topic = match &activity.topic {
            Some(topic) => Topic::Named(topic.clone()),
            None => Topic::OfEvent(activity.event.clone()),
        };
        let next = self.topics.len() as u32;
        let topic_number = *self.known_topics.entry(topic.clone()).or_insert(next);
        if topic_number == next {
            self.topics.push(topic);
        }
        let number = self.activities.len() as u32;
        self.topic_of.push(topic_number);
        self.activities.push(activity.clone());
        self.known.insert(activity, number);
        Ok(number)
    }

    /// Customers, or cases.
    pub fn units(&self) -> usize {
        self.firsts.len()
    }

    /// Touchpoints of all units.
    pub fn touchpoints(&self) -> usize {
        self.at.len()
    }

    pub(crate) fn each_unit(&self) -> impl Iterator<Item = Unit<'_>> {
        let ends = self.firsts.iter().skip(1).copied().chain([self.at.len()]);
        self.firsts.iter().zip(ends).map(|(&from, to)| Unit {
            at: &self.at[from..to],
            activity: &self.activity[from..to],
            channel: &self.channel[from..to],
        })
    }

    /// Different events.
    pub fn events(&self) -> BTreeSet<&str> {
        self.activities.iter().map(|activity| activity.event.as_str()).collect()
    }

    /// The earliest touchpoint: what was before it is not known.
    pub(crate) fn begin(&self) -> i64 {
        self.at.iter().copied().min().unwrap_or(i64::MAX)
    }

    /// The latest touchpoint.
    pub(crate) fn end(&self) -> i64 {
        self.at.iter().copied().max().unwrap_or(i64::MIN)
    }

    /// Whether topics tell touchpoints apart: there are two or more, and most touchpoints have one.
    pub(crate) fn has_topics(&self) -> bool {
        let named = |topic: &u32| matches!(self.topics[*topic as usize], Topic::Named(_));
        let with = self.activity.iter().filter(|activity| named(&self.topic_of[**activity as usize])).count();
        self.topics.iter().filter(|topic| matches!(topic, Topic::Named(_))).count() > 1 && 2 * with > self.at.len()
    }

    /// From here on each event stands for itself, whatever its touchpoints are about.
    pub(crate) fn forget_topics(&mut self) {
        self.topics.clear();
        let mut known: HashMap<&str, u32> = HashMap::new();
        for (activity, topic) in self.activities.iter().zip(&mut self.topic_of) {
            let next = self.topics.len() as u32;
            *topic = *known.entry(activity.event.as_str()).or_insert(next);
            if *topic == next {
                self.topics.push(Topic::AnyOfEvent(activity.event.clone()));
            }
        }
    }

    pub(crate) fn touchpoints_by_topic(&self) -> Vec<usize> {
        let mut counts = vec![0; self.topics.len()];
        for &activity in &self.activity {
            counts[self.topic_of(activity) as usize] += 1;
        }
        counts
    }

    pub(crate) fn topic_count(&self) -> usize {
        self.topics.len()
    }

    pub(crate) fn activity_count(&self) -> usize {
        self.activities.len()
    }

    pub(crate) fn topic_of(&self, activity: u32) -> u32 {
        self.topic_of[activity as usize]
    }

    pub(crate) fn activity(&self, activity: u32) -> &Activity {
        &self.activities[activity as usize]
    }

    pub(crate) fn topic(&self, topic: u32) -> &Topic {
        &self.topics[topic as usize]
    }

    pub(crate) fn topic_text(&self, topic: u32) -> String {
        match self.topic(topic) {
            Topic::Named(name) => name.clone(),
            Topic::OfEvent(event) => format!("({event}, no topic)"),
            Topic::AnyOfEvent(event) => event.clone(),
        }
    }

    /// Whether every activity with this event has a topic of `topics`.
    pub(crate) fn event_is_only_about(&self, event: &str, topics: &[u32]) -> bool {
        let named = self.activities.iter().zip(&self.topic_of).filter(|(activity, _)| activity.event == event);
        let mut named = named.map(|(_, topic)| topic);
        named.all(|topic| topics.contains(topic))
    }
}
