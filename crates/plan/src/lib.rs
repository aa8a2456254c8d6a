//! Turns a pipeline and its SQL into a type-checked graph of steps.
//!
//! In: a [`throughline_config::Pipeline`] and a DataFusion session in which sources and functions are registered.
//! Out: a [`Plan`]: every step in the order it can run, with its inputs, schema, fingerprint and the logical plans of
//! its rows and tests; or diagnostics that point into the YAML or SQL file.
//!
//! The plan is data: `plan` prints the list that `run` executes. This crate opens nothing and reads no rows; a source's
//! columns come from the session's catalogue, and the operator that matches journeys from [`JourneyMatching`].

mod sql_text;
mod graph;
mod parameters;
mod planning;
mod condition;
mod eligible;
mod input;
mod always_null;
mod union;
mod relation;
mod replaced_model;
mod ejected;
mod replaced_rows;
mod matches_behind;
mod data_test;
mod trigger;
mod step;
mod select;
mod lineage;
mod named_columns;
mod alias_fields;
mod likely_place;
mod error_place;

pub use condition::{BrokenRule, condition, row_rule};
pub use data_test::{PlannedTest, planned_tests, read_by_tests};
pub use ejected::ejected;
pub use error_place::{TextOrigin, diagnose};
pub use graph::{Graph, JOURNEY_DEFINITIONS, Node};
pub use lineage::{ColumnLineage, ColumnOf, Influence, Influences, Lineage, lineage};
pub use named_columns::named_columns;
pub use parameters::{BEGINNING, Parameters};
pub use planning::plan;
pub use relation::{JourneyMatching, relation, select};
pub use replaced_rows::ReplacedRows;
pub use select::Selection;
pub use sql_text::SqlText;
pub use step::{Plan, Step, StepKind, digest};
pub use trigger::{PlannedTrigger, TRIGGER_LOG, planned_trigger};
