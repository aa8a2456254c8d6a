//! What a column holds, by the values that were looked at.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use throughline_config::ColumnType;
use throughline_lake::reads_as;

use super::times::{EpochUnit, TimeCandidates, TimeReading, Writing, epoch};
use super::words::{any, words};

/// Of more different values than these no longer the values themselves are kept, only their hashes.
const MOST_COUNTED: usize = 2_000;

/// Bytes of a text that is kept.
const LONGEST_COUNTED: usize = 400;

/// So many of the commonest values are kept for comments.
const MOST_SHOWN: usize = 12;

/// Longer texts are no category.
const LONGEST_CATEGORY: usize = 80;

/// Words that programs write where a value is missing.
const MARKERS: &[&str] =
    &["NA", "N/A", "n/a", "na", "NULL", "null", "Null", "None", "none", "NaN", "nan", "-", "\\N", "#N/A"];

/// A number whose name has one of these words may stand for a time.
const TIME_WORDS: &[&str] = &[
    "time",
    "timestamp",
    "ts",
    "date",
    "datetime",
    "at",
    "day",
    "epoch",
    "created",
    "updated",
    "occurred",
    "started",
    "ended",
    "when",
    "start",
    "end",
    "unixtime",
];

/// How the files store a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Storage {
    /// As text, which may stand for anything.
    Text,
    /// As text in files that know types.
    TypedText,
    Whole,
    Number,
    /// As a number that no declared type keeps every digit of.
    Decimal,
    Truth,
    Time {
        has_zone: bool,
    },
    /// As something that no source column is, by its name.
    Other(String),
}

/// What a column's values are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Holds {
    /// Nothing: every value is missing.
    Nothing,
    /// Texts.
    Text,
    /// Whole numbers between these.
    Whole(i64, i64),
    /// Numbers between these.
    Number(f64, f64),
    /// True and false.
    Truth,
    /// Times.
    Time(TimeReading),
    /// Values that SQL takes as they are but that no declared column has, by the name of their type.
    Other(String),
}

/// What is known of a column. Counts are of the rows that were looked at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnProfile {
    /// Its name in the files.
    pub(crate) name: String,
    /// What its values are.
    pub(crate) holds: Holds,
    /// The word that stands where a value is missing, e.g. `NA`, and how often. Then a source has to read the column
    /// as text.
    pub(crate) marker: Option<(String, u64)>,
    /// The type that a source declares for it; `None` where there is none that loses nothing.
    pub(crate) read_as: Option<ColumnType>,
    /// The `strftime` pattern that goes with the type.
    pub(crate) pattern: Option<String>,
    /// Values that are there.
    pub(crate) values: u64,
    /// Values that are missing.
    pub(crate) missing: u64,
    /// Different values.
    pub(crate) distinct: u64,
    /// The commonest values, the most frequent first; empty where there are very many different ones.
    pub(crate) common: Vec<(String, u64)>,
    /// Characters of the longest value.
    pub(crate) longest: usize,
    /// Hashes of the different values, equal for equal values of any two columns.
    pub(crate) hashes: HashSet<u64>,
}

impl ColumnProfile {
    /// Whether no value is missing and none is there twice.
    pub(crate) fn is_unique(&self) -> bool {
        self.values > 1 && self.missing == 0 && self.distinct == self.values && self.marker.is_none()
    }

    /// Whether it has few different values, each of them often.
    pub(crate) fn is_category(&self) -> bool {
        matches!(self.holds, Holds::Text)
            && self.distinct >= 1
            && self.distinct <= 500
            && self.longest <= LONGEST_CATEGORY
            && (self.distinct * 3 <= self.values || self.distinct <= 3)
    }

    /// The times, where it holds any.
    pub(crate) fn time(&self) -> Option<&TimeReading> {
        match &self.holds {
            Holds::Time(reading) => Some(reading),
            _ => None,
        }
    }

    /// Whether it is called a time, by a word that means nothing else, and does not hold any.
    pub(crate) fn is_called_time_only(&self) -> bool {
        let called = words(&self.name);
        let is_time = any(&called, &["timestamp", "date", "datetime"])
            || called.last().is_some_and(|last| last == "at") && called.len() > 1;
        is_time && matches!(self.holds, Holds::Text)
    }

    /// The share of values that are there also in `other`.
    pub(crate) fn share_in(&self, other: &Self) -> f64 {
        if self.hashes.is_empty() {
            return 0.0;
        }
        self.hashes.intersection(&other.hashes).count() as f64 / self.hashes.len() as f64
    }
}

/// Looks at the values of a column one after the other.
pub(crate) struct ColumnObserver {
    name: String,
    storage: Storage,
    missing: u64,
    values: u64,
    markers: HashMap<String, u64>,
    counts: Option<HashMap<String, u64>>,
    hashes: HashSet<u64>,
    longest: usize,
    is_whole: bool,
    is_number: bool,
    is_truth: bool,
    is_code: bool,
    whole: (i64, i64),
    number: (f64, f64),
    times: TimeCandidates,
}

