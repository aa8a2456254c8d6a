//! Runs a plan: sessions, intake of sources, scheduling, tests, publishing, run records.
//!
//! In: a [`throughline_config::Pipeline`]. Out: published tables in the warehouse and a [`RunRecord`]. What happens on
//! the way is told to an [`Observer`]; this crate prints nothing and knows no exit codes.
//!
//! Invariant: a step's rows are staged, tested and only then committed, one table in one atomic commit. A finished
//! run's record names one consistent set of table versions, and only such sets are read by [`Published`].

mod data_tests;
mod definitions;
mod discover;
mod event;
mod explain;
mod expressions;
mod failure;
mod figures;
mod firing_key;
mod gate;
mod hold;
mod incremental;
mod intake;
mod matching;
mod memory;
mod openlineage;
mod prepare;
mod progress;
mod publications;
mod publish;
mod published;
mod published_tables;
mod retry;
mod run;
mod run_history;
mod run_record;
mod session;
mod snapshot;
mod stop;
mod triggers;
mod unit_test;
mod usage;
mod vacuum;

pub use data_tests::{ModelTests, test_published};
pub use discover::{
    ChurnLink, Coverage, Discovery, EverydayTopics, FoundJourney, FoundVariant, LandmarkDays, Likeness, SearchOptions,
    discover,
};
pub use event::{Event, Observer, Silent, Together};
pub use explain::{AtLandmark, Drivers, Explanation, NotMatured, Performance, Ranked, Stratum, explain, explain_from};
pub use failure::EngineError;
pub use figures::{Estimate, Figures};
pub use incremental::{Increment, IncrementRecord, Increments, IntervalOptions, LateRows, increments};
pub use intake::IntakeCounts;
pub use openlineage::{Delivered, LineageObserver, LineageOptions, LineageTarget};
pub use prepare::{PrepareOptions, Prepared, prepare};
pub use publications::Publications;
pub use published::{Published, past_runs, query, show};
pub use published_tables::PublishedTables;
pub use run::{RunOptions, needed_steps, run};
pub use run_history::{RUN_TABLES, register_run_tables};
pub use run_record::{ConservationRow, RunRecord, RunStatus, StepRecord, StepStatus, TestRecord, TriggerRecord};
pub use session::{SessionOptions, new_session};
pub use snapshot::{
    JourneyFigures, JourneyMove, Landmarks, ListedSnapshot, SnapshotDiff, SnapshotOptions, SnapshotOutcome, TableDiff,
    create_snapshot, diff_snapshots, export_snapshot, find_snapshot, landmarks, snapshot_at, snapshots,
};
pub use stop::Stop;
pub use throughline_journeys::Arrangement;
pub use throughline_lake::PublishedTable;
pub use unit_test::{
    ChangedCell, ChangedRow, Differences, ShownCell, UnitTestRecord, check_unit_tests, run_unit_tests,
};
pub use usage::{StepUsage, peak_memory_bytes};
pub use vacuum::{VacuumOptions, VacuumReport, vacuum};
