//! A synthetic pay-TV company's lake with planted truths.
//!
//! In: how many customers and months, and a seed. Out: the raw Parquet of ten source systems under one folder, and
//! `_truth.json` beside it, which says what an analysis of the lake ought to find ([`Truth`]).
//!
//! Customers are simulated in blocks, each from a random stream of its own, and written as they come: memory does not
//! grow with the sample, and a seed gives the same bytes on every machine.
//!
//! Customers live day by day: each day's chance of leaving comes from segment, tenure and what was lived through, and
//! leaving ends it. How an analysis would count exposure, cut time or compare is not known here, so that what it finds
//! says something about it.
//!
//! This crate knows nothing of pipelines or engines; that the journey definitions under `pipelines/` find what is
//! planted here is for the tests of the whole to show.

// What is planted, and the tools of chance and time.
mod catalogue;
mod effect;
mod calendar;
mod dice;
// A customer's life: what happens, what it does to each day, how it ends.
mod person;
mod spell;
mod script;
mod scripts;
mod everyday;
mod opinions;
mod risk;
mod chance;
mod ending;
// The rows it leaves behind, and how source systems deliver them.
mod block;
mod tables;
mod defects;
mod lake;
mod delivery;
// What is known of it all.
mod excess;
mod satisfaction;
mod identity;
mod truth;
mod options;
mod error;

#[cfg(test)]
mod tests;

pub use defects::TableTruth;
pub use error::SampleError;
pub use identity::WebTruth;
pub use options::{Progress, SampleOptions};
pub use satisfaction::{OnboardingTruth, TouchpointTruth};
pub use truth::{EffectTruth, JourneyTruth, LeavingTruth, PeriodTruth, Truth};

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
