//! Frozen quarters: made, found, compared, copied (SEMANTICS 7).
//!
//! A snapshot is computed by the pipeline as it is, with the first instant after its period as `as_of`, in a scratch
//! warehouse of its own; what is published is neither read nor touched. The log of triggers is left out: it says what
//! people were told and when, which is no figure of a quarter and cannot be computed again.

mod create;
mod diff;
pub(crate) mod find;
mod journeys;

pub use create::{SnapshotOptions, SnapshotOutcome, create_snapshot};
pub use diff::{SnapshotDiff, TableDiff, diff_snapshots};
pub use find::{ListedSnapshot, export_snapshot, find_snapshot, snapshot_at, snapshots};
pub use journeys::{JourneyFigures, JourneyMove, Landmarks, landmarks};
