//! Frozen quarters: made and compared (SEMANTICS 7). [`crate::read::snapshots`] finds and copies them.
//!
//! A snapshot is computed by the pipeline as it is, with the first instant after its period as `as_of`, in a scratch
//! warehouse of its own; what is published is neither read nor touched. The log of triggers is left out: it says who
//! was notified and when, which is no figure of a quarter and cannot be computed again.

mod create;
mod tables;
mod diff;
mod journeys;

pub use create::{SnapshotOptions, SnapshotOutcome, create_snapshot};
pub use diff::{SnapshotDiff, TableDiff, diff_snapshots};
pub use journeys::{CoveredPeriods, ExcessChange, JourneyFigures, JourneyMove, covered_periods};
