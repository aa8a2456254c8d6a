//! Runs a plan: from a workspace's files to published tables and a record of the run.
//!
//! In: a [`throughline_config::Pipeline`]. Out: published tables in the warehouse and a [`RunRecord`]. What happens on
//! the way is reported to an [`Observer`]. This crate prints nothing, knows no exit codes, and sends nothing over the
//! network but what it reads from and writes to the object stores of lake and warehouse.
//!
//! Invariant: a model's rows are staged, tested and only then committed, one table in one atomic commit. Rejected rows,
//! digests of customers (`__seen`) and the log of triggers are committed in the same way, without tests. A finished
//! run's record names one consistent set of table versions, and only such sets are read by [`Published`].

// Along the data's way: from the workspace's files to the rows that people read.

/// From a workspace's files to a type-checked plan with opened sources.
mod workspace;

/// One run: which steps it executes and in what order, what it reuses, how it ends.
mod run;

/// One step: rows are read or computed, staged, tested and committed.
mod step;

/// Incremental models: which rows are rebuilt, and how the others stay as they are.
mod incremental;

/// What is recorded of a run, and reported while it goes on.
mod record;

/// What is published, for those who read it.
mod read;

// What reads or makes the same relations outside a run.

/// Relations computed without a run, for commands that only read.
mod preview;

/// Frozen quarters: made and compared.
mod snapshot;

/// Candidate journeys from the touchpoints alone.
mod discover;

/// Data that nobody has described yet, and a first workspace over them.
mod survey;

/// A journey's tier under other limits of its definition and other horizons of exposure.
mod robust;

/// The pipeline's own unit tests: a model's rows over given rows.
mod unit_test;

/// Removes files that nobody needs any more.
mod vacuum;

// What all of them build on.

/// Instants: their one type, as values, in expressions and as text.
mod instants;

/// Columns of relations: in the types of another relation, and with their comments.
mod columns;

/// What can go wrong, by who can mend it.
mod failure;

pub use discover::{
    ChurnLink, Coverage, Discovery, EverydayTopics, FoundJourney, FoundVariant, JudgedPeriod, Likeness, SearchOptions,
    discover,
};
pub use failure::{Cause, EngineError, FailureKind};
pub use incremental::{IntervalOptions, LateRows, Rebuild, Rebuilds, decide_rebuilds};
pub use instants::rfc3339;
pub use preview::show::show;
pub use preview::test_published::{ModelTests, test_published};
pub use read::figures::{Estimate, Figures};
pub use read::key_periods::{KEY_JOURNEYS, KEY_JOURNEYS_COLUMNS, KeyPeriod, KeyPeriods, PeriodState};
pub use read::past_runs::{PastRun, past_runs};
pub use read::publications::Publications;
pub use read::published::Published;
pub use read::query::query;
pub use read::snapshots::{ListedSnapshot, export_snapshot, find_snapshot, snapshot_at, snapshots};
pub use read::tables::PublishedTables;
pub use record::events::{Event, Observer, Observers, Silent};
pub use record::run_record::{MadeBy, RunRecord, RunStatus};
pub use record::step_record::{
    ConservationRow, IncrementRecord, IntakeCounts, StepRecord, StepStatus, TestRecord, TriggerRecord,
};
pub use record::usage::{StepUsage, peak_memory_bytes};
pub use robust::{RobustVariant, Robustness, robustness};
pub use run::older_day::contained_day;
pub use run::stages::{RunOptions, RunOutcome, run};
pub use snapshot::{
    CoveredPeriods, ExcessChange, JourneyFigures, JourneyMove, SnapshotDiff, SnapshotOptions, SnapshotOutcome,
    TableDiff, covered_periods, create_snapshot, diff_snapshots,
};
pub use step::stop::StopSignal;
pub use survey::{Draft, DraftFile, Question, Survey, SurveyedPath, survey};
pub use throughline_journeys::Arrangement;
pub use throughline_lake::{PassedOver, PublishedTable};
pub use unit_test::{
    ChangedCell, ChangedRow, Differences, ShownCell, UnitTestRecord, check_unit_tests, run_unit_tests,
};
pub use vacuum::{VacuumOptions, VacuumReport, vacuum};
pub use workspace::needed_steps::needed_steps;
pub use workspace::options::PrepareOptions;
pub use workspace::prepare::{Prepared, prepare};
pub use workspace::sessions::SessionOptions;
