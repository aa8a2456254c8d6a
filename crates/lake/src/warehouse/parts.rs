//! Tables of which a commit replaces only some files.
//!
//! Each row of such a table has an instant at which it is settled: nothing that happens later changes it. Rows are laid
//! into files by the week of that instant, older ones by its month, and rows that are not settled yet into files of their
//! own, so that a run knows by a file's name whether it can hold a row that has to be replaced. Readers see plain Parquet
//! and plain Delta.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use chrono::{DateTime, Datelike, Days, Months, NaiveDate};
use datafusion::catalog::TableProvider;
use deltalake::kernel::engine::arrow_conversion::TryIntoArrow;

use super::commit::Base;
use super::data_file::DataFile;
use super::delta_log;
use super::error::WarehouseError;
use super::schema::read_schema;
use crate::scan::ParquetTable;
use crate::stores::Location;

/// The key under which a table keeps its ledger.
pub(super) const LEDGER: &str = "throughline.ledger";

/// Which rows of a table go into which of its files; microseconds since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy)]
pub struct PartLayout {
    /// Rows settled from here on lie by the week, older ones by the month: the next runs are to replace few rows besides
    /// those that they make again.
    pub by_week_from: i64,
    /// Rows settled from here on are not settled yet.
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

/// The files of one version of a table on both sides of an instant.
#[derive(Debug, Clone)]
pub struct SplitParts {
    /// Those that may hold a row settled at the instant or later.
    pub reached: TableParts,
    /// Those that cannot.
    pub settled: TableParts,
}

/// The files of one version of a table, and what its ledger says.
#[derive(Debug, Clone)]
pub struct TableParts {
    /// The version.
    pub version: u64,
    /// The columns as read.
    pub schema: SchemaRef,
    /// What the commit that last wrote it kept beside the rows.
    pub ledger: Option<String>,
    pub(super) folder: Location,
    pub(super) files: Vec<DataFile>,
    /// All of the version, for the commit that replaces it.
    pub(super) base: Arc<Base>,
}

impl TableParts {
    /// Reads the newest version; `None` when there is no table yet, or one that another program gave features of its
    /// own.
    pub(super) async fn read(table: &str, folder: &Location) -> Result<Option<Self>, WarehouseError> {
        let Some(loaded) = delta_log::newest(table, folder).await? else { return Ok(None) };
        let failed = |error| WarehouseError::Log { table: table.into(), error: Box::new(error) };
        if delta_log::foreign_features(&loaded).map_err(failed)?.is_some() {
            return Ok(None);
        }
        let snapshot = loaded.snapshot().map_err(failed)?;
        let stored: Schema = snapshot.schema().as_ref().try_into_arrow().map_err(|_| WarehouseError::ColumnType {
            table: table.into(),
            column: "*".into(),
            found: "a type that Arrow does not have".into(),
        })?;
        Ok(Some(Self {
            version: snapshot.version(),
            schema: read_schema(&stored),
            ledger: snapshot.metadata().configuration().get(LEDGER).cloned(),
            folder: folder.clone(),
            files: DataFile::all_of(&loaded, folder).map_err(failed)?,
            base: Arc::new(Base::of(table, &loaded)?),
        }))
    }

    /// The same version, divided at an instant.
    pub fn split_at(&self, instant: i64) -> SplitParts {
        let (reached, settled) =
            self.files.iter().cloned().partition(|file| Settled::of_file(&file.path).reaches(instant));
        let with = |files| Self {
            version: self.version,
            schema: Arc::clone(&self.schema),
            ledger: self.ledger.clone(),
            folder: self.folder.clone(),
            files,
            base: Arc::clone(&self.base),
        };
        SplitParts { reached: with(reached), settled: with(settled) }
    }

    /// Number of files.
    pub fn number_of_files(&self) -> usize {
        self.files.len()
    }

    /// Rows, as far as the log says.
    pub fn rows(&self) -> u64 {
        self.files.iter().filter_map(|file| file.rows).map(|rows| rows as u64).sum()
    }

    /// The rows of these files.
    pub fn provider(&self) -> Arc<dyn TableProvider> {
        let files = self.files.iter().map(|file| file.partitioned(&self.schema)).collect();
        Arc::new(ParquetTable::new(Arc::clone(&self.schema), &self.folder, files))
    }
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
