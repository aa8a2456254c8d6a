//! What a sample is told, and what it tells while it is written.

use std::path::PathBuf;

use chrono::NaiveDate;

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleOptions {
    /// Customers, at least 1; some 75 touchpoints each over two years.
    pub customers: u64,
    /// Months before `end`, at least 1. An analysis needs some before it knows what customers have lived through.
    pub months: u32,
    /// Equal seeds give equal bytes.
    pub seed: u64,
    /// The lake's folder: absent, empty, or an older sample, which is replaced.
    pub out: PathBuf,
    /// The day after the last one covered.
    pub end: NaiveDate,
    /// Whether journeys change the chance of leaving, and leaving makes customers ask about the contract. Without,
    /// whatever an analysis finds is chance; segments and tenure still differ.
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
