//! OpenLineage events of a run: which jobs read and wrote which datasets, column by column, and what its tests found.
//!
//! In: a prepared pipeline and the events of its run ([`LineageObserver`] observes it). Out: OpenLineage events,
//! appended to a file or posted to an endpoint. A run is a job named like its pipeline, each of its steps a job
//! `pipeline.step` below it, and the data tests of a step a job `pipeline.step.tests`, because OpenLineage reports test
//! results of what a job reads.
//!
//! Delivery goes on in a thread of its own: it never holds a run up for long and never makes one fail. This is the only
//! crate that posts anything.

mod options;
mod observer;
mod events;
mod datasets;
mod delivery;
mod failure;

pub use delivery::Delivered;
pub use failure::LineageError;
pub use observer::LineageObserver;
pub use options::{LineageOptions, LineageTarget};
