//! Tables of which a commit replaces only some files.
//!
//! Each row of such a table has an instant at which it is settled: nothing that happens later changes it. Rows are laid
//! into files by the month of that instant, and rows that are not settled yet into files of their own, so that a run
//! knows by a file's name whether it can hold a row that has to be replaced. Readers see plain Parquet and plain Delta.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use chrono::{DateTime, Datelike, Months, NaiveDate};
use datafusion::catalog::TableProvider;
use deltalake::kernel::engine::arrow_conversion::TryIntoArrow;

use super::data_file::DataFile;
use super::delta_log;
use super::error::WarehouseError;
use super::schema::read_schema;
use crate::scan::ParquetTable;
use crate::stores::Location;

/// The key under which a table keeps its ledger.
pub(super) const LEDGER: &str = "throughline.ledger";

/// When the rows of a file are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Settled {
    /// All before this instant, the end of a month: microseconds since 1970-01-01 00:00 UTC.
    Before(i64),
    /// Not yet, or not known.
    No,
}

impl Settled {
    /// The part of a file's name that says so.
    pub(super) fn word(self) -> String {
        let month = |end: i64| DateTime::from_timestamp_micros(end - 1).map(|last| last.format("%Y-%m").to_string());
        match self {
            Self::Before(end) => month(end).map_or_else(|| "unsettled".to_owned(), |month| format!("settled-{month}")),
            Self::No => "unsettled".to_owned(),
        }
    }

    /// The end of the month in which a row is settled.
    pub(super) fn at(instant: i64) -> Self {
        let date = DateTime::from_timestamp_micros(instant).map(|time| time.date_naive());
        date.and_then(|date| month_end(date.year(), date.month())).map_or(Self::No, Self::Before)
    }

    /// What a file's name says; files that do not say anything may hold any row.
    fn of_file(name: &str) -> Self {
        let word = name.split('.').find_map(|part| part.strip_prefix("settled-"));
        let month = word.and_then(|word| {
            let (year, month) = word.rsplit_once('-')?;
            month_end(year.parse().ok()?, month.parse().ok()?)
        });
        month.map_or(Self::No, Self::Before)
    }

    /// Whether a row of such a file can be settled at `instant` or later.
    pub(super) fn reaches(self, instant: i64) -> bool {
        match self {
            Self::Before(end) => end > instant,
            Self::No => true,
        }
    }
}

fn month_end(year: i32, month: u32) -> Option<i64> {
    let first = NaiveDate::from_ymd_opt(year, month, 1)?;
    let next = first.checked_add_months(Months::new(1))?;
    Some(next.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
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
        }))
    }

    /// The same version with only the files that may hold a row settled at `instant` or later, and with only those
    /// that cannot.
    pub fn split_at(&self, instant: i64) -> (Self, Self) {
        let (reached, kept) =
            self.files.iter().cloned().partition(|file| Settled::of_file(&file.path).reaches(instant));
        let with = |files| Self {
            version: self.version,
            schema: Arc::clone(&self.schema),
            ledger: self.ledger.clone(),
            folder: self.folder.clone(),
            files,
        };
        (with(reached), with(kept))
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

    #[test]
    fn a_file_s_name_says_when_its_rows_are_settled() {
        let february = Settled::at(1_772_236_800_000_000); // 2026-02-28
        assert_eq!(february, Settled::Before(1_772_323_200_000_000)); // 2026-03-01
        assert_eq!(february.word(), "settled-2026-02");
        assert_eq!(Settled::of_file("part-00000-a-c000.settled-2026-02.zstd.parquet"), february);
        assert_eq!(Settled::of_file("part-00000-a-c000.unsettled.zstd.parquet"), Settled::No);
        assert_eq!(Settled::of_file("part-00000-a-c000.zstd.parquet"), Settled::No);
        assert_eq!(Settled::of_file("part.settled-2026-77.zstd.parquet"), Settled::No);
    }

    #[test]
    fn a_row_of_the_month_may_be_settled_on_its_last_day_and_not_after() {
        let february = Settled::at(1_772_236_800_000_000);
        assert!(february.reaches(1_772_323_199_999_999));
        assert!(!february.reaches(1_772_323_200_000_000));
        assert!(Settled::No.reaches(i64::MAX));
    }
}