impl ColumnObserver {
    pub(crate) fn new(name: &str, storage: Storage) -> Self {
        Self {
            name: name.to_owned(),
            storage,
            missing: 0,
            values: 0,
            markers: HashMap::new(),
            counts: Some(HashMap::new()),
            hashes: HashSet::new(),
            longest: 0,
            is_whole: true,
            is_number: true,
            is_truth: true,
            is_code: false,
            whole: (i64::MAX, i64::MIN),
            number: (f64::INFINITY, f64::NEG_INFINITY),
            times: TimeCandidates::default(),
        }
    }

    /// Takes in one value as text; `None` where it is missing. Times are written in ISO 8601.
    pub(crate) fn see(&mut self, value: Option<&str>) {
        let value = value.map(str::trim).filter(|text| !text.is_empty());
        let Some(text) = value else {
            self.missing += 1;
            return;
        };
        if self.storage == Storage::Text && MARKERS.contains(&text) {
            *self.markers.entry(text.to_owned()).or_default() += 1;
        } else {
            self.see_reading(text);
        }
        self.values += 1;
        self.longest = self.longest.max(text.chars().count());
        self.hashes.insert(BuildHasherDefault::<DefaultHasher>::default().hash_one(text));
        if let Some(counts) = &mut self.counts {
            match counts.get_mut(text) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(text.to_owned(), 1);
                }
            }
            if counts.len() > MOST_COUNTED || text.len() > LONGEST_COUNTED {
                self.counts = None;
            }
        }
    }

    fn see_reading(&mut self, text: &str) {
        let digits = text.trim_start_matches('-');
        // A number with a zero before it, or with more digits than a number keeps, is a code.
        self.is_code |= digits.bytes().all(|byte| byte.is_ascii_digit())
            && ((digits.len() > 1 && digits.starts_with('0')) || digits.len() > 18);
        // What a value has ruled out is not tried on those after it.
        self.is_whole = self.is_whole && reads_as(text, ColumnType::Int64, None);
        self.is_number = self.is_number && reads_as(text, ColumnType::Float64, None);
        self.is_truth = self.is_truth && reads_as(text, ColumnType::Boolean, None);
        if self.is_whole
            && let Ok(whole) = text.split('.').next().unwrap_or(text).parse::<i64>()
        {
            self.whole = (self.whole.0.min(whole), self.whole.1.max(whole));
        }
        if self.is_number
            && let Ok(number) = text.parse::<f64>()
        {
            self.number = (self.number.0.min(number), self.number.1.max(number));
        }
        if matches!(self.storage, Storage::Text | Storage::TypedText | Storage::Time { .. }) {
            self.times.see(text);
        }
    }

    /// What was found. `now` tells times that are still to come, in microseconds since 1970.
    pub(crate) fn finish(self, now: i64) -> ColumnProfile {
        let marked: u64 = self.markers.values().sum();
        let storage = self.storage.clone();
        let (distinct, longest, missing) = (self.hashes.len() as u64, self.longest, self.missing);
        let common = self.counts.as_ref().map(commonest).unwrap_or_default();
        let (name, values, hashes, markers) =
            (self.name.clone(), self.values, self.hashes.clone(), self.markers.clone());
        let holds = match &storage {
            Storage::Other(data_type) => Holds::Other(data_type.clone()),
            _ if self.values == marked => Holds::Nothing,
            _ => self.holds(now),
        };
        // In a text column `none` is a word like others.
        let marked_as = match holds {
            Holds::Text | Holds::Nothing | Holds::Other(_) => None,
            _ => markers.into_iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0))),
        };
        let marker = marked_as.map(|(word, _)| (word, marked));
        let (read_as, pattern) = declaration(&storage, &holds, marker.is_some());
        ColumnProfile { name, holds, marker, read_as, pattern, values, missing, distinct, common, longest, hashes }
    }

    fn holds(self, now: i64) -> Holds {
        let may_be_time = any(&words(&self.name), TIME_WORDS);
        match self.storage {
            Storage::Other(data_type) => return Holds::Other(data_type),
            Storage::Truth => return Holds::Truth,
            Storage::Time { has_zone } => {
                let reading = self.times.reading(i64::MAX);
                let typed =
                    reading.map(|reading| TimeReading { writing: Writing::Typed, also: None, has_zone, ..reading });
                return typed.map_or(Holds::Other("timestamp".to_owned()), Holds::Time);
            }
            Storage::TypedText => {
                return match self.times.reading(now) {
                    Some(reading) if may_be_time => Holds::Time(reading),
                    _ => Holds::Text,
                };
            }
            Storage::Text | Storage::Whole | Storage::Number | Storage::Decimal => {}
        }
        if self.is_whole && !self.is_code {
            if may_be_time && let Some((unit, earliest, latest)) = epoch(self.whole.0, self.whole.1) {
                let writing = Writing::Epoch(unit);
                let reading =
                    TimeReading { writing, also: None, has_zone: true, has_time_of_day: true, earliest, latest };
                return Holds::Time(reading);
            }
            // Eight digits may be a day, but only where the name says so.
            return match self.times.reading(now) {
                Some(reading) if may_be_time => Holds::Time(reading),
                _ => Holds::Whole(self.whole.0, self.whole.1),
            };
        }
        if self.is_number && !self.is_code {
            return Holds::Number(self.number.0, self.number.1);
        }
        if let Some(reading) = self.times.reading(now) {
            return Holds::Time(reading);
        }
        if self.is_truth { Holds::Truth } else { Holds::Text }
    }
}

