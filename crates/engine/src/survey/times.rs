//! How times are written: which patterns fit every value of a column.

use throughline_lake::reads_as_instant;

/// 1900-01-01 and 2101-01-01: a pattern that reads a time outside them reads something else.
const PLAUSIBLE: std::ops::Range<i64> = -2_208_988_800_000_000..4_133_980_800_000_000;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Days, each with the day before the month and the other way round where that differs.
const DATES: &[&str] = &[
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y%m%d",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%b %d %Y",
    "%d/%m/%y",
    "%m/%d/%y",
];

const TIMES_OF_DAY: &[&str] =
    &["", " %H:%M:%S", " %H:%M", " %H:%M:%S%.f", "T%H:%M:%S%.f", "T%H:%M", " %I:%M:%S %p", " %I:%M %p"];

/// The last two are letters that stand there, both meaning UTC.
const ZONES: &[&str] = &["", "%z", " %z", "Z", " UTC"];

/// How a column's times are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Writing {
    /// The files hold times as such.
    Typed,
    /// ISO 8601, which sources read without a pattern.
    Iso,
    /// A `strftime` pattern.
    Pattern(String),
    /// Units since 1970-01-01 00:00 UTC.
    Epoch(EpochUnit),
}

/// What a number that stands for a time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EpochUnit {
    /// Seconds since 1970.
    Seconds,
    /// Thousandths.
    Milliseconds,
    /// Millionths.
    Microseconds,
}

/// Times of a column, as they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeReading {
    /// How they are written.
    pub(crate) writing: Writing,
    /// Another pattern that fits every value as well, with day and month the other way round.
    pub(crate) also: Option<String>,
    /// Whether the values say which zone they are in.
    pub(crate) has_zone: bool,
    /// Whether any value has a time of day.
    pub(crate) has_time_of_day: bool,
    /// The earliest, in microseconds since 1970.
    pub(crate) earliest: i64,
    /// The latest.
    pub(crate) latest: i64,
}

/// Patterns that have fitted every value so far.
#[derive(Debug, Default)]
pub(crate) struct TimeCandidates {
    begun: bool,
    left: Vec<Candidate>,
}

#[derive(Debug, Clone)]
struct Candidate {
    pattern: Option<String>,
    has_zone: bool,
    has_time_of_day: bool,
    earliest: i64,
    latest: i64,
}

impl TimeCandidates {
    pub(crate) fn see(&mut self, text: &str) {
        if !self.begun {
            self.begun = true;
            self.left = candidates();
        }
        self.left.retain_mut(|candidate| candidate.reads(text));
    }

    /// How the times are read, if any pattern fits all. Where both day and month could come first and only one reading
    /// keeps all times before `now`, that one is taken.
    pub(crate) fn reading(self, now: i64) -> Option<TimeReading> {
        let first = self.left.first()?.clone();
        let swapped = first.pattern.as_deref().and_then(swap);
        let other = swapped.and_then(|swapped| {
            self.left.iter().find(|candidate| candidate.pattern.as_deref() == Some(swapped.as_str())).cloned()
        });
        let (taken, also) = match other {
            Some(other) if first.latest > now && other.latest <= now => (other, None),
            Some(other) if other.latest > now && first.latest <= now => (first, None),
            // The same instants either way, as where day and month are equal throughout.
            other => (first, other.and_then(|other| other.pattern)),
        };
        Some(TimeReading {
            writing: taken.pattern.map_or(Writing::Iso, Writing::Pattern),
            also,
            has_zone: taken.has_zone,
            has_time_of_day: taken.has_time_of_day,
            earliest: taken.earliest,
            latest: taken.latest,
        })
    }
}

impl Candidate {
    fn reads(&mut self, text: &str) -> bool {
        let Some(instant) = reads_as_instant(text, self.pattern.as_deref()).filter(|at| PLAUSIBLE.contains(at)) else {
            return false;
        };
        self.earliest = self.earliest.min(instant);
        self.latest = self.latest.max(instant);
        self.has_time_of_day |= instant.rem_euclid(DAY) != 0;
        if self.pattern.is_none() {
            self.has_zone |= iso_zone(text.trim());
        }
        true
    }
}

fn candidates() -> Vec<Candidate> {
    let new = |pattern: Option<String>, has_zone| Candidate {
        pattern,
        has_zone,
        has_time_of_day: false,
        earliest: i64::MAX,
        latest: i64::MIN,
    };
    let mut all = vec![new(None, false)];
    for date in DATES {
        for time in TIMES_OF_DAY {
            // A day alone has no zone.
            let zones = if time.is_empty() { &ZONES[..1] } else { ZONES };
            all.extend(zones.iter().map(|zone| new(Some(format!("{date}{time}{zone}")), !zone.is_empty())));
        }
    }
    all
}

/// The pattern with day and month in each other's place, where that is another way that people write.
fn swap(pattern: &str) -> Option<String> {
    let (day, month) = (pattern.find("%d")?, pattern.find("%m")?);
    let year = pattern.find("%Y").or_else(|| pattern.find("%y"))?;
    if year < day.min(month) {
        return None;
    }
    let held = pattern.replacen("%d", "%\u{0}", 1).replacen("%m", "%d", 1);
    Some(held.replacen("%\u{0}", "%m", 1))
}

