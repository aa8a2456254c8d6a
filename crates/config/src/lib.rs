//! Reads a workspace's YAML into validated types.
//!
//! In: the files under `pipelines/` and the environment for `${VAR:-default}`. Out: a [`Pipeline`] in which every
//! value remembers its [`Place`], or [`Diagnostics`] that name file, line and column and the way out.
//!
//! This crate knows no engine: it never parses SQL, never opens data, and has no async code. Whether a column exists
//! or a condition is boolean is for `throughline-plan` to say, which uses the places kept here.
//!
//! `examples/diagnostic.rs` loads a workspace with mistakes in it, prints what a person sees, and loads it mended.

mod diagnostic;
mod load;
mod pipeline;
mod place;
mod render;
mod schema;
#[cfg(test)]
mod tests;
mod trigger;
mod unit_test;

pub use diagnostic::{Diagnostic, Diagnostics, Severity, closest};
pub use load::{LoadOptions, instant, journey_definitions, load_pipeline, pipeline_names};
pub use pipeline::{
    Calendar, Column, ColumnType, DataTest, Duration, Format, Freshness, Increment, JourneyDefinition, MatchRows,
    Materialization, Model, ModelKind, OnRestart, Pipeline, RowRule, Source, SourceKind, TestKind, Timestamp, Variable,
};
pub use place::{Located, Place, SourceFile};
pub use schema::{FileKind, json_schema};
pub use trigger::{Template, TemplatePart, Trigger, TriggerSeverity};
pub use unit_test::{Cell, ExpectedRows, GivenRows, TestRow, UnitTest};