/// The type and pattern that a source declares for a column.
fn declaration(storage: &Storage, holds: &Holds, has_marker: bool) -> (Option<ColumnType>, Option<String>) {
    let by_content = || match holds {
        _ if has_marker => (ColumnType::String, None),
        Holds::Whole(..) => (ColumnType::Int64, None),
        Holds::Number(..) => (ColumnType::Float64, None),
        Holds::Truth => (ColumnType::Boolean, None),
        Holds::Time(reading) => match &reading.writing {
            Writing::Pattern(pattern) => (ColumnType::Timestamp, Some(pattern.clone())),
            Writing::Epoch(EpochUnit::Seconds) => (ColumnType::Timestamp, Some("%s".to_owned())),
            Writing::Epoch(_) => (ColumnType::Int64, None),
            Writing::Iso | Writing::Typed => (ColumnType::Timestamp, None),
        },
        Holds::Nothing | Holds::Text | Holds::Other(_) => (ColumnType::String, None),
    };
    let typed = match storage {
        Storage::Text => {
            let (data_type, pattern) = by_content();
            return (Some(data_type), pattern);
        }
        Storage::TypedText => ColumnType::String,
        Storage::Whole => ColumnType::Int64,
        Storage::Number => ColumnType::Float64,
        Storage::Truth => ColumnType::Boolean,
        Storage::Time { .. } => ColumnType::Timestamp,
        Storage::Decimal | Storage::Other(_) => return (None, None),
    };
    (Some(typed), None)
}

fn commonest(counts: &HashMap<String, u64>) -> Vec<(String, u64)> {
    let mut common: Vec<(String, u64)> = counts.iter().map(|(text, count)| (text.clone(), *count)).collect();
    common.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    common.truncate(MOST_SHOWN);
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(name: &str, values: &[&str]) -> ColumnProfile {
        let mut observer = ColumnObserver::new(name, Storage::Text);
        values.iter().for_each(|value| observer.see(Some(*value)));
        observer.finish(0)
    }

    #[test]
    fn content_decides_what_a_column_holds() {
        assert_eq!(profile("n", &["3", "-4", "5.0"]).holds, Holds::Whole(-4, 5));
        assert_eq!(profile("n", &["3", "4.5"]).holds, Holds::Number(3.0, 4.5));
        assert_eq!(profile("flag", &["TRUE", "FALSE"]).holds, Holds::Truth);
        assert_eq!(profile("zip", &["01234", "99999"]).holds, Holds::Text, "a zero would be lost");
        assert_eq!(profile("id", &["1234567890123456789012"]).holds, Holds::Text, "digits would be lost");
        assert_eq!(profile("x", &["", " "]).holds, Holds::Nothing);
    }

    #[test]
    fn a_name_alone_makes_no_time_and_a_number_needs_the_name() {
        assert_eq!(profile("timestamp", &["soon", "later"]).holds, Holds::Text);
        assert_eq!(profile("timestamp", &["17", "18"]).holds, Holds::Whole(17, 18));
        assert!(matches!(profile("created_at", &["1700000000"]).holds, Holds::Time(_)));
        assert_eq!(profile("views", &["1700000000"]).holds, Holds::Whole(1_700_000_000, 1_700_000_000));
        assert!(matches!(profile("day", &["20240131"]).holds, Holds::Time(_)));
        assert!(matches!(profile("article", &["20240131"]).holds, Holds::Whole(..)));
    }

    #[test]
    fn words_for_missing_values_do_not_hide_what_the_others_are() {
        let score = profile("score", &["NA", "3", "NA", "5", ""]);
        assert_eq!((score.holds, score.marker), (Holds::Whole(3, 5), Some(("NA".to_owned(), 2))));
        assert_eq!((score.values, score.missing), (4, 1));
        let kind = profile("kind", &["none", "fault", "none"]);
        assert_eq!((kind.holds, kind.marker), (Holds::Text, None));
    }

    #[test]
    fn categories_are_few_values_each_of_them_often() {
        let values: Vec<String> = (0..90).map(|n| format!("kind {}", n % 9)).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let kind = profile("kind", &values);
        assert!(kind.is_category() && !kind.is_unique());
        assert_eq!((kind.distinct, kind.common[0].clone()), (9, ("kind 0".to_owned(), 10)));
        let note: Vec<String> = (0..90).map(|n| format!("note {n}")).collect();
        let note = profile("note", &note.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(!note.is_category() && note.is_unique());
    }

    #[test]
    fn shares_of_values_are_by_their_texts() {
        let (one, other) = (profile("a", &["x", "y"]), profile("b", &["y", "z", "w", "x"]));
        assert_eq!((one.share_in(&other), other.share_in(&one)), (1.0, 0.5));
    }
}
