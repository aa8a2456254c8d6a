//! Names of snapshots: a quarter, month or year, and which revision of it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

/// A calendar period that a snapshot can be of. Orders by time, longer periods before the shorter ones they begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    year: i32,
    /// Months before it in its year: 6 for a third quarter.
    month0: u32,
    /// 12, 3 or 1, the longest first.
    months: std::cmp::Reverse<u32>,
}

impl Period {
    /// Its first instant.
    pub fn start(self) -> DateTime<Utc> {
        first_instant(self.year, self.month0)
    }

    /// The first instant after it: the `as_of` of its snapshots.
    pub fn end(self) -> DateTime<Utc> {
        let months = self.month0 + self.months.0;
        first_instant(self.year + i32::try_from(months / 12).unwrap_or(0), months % 12)
    }

    /// `quarter`, `month` or `year`.
    pub fn kind(self) -> &'static str {
        match self.months.0 {
            12 => "year",
            3 => "quarter",
            _ => "month",
        }
    }
}

fn first_instant(year: i32, month0: u32) -> DateTime<Utc> {
    // Years have four digits here, which a calendar reaches.
    NaiveDate::from_ymd_opt(year, month0 + 1, 1).unwrap_or_default().and_time(NaiveTime::MIN).and_utc()
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.months.0 {
            12 => write!(formatter, "{:04}", self.year),
            3 => write!(formatter, "{:04}-Q{}", self.year, self.month0 / 3 + 1),
            _ => write!(formatter, "{:04}-{:02}", self.year, self.month0 + 1),
        }
    }
}

/// A snapshot's name: `2026-Q3`, `2026-Q3.r2`, `2026-09`, `2026`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotName {
    /// What it is of.
    pub period: Period,
    /// 1 for the first; the names of later ones contain it.
    pub revision: u32,
}

impl SnapshotName {
    /// The first snapshot of a period.
    pub fn first(period: Period) -> Self {
        Self { period, revision: 1 }
    }

    /// The revision after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self { revision: self.revision.saturating_add(1), ..self }
    }

    /// The schema under which SQL tools see it: `snapshot_2026_q3`, `snapshot_2026_q3_r2`.
    pub fn sql_schema(self) -> String {
        format!("snapshot_{}", self.to_string().to_ascii_lowercase().replace(['-', '.'], "_"))
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision {
            1 => self.period.fmt(formatter),
            revision => write!(formatter, "{}.r{revision}", self.period),
        }
    }
}

/// A text that names no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no name of a snapshot: write a quarter (2026-Q3), a month (2026-09) or a year (2026), with .r2 behind it for a revision"
)]
pub struct NotASnapshotName(String);

impl FromStr for SnapshotName {
    type Err = NotASnapshotName;

    fn from_str(text: &str) -> Result<Self, NotASnapshotName> {
        parse(text).ok_or_else(|| NotASnapshotName(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<SnapshotName> {
    let (period, revision) = match text.split_once(".r") {
        Some((period, revision)) => (period, number(revision).filter(|revision| *revision >= 2)?),
        None => (text, 1),
    };
    let (year, part) = match period.split_once('-') {
        Some((year, part)) => (year, Some(part)),
        None => (period, None),
    };
    let year = number(year).filter(|_| year.len() == 4).filter(|year| (1900..=9998).contains(year))?;
    let (month0, months) = match part {
        None => (0, 12),
        Some(part) if part.starts_with(['Q', 'q']) => {
            let quarter = number(&part[1..]).filter(|quarter| (1..=4).contains(quarter))?;
            (3 * (quarter - 1), 3)
        }
        Some(part) => (number(part).filter(|month| part.len() == 2 && (1..=12).contains(month))? - 1, 1),
    };
    let year = i32::try_from(year).ok()?;
    Some(SnapshotName { period: Period { year, month0, months: std::cmp::Reverse(months) }, revision })
}

/// Plain digits; no sign, no leading zero but in a month.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SnapshotName {
        text.parse().unwrap()
    }

    #[test]
    fn a_period_ends_where_the_next_begins() {
        for (text, start, end) in [
            ("2026-Q3", "2026-07-01", "2026-10-01"),
            ("2026-Q4", "2026-10-01", "2027-01-01"),
            ("2026-12", "2026-12-01", "2027-01-01"),
            ("2026-02", "2026-02-01", "2026-03-01"),
            ("2026", "2026-01-01", "2027-01-01"),
        ] {
            let period = name(text).period;
            assert_eq!(period.start().format("%Y-%m-%d").to_string(), start);
            assert_eq!(period.end().format("%Y-%m-%d").to_string(), end);
            assert_eq!(period.to_string(), text);
        }
    }

    #[test]
    fn names_read_as_they_are_written() {
        for text in ["2026-Q3", "2026-Q3.r2", "2026-09.r17", "2026"] {
            assert_eq!(name(text).to_string(), text);
        }
        assert_eq!(name("2026-q3").to_string(), "2026-Q3");
        assert_eq!(name("2026-Q3").next().to_string(), "2026-Q3.r2");
        assert_eq!(name("2026-Q3.r2").sql_schema(), "snapshot_2026_q3_r2");
        let mut names = [name("2026-Q4"), name("2026-07"), name("2026-Q3.r2"), name("2026-Q3"), name("2025")];
        names.sort();
        assert_eq!(names.map(|name| name.to_string()), ["2025", "2026-Q3", "2026-Q3.r2", "2026-07", "2026-Q4"]);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "Q3",
            "2026-Q5",
            "2026-Q0",
            "2026-13",
            "2026-9",
            "26-Q3",
            "2026-Q3.r1",
            "2026-Q3.r0",
            "2026-Q3.r",
            "2026-Q3.r-2",
            "../2026-Q3",
            "2026-Q3/..",
            "2026-Qé",
            "+026",
            "2026-Q3.r99999999999",
        ] {
            assert!(text.parse::<SnapshotName>().is_err(), "{text}");
        }
    }
}
