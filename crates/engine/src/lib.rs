//! Runs a plan: sessions, intake of sources, scheduling, tests, publishing, run records.
//!
//! In: a [`throughline_config::Pipeline`]. Out: published tables in the warehouse and a [`RunRecord`]. What happens on
//! the way is told to an [`Observer`]; this crate prints nothing and knows no exit codes.
//!
//! Invariant: a step's rows are staged, tested and only then committed, one table in one atomic commit. A finished
//! run's record names one consistent set of table versions, and only such sets are read by [`Published`].

mod definitions;
mod discover;
mod event;
mod explain;
mod failure;
mod figures;
mod firing_key;
mod intake;
mod matching;
mod memory;
mod prepare;
mod publications;
mod publish;
mod published;
mod run;
mod run_record;
mod session;
mod triggers;
mod usage;

pub use discover::{
    ChurnLink, Coverage, Discovery, EverydayTopics, FoundJourney, FoundVariant, LandmarkDays, Likeness, SearchOptions,
    discover,
};
pub use event::{Event, Observer, Silent};
pub use explain::{AtLandmark, Drivers, Explanation, NotMatured, Performance, Ranked, Stratum, explain};
pub use failure::EngineError;
pub use figures::Estimate;
pub use intake::IntakeCounts;
pub use prepare::{PrepareOptions, Prepared, prepare};
pub use publications::Publications;
pub use published::{Published, past_runs, show};
pub use run::{RunOptions, needed_steps, run};
pub use run_record::{ConservationRow, RunRecord, RunStatus, StepRecord, StepStatus, TestRecord, TriggerRecord};
pub use session::{SessionOptions, new_session};
pub use throughline_journeys::Arrangement;
pub use throughline_lake::PublishedTable;
pub use usage::{StepUsage, peak_memory_bytes};
