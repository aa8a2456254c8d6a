//! Reads a workspace's YAML into validated types.
//!
//! In: the files under `pipelines/` and the environment for `${VAR:-default}`. Out: a [`Pipeline`] in which every
//! value remembers its [`Place`], or [`Diagnostics`] that name file, line and column and the way out.
//!
//! This crate knows no engine: it never parses SQL, never opens data, and has no async code. Whether a column exists
//! or a condition is boolean is for `throughline-plan` to say, which uses the places kept here.
//!
//! `examples/diagnostic.rs` loads a workspace with mistakes in it, prints what a person sees, and loads it mended.

mod load;
mod pipeline;
mod library;
mod source;
mod journey;
mod model;
mod data_test;
mod trigger;
mod semantics;
mod unit_test;
mod value;
mod place;
mod diagnostic;
mod render;
mod schema;
#[cfg(test)]
mod tests;

pub use data_test::{DataTest, RowRule, TestKind};
pub use diagnostic::{Diagnostic, Diagnostics, Severity, closest};
pub use journey::{JourneyDefinition, OnRestart};
pub use library::{BuiltInLibrary, Input, InputColumn, Library, TurnedOff};
pub use load::{LoadOptions, built_in_library, duration, instant, journey_definitions, load_pipeline, pipeline_names};
pub use model::{Calendar, Increment, MatchRows, Materialization, Model, ModelKind};
pub use pipeline::Pipeline;
pub use place::{Located, Place, SourceFile};
pub use schema::{FileKind, json_schema};
pub use semantics::{Measure, MeasureKind, Ratio, RatioInterval, Semantics, TableSemantics};
pub use source::{Column, ColumnType, Format, Freshness, RejectedLimits, RowLimits, Source, SourceKind};
pub use trigger::{Template, TemplatePart, Trigger, TriggerSeverity};
pub use unit_test::{Cell, ExpectedRows, GivenRows, TestRow, UnitTest};
pub use value::{Duration, Timestamp, Variable};
