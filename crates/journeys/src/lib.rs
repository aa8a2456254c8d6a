//! Matches journey definitions against touchpoints inside DataFusion (SEMANTICS 2).
//!
//! In: a relation of touchpoints and [`throughline_config::JourneyDefinition`]s. Out: a logical plan with one row for
//! each member of each instance, for each instance, or for each stretch of days in one state of exposure, made by
//! [`match_journeys`]; a session plans it with [`MatchPlanner`]. After a run [`match_counts`] tells what became of every
//! touchpoint.
//!
//! `examples/match_journeys.rs` does all of this in a plain DataFusion session, with definitions read from a text by
//! [`throughline_config::journey_definitions`]; the rules are in `crates/SEMANTICS.md`.
//!
//! How touchpoints go through the operator, a file a station:
//! 1. `prepare` sorts out the rows that cannot be placed and gives every other its class: `classes` decides the
//!    conditions once for each distinct combination of texts (`texts`);
//! 2. customers are put together: by `ordered`, from an input in the order of customers, or by `shuffle`, which
//!    spreads any input over `buckets`, in memory or spilled, and orders one bucket at a time;
//! 3. `matcher` walks through each of the `customers` once for all definitions, `rules` says what a touchpoint does;
//! 4. `grouped` orders what was found, `members`, `instances` (with `measures`) or `states` makes the rows of the
//!    output.
//!
//! This crate opens no storage but the spill files of DataFusion and knows no file format.

mod parameters;
mod refusal;
mod node;
mod planner;
mod exec;
mod stream;
mod prepare;
mod conditions;
mod classes;
mod texts;
mod ordered;
mod shuffle;
mod buckets;
mod customer_tables;
mod customers;
mod matcher;
mod rules;
mod grouped;
mod members;
mod instances;
mod measures;
mod states;
mod counters;
mod counts;
mod codec;
mod lineage;
pub mod discovery;

pub use codec::MatchJourneysCodec;
pub use counts::{DefinitionCounts, Instances, MatchCounts, SetAside, match_counts};
pub use exec::{Arrangement, MatchJourneysExec, arrangement};
pub use lineage::{known_made_of, made_of, state_made_of};
pub use node::{MatchJourneys, match_journeys};
pub use parameters::{Definition, MatchParameters, OutputRows, Score};
pub use planner::{MatchPlanner, MatchQueryPlanner};
pub use refusal::{Field, MatchError, MatchErrorKind};

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
