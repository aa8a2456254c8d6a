//! The pipeline's own unit tests: a model's rows over given rows, without a lake and without a warehouse.
//!
//! [`run_tests`] runs them over the [`inputs`] that they give, with their [`values`] in the types of columns, and
//! [`compare`]s the rows with those expected.

mod run_tests;
mod inputs;
mod values;
mod compare;

pub use compare::{ChangedCell, ChangedRow, Differences, ShownCell};
pub use run_tests::{UnitTestRecord, check_unit_tests, run_unit_tests};
