//! The statistics of key journeys as SQL functions.
//!
//! Counts, scores and times of customers flow in; figures with their uncertainty flow out. The mathematics stands in
//! plain modules that know no engine; [`register`] hands it to DataFusion as scalar, aggregate and window functions.
//! Every formula is one of SEMANTICS 5, and `reference/` holds what scipy, statsmodels and lifelines say.
//! `examples/churn_in_sql.rs` asks a plain DataFusion session with them whether a journey makes customers leave.
//!
//! What this crate never does: read data, know a table's name, or show a number where none is defined. An undefined
//! figure is null, with a reason beside it where there can be several. Scalar functions are also null for impossible
//! counts; aggregates refuse those with an error that names the value, since a row left out in silence would make the
//! others' figure wrong.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

pub mod distributions;
pub mod exact_sum;
pub mod gamma_quantile;
pub mod proportion;
pub mod two_by_two;

pub mod stratified;

pub mod rates;
pub mod weighted_counts;

pub mod person_time;

pub mod excess_change;
pub mod homogeneity;

pub mod joint_cells;
pub mod poisson_regression;

mod joint_design;

pub mod joint_rates;

pub mod false_discovery;

pub mod correlation;
pub mod delong;
pub mod roc;
pub mod survival;
pub mod welch;

pub mod covariates;
pub mod firth;
pub mod linear_system;
pub mod logistic;
pub mod score_comparison;
pub mod score_rows;

mod functions;

pub use functions::{aggregate_functions, register, scalar_functions, window_functions};
