//! Matches journey definitions against touchpoints inside DataFusion (SEMANTICS 2).
//!
//! In: a relation of touchpoints and [`throughline_config::JourneyDefinition`]s. Out: a logical plan with one row for
//! each member of each instance, made by [`match_journeys`]; a session plans it with [`MatchPlanner`]. After a run
//! [`match_counts`] tells what became of every touchpoint.
//!
//! How a batch goes through the operator:
//! 1. `stream` finds the customers' ends, evaluates each distinct condition once over the whole batch into bits and
//!    sorts out the rows that cannot be placed;
//! 2. `scan` leads each definition from one row that matters to the next, `rules` says what that row does;
//! 3. `gather` orders the finished customers' instances and gathers their members column by column; of the customer
//!    that goes on in the next batch only the members are copied and kept.
//!
//! This crate opens no storage and knows no file format. It relies on DataFusion for the exchange, the sort and
//! spilling, never on where the order comes from.

mod bits;
mod codec;
mod conditions;
mod counts;
pub mod discovery;
mod exec;
mod gather;
mod node;
mod parameters;
mod planner;
mod refusal;
mod rules;
mod scan;
mod stream;

pub use codec::MatchJourneysCodec;
pub use counts::{DefinitionCounts, Instances, MatchCounts, SetAside, match_counts};
pub use exec::MatchJourneysExec;
pub use node::{MatchJourneys, match_journeys};
pub use parameters::{Definition, MatchParameters};
pub use planner::{MatchPlanner, MatchQueryPlanner};
pub use refusal::{Field, MatchError, MatchErrorKind};

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
