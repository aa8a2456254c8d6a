//! What a scalar function gives for a row.

use crate::{distributions::Confidence, proportion::Estimate, stratified::ChiSquaredTest};

/// What a row's arguments are turned into; `None` where the figure is undefined.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Figure {
    /// A figure with its interval.
    Estimate(fn(&[f64], Confidence) -> Option<Estimate>),
    /// A number.
    Number(fn(&[f64]) -> Option<f64>),
    /// A test.
    Test(fn(&[f64]) -> Option<ChiSquaredTest>),
}
