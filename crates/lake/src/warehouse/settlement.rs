//! Which file a row belongs into, where a commit replaces only some files of a table.
//!
//! Each row of such a table has an instant at which it is settled: nothing that happens later changes it. Rows are laid
//! into files by the week of that instant, older ones by its month, and rows that are not settled yet into files of
//! their own, so that a run knows by a file's name whether it can hold a row that has to be replaced. Readers see plain
//! Parquet and plain Delta.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate};

/// Which rows of a table go into which of its files; microseconds since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy)]
pub struct PartLayout {
    /// Rows settled at or after this instant are laid out by week, older ones by month: the next runs are to replace
    /// few rows besides those that they rebuild.
    pub by_week_from: i64,
    /// Rows settled at or after this instant count as not settled yet.
    pub unsettled_from: i64,
}

impl PartLayout {
    /// The file of a row by the instant at which it is settled.
    pub(super) fn part(&self, settled_at: Option<i64>) -> Settled {
        match settled_at.filter(|instant| *instant < self.unsettled_from) {
            Some(instant) if instant < self.by_week_from => Settled::in_month_of(instant),
            Some(instant) => Settled::in_week_of(instant),
            None => Settled::No,
        }
    }
}

/// When the rows of a file are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Settled {
    /// In a month, or in a week: all before the end of this day.
    By { day: NaiveDate, whole_month: bool },
    /// Not yet, or not known.
    No,
}

impl Settled {
    fn in_month_of(instant: i64) -> Self {
        let last = day_of(instant).and_then(|day| last_of_month(day.year(), day.month()));
        last.map_or(Self::No, |day| Self::By { day, whole_month: true })
    }

    /// Weeks end on Sundays.
    fn in_week_of(instant: i64) -> Self {
        let sunday = day_of(instant)
            .and_then(|day| day.checked_add_days(Days::new(6 - u64::from(day.weekday().num_days_from_monday()))));
        sunday.map_or(Self::No, |day| Self::By { day, whole_month: false })
    }

    /// The part of a file's name that says so: `settled-2026-08`, `settled-2026-09-06` or `unsettled`.
    pub(super) fn word(self) -> String {
        match self {
            Self::By { day, whole_month: true } => format!("settled-{}", day.format("%Y-%m")),
            Self::By { day, whole_month: false } => format!("settled-{day}"),
            Self::No => "unsettled".to_owned(),
        }
    }

    /// What a file's name says; files that do not say anything may hold any row.
    pub(super) fn of_file(name: &str) -> Self {
        let Some(word) = name.split('.').find_map(|part| part.strip_prefix("settled-")) else { return Self::No };
        let mut numbers = word.splitn(3, '-').map(|number| number.parse::<u32>().ok());
        let year = numbers.next().flatten().and_then(|year| i32::try_from(year).ok());
        let (month, day) = (numbers.next().flatten(), numbers.next());
        let last = year.zip(month).and_then(|(year, month)| match day {
            Some(day) => NaiveDate::from_ymd_opt(year, month, day?),
            None => last_of_month(year, month),
        });
        last.map_or(Self::No, |last| Self::By { day: last, whole_month: day.is_none() })
    }

    /// Whether a row of such a file can be settled at `instant` or later.
    pub(super) fn reaches(self, instant: i64) -> bool {
        match self {
            // A day that the calendar does not have an end for reaches everything.
            Self::By { day, .. } => end_of(day).is_none_or(|end| end > instant),
            Self::No => true,
        }
    }
}

fn day_of(instant: i64) -> Option<NaiveDate> {
    DateTime::from_timestamp_micros(instant).map(|time| time.date_naive())
}

fn last_of_month(year: i32, month: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year, month, 1)?.checked_add_months(Months::new(1))?.pred_opt()
}

fn end_of(day: NaiveDate) -> Option<i64> {
    Some(day.succ_opt()?.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).expect("a time").timestamp_micros()
    }

    #[test]
    fn a_file_s_name_says_when_its_rows_are_settled() {
        let layout = PartLayout {
            by_week_from: instant("2026-03-01T00:00:00Z"),
            unsettled_from: instant("2026-04-01T00:00:00Z"),
        };
        for (settled_at, word) in [
            (Some("2026-02-28T23:59:59Z"), "settled-2026-02"),
            (Some("2025-12-01T00:00:00Z"), "settled-2025-12"),
            (Some("2026-03-01T00:00:00Z"), "settled-2026-03-01"), // a Sunday
            (Some("2026-03-02T00:00:00Z"), "settled-2026-03-08"),
            (Some("2026-03-31T23:59:59Z"), "settled-2026-04-05"),
            (Some("2026-04-01T00:00:00Z"), "unsettled"),
            (None, "unsettled"),
        ] {
            let part = layout.part(settled_at.map(instant));
            assert_eq!(part.word(), word);
            assert_eq!(Settled::of_file(&format!("part-00000-a-c000.{word}.zstd.parquet")), part);
        }
        for name in ["part-00000-a-c000.zstd.parquet", "part.settled-2026-77.zstd.parquet", "part.settled-2026-02-30.x"]
        {
            assert_eq!(Settled::of_file(name), Settled::No);
        }
    }

    #[test]
    fn a_row_may_be_settled_on_the_last_day_and_not_after() {
        for (word, last, after) in [
            ("settled-2026-02", "2026-02-28T23:59:59Z", "2026-03-01T00:00:00Z"),
            ("settled-2026-03-08", "2026-03-08T23:59:59Z", "2026-03-09T00:00:00Z"),
        ] {
            let part = Settled::of_file(word);
            assert!(part.reaches(instant(last)) && !part.reaches(instant(after)), "{word}");
        }
        assert!(Settled::No.reaches(i64::MAX));
    }
}
