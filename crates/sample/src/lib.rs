//! A synthetic pay-TV company's lake with planted truths.
//!
//! In: how many customers and months, and a seed. Out: the raw Parquet of ten source systems under one folder, and
//! `_truth.json` beside it, which says what an analysis of the lake ought to find ([`Truth`]).
//!
//! Customers are simulated in blocks, each from a random stream of its own, and written as they come: memory does not
//! grow with the sample, and a seed gives the same bytes on every machine.
//!
//! This crate knows nothing of pipelines or engines; that the journey definitions under `pipelines/` find what is
//! planted here is for the tests of the whole to show.

mod block;
mod calendar;
mod catalogue;
mod defects;
mod delivery;
mod dice;
mod everyday;
mod identity;
mod lake;
mod landmark;
mod opinions;
mod person;
mod satisfaction;
mod script;
mod scripts;
mod spell;
mod tables;
mod truth;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use chrono::NaiveDate;

pub use defects::TableTruth;
pub use identity::WebTruth;
pub use satisfaction::{OnboardingTruth, TouchpointTruth};
pub use truth::{ChurnModel, JourneyTruth, LandmarkTruth, Truth};

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleOptions {
    /// Customers, at least 1; some 75 touchpoints each over two years.
    pub customers: u64,
    /// Months before `end`, at least 1. The first landmark needs 90 days before it, a matured one 90 after it.
    pub months: u32,
    /// Equal seeds give equal bytes.
    pub seed: u64,
    /// The lake's folder: absent, empty, or an older sample, which is replaced.
    pub out: PathBuf,
    /// The day after the last one covered.
    pub end: NaiveDate,
    /// Whether journeys change the chance of churn. Without, every odds ratio of a journey is 1 and whatever an analysis
    /// finds is chance; segments and tenure still differ.
    pub effects: bool,
}

impl SampleOptions {
    /// Two thousand customers over the 24 months before 2026-10-01.
    pub fn new(out: impl Into<PathBuf>) -> Self {
        let end = NaiveDate::from_ymd_opt(2026, 10, 1).unwrap_or(NaiveDate::MAX);
        SampleOptions { customers: 2_000, months: 24, seed: 42, out: out.into(), end, effects: true }
    }
}

/// How far the generator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Customers written.
    pub customers: u64,
    /// Customers asked for.
    pub of: u64,
    /// Rows written, of all tables.
    pub rows: u64,
}

/// Why no sample was written.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The folder holds something that no sample run wrote.
    #[error("{} is not empty and holds no sample (no {}): choose another folder or remove it", path.display(), lake::MARKER)]
    NotASample {
        /// The folder.
        path: PathBuf,
    },
    /// Zero customers or months, or dates beyond the calendar.
    #[error("a sample needs at least one customer and one month, and dates between 1900 and 2100")]
    NothingToWrite,
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// Rows could not be turned into columns.
    #[error("could not build columns: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A file could not be written.
    #[error("could not write Parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// The truths could not be written.
    #[error("could not write the truths: {0}")]
    Json(#[from] serde_json::Error),
}

/// Writes a sample and returns its truths, which are in `_truth.json` too.
///
/// `progress` is called after each block of customers. The folder gets its name when everything is written: a run that
/// is killed leaves an older sample as it was, or none, never a mix.
///
/// # Errors
///
/// [`SampleError::NotASample`] before anything is touched; otherwise what the file system says.
pub fn generate(options: &SampleOptions, progress: &mut dyn FnMut(Progress)) -> Result<Truth, SampleError> {
    delivery::generate(options, progress)
}