/// Whether a time in ISO 8601 ends with a zone.
fn iso_zone(text: &str) -> bool {
    let after_date = text.get(10..).unwrap_or_default();
    after_date.ends_with(['Z', 'z']) || after_date.contains(['+', '-'])
}

/// The unit in which whole numbers between `least` and `most` are times of our years.
pub(crate) fn epoch(least: i64, most: i64) -> Option<(EpochUnit, i64, i64)> {
    // 1990-01-01 to 2101-01-01: smaller numbers are counts.
    let (from, until) = (631_152_000, 4_133_980_800);
    let units = [
        (EpochUnit::Seconds, 1, SECOND),
        (EpochUnit::Milliseconds, 1_000, 1_000),
        (EpochUnit::Microseconds, 1_000_000, 1),
    ];
    let fits = |(_, scale, _): &(EpochUnit, i64, i64)| least >= from * scale && most < until * scale;
    units.into_iter().find(fits).map(|(unit, _, micros)| (unit, least * micros, most * micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-30.
    const NOW: i64 = 1_795_996_800 * SECOND;

    fn read(values: &[&str]) -> Option<TimeReading> {
        let mut candidates = TimeCandidates::default();
        values.iter().for_each(|value| candidates.see(value));
        candidates.reading(NOW)
    }

    fn pattern(values: &[&str]) -> String {
        match read(values).map(|reading| reading.writing) {
            Some(Writing::Pattern(pattern)) => pattern,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn the_ways_times_are_written() {
        assert_eq!(pattern(&["2024-03-13 10:21:14"]), "Some(Iso)");
        assert_eq!(pattern(&["2011-10-11 13:42:22.688000+02:00"]), "Some(Iso)");
        assert_eq!(pattern(&["2024-03-13", "2024-03-14"]), "Some(Iso)");
        assert_eq!(pattern(&["2011/10/01 00:38:44.546"]), "%Y/%m/%d %H:%M:%S%.f");
        assert_eq!(pattern(&["27-07-2023", "07-08-2023"]), "%d-%m-%Y");
        assert_eq!(pattern(&["07/27/2023 11:05 PM"]), "%m/%d/%Y %I:%M %p");
        assert_eq!(pattern(&["28.02.2024 03:00"]), "%d.%m.%Y %H:%M");
        assert_eq!(pattern(&["20240131"]), "%Y%m%d");
        assert_eq!(pattern(&["31-Jan-2024"]), "%d-%b-%Y");
        assert_eq!(pattern(&["2010-10-02T10:31:00.000+0200"]), "Some(Iso)");
        assert_eq!(pattern(&["13/03/2024 10:21:14+0200"]), "%d/%m/%Y %H:%M:%S%z");
    }

    #[test]
    fn what_is_no_time_has_no_reading() {
        assert_eq!(read(&["open", "closed"]), None);
        assert_eq!(read(&["27-07-2023", "28-07-2023 03:00"]), None, "two ways in one column");
        assert_eq!(read(&["17"]), None);
        assert_eq!(read(&["1234567"]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn day_and_month_are_told_apart_where_any_value_does_so() {
        let both = read(&["03/04/2023", "05/06/2023"]).expect("a time");
        assert_eq!((both.writing, both.also), (Writing::Pattern("%d/%m/%Y".into()), Some("%m/%d/%Y".into())));
        let day_first = read(&["03/04/2023", "25/06/2023"]).expect("a time");
        assert_eq!((day_first.writing, day_first.also), (Writing::Pattern("%d/%m/%Y".into()), None));
        let month_first = read(&["03/04/2023", "06/25/2023"]).expect("a time");
        assert_eq!((month_first.writing, month_first.also), (Writing::Pattern("%m/%d/%Y".into()), None));
        // 10 December 2026 is still to come; 12 October is not.
        let past = read(&["10/12/2026"]).expect("a time");
        assert_eq!((past.writing, past.also), (Writing::Pattern("%m/%d/%Y".into()), None));
    }

    #[test]
    fn zones_and_times_of_day_are_noticed() {
        let zone = |text: &str| read(&[text]).map(|reading| (reading.has_zone, reading.has_time_of_day));
        assert_eq!(zone("2024-03-13 10:21:14"), Some((false, true)));
        assert_eq!(zone("2024-03-13T10:21:14Z"), Some((true, true)));
        assert_eq!(zone("2024-03-13 10:21:14+02:00"), Some((true, true)));
        assert_eq!(zone("13/03/2024"), Some((false, false)));
        assert_eq!(zone("13/03/2024 10:21 +0200"), Some((true, true)));
    }

    #[test]
    fn numbers_are_times_only_within_our_years() {
        assert_eq!(epoch(1_700_000_000, 1_700_086_400).map(|found| found.0), Some(EpochUnit::Seconds));
        assert_eq!(epoch(1_700_000_000_000, 1_700_086_400_000).map(|found| found.0), Some(EpochUnit::Milliseconds));
        assert_eq!(
            epoch(1_700_000_000_000_000, 1_700_000_000_000_001),
            Some((EpochUnit::Microseconds, 1_700_000_000_000_000, 1_700_000_000_000_001))
        );
        assert_eq!(epoch(1, 90_000), None);
        assert_eq!(epoch(20_240_131, 20_241_231), None);
    }

    #[test]
    fn seconds_of_a_text_file_are_read_by_a_pattern() {
        assert_eq!(reads_as_instant("1700000000", Some("%s")), Some(1_700_000_000 * SECOND));
    }
}
