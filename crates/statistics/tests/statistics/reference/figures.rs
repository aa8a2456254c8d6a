//! Figures by the names of the reference files.

use std::collections::BTreeMap;

use throughline_statistics::{proportion::Estimate, stratified::ChiSquaredTest};

/// Figures by name; `None` is an undefined one.
pub(super) type Figures = BTreeMap<String, Option<f64>>;

pub(super) fn named<const N: usize>(figures: [(&str, Option<f64>); N]) -> Figures {
    figures.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect()
}

pub(super) fn estimate(estimate: Option<Estimate>) -> Figures {
    named([
        ("estimate", estimate.map(|estimate| estimate.estimate)),
        ("lower", estimate.map(|estimate| estimate.lower)),
        ("upper", estimate.map(|estimate| estimate.upper)),
    ])
}

pub(super) fn test(prefix: &str, test: Option<ChiSquaredTest>) -> Figures {
    let mut figures = Figures::new();
    figures.insert(format!("{prefix}statistic"), test.map(|test| test.statistic));
    figures.insert(format!("{prefix}df"), test.map(|test| test.df as f64));
    figures.insert(format!("{prefix}p_value"), test.map(|test| test.p_value));
    figures
}
