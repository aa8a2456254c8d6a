//! A journey's tier and rank under other limits and horizons, as data: the program prints it, and `--format json`
//! writes it as it is.

use serde::Serialize;

use crate::read::figures::Estimate;

/// A journey in a period, under each variant of its limits and of the horizon of exposure.
#[derive(Debug, Clone, Serialize)]
pub struct Robustness {
    /// The journey.
    pub journey: String,
    /// `2026-Q3`.
    pub period: String,
    /// The cut of the run whose tables are read, RFC 3339.
    pub as_of: String,
    /// Confidence of the intervals, from 0 to 1.
    pub confidence: f64,
    /// `within` of the definition, days; `None` where it has none.
    pub within_days: Option<f64>,
    /// `idle` of the definition, days; `None` where it has none.
    pub idle_days: Option<f64>,
    /// The pipeline's own horizon of exposure, days.
    pub exposure_horizon_days: f64,
    /// The tier that is published; `None` when the journey is not ranked.
    pub tier: Option<String>,
    /// The rank that is published.
    pub rank: Option<i64>,
    /// Why it is not ranked.
    pub reason: Option<String>,
    /// The variants, ordered by horizon, `within` and `idle`, the smallest first.
    pub variants: Vec<RobustVariant>,
    /// How many variants could be judged.
    pub judged: usize,
    /// In how many of these the journey has the published tier, or is unranked as published.
    pub keeps_tier: usize,
}

/// A journey under one variant.
#[derive(Debug, Clone, Serialize)]
pub struct RobustVariant {
    /// `within` of the variant, days.
    pub within_days: Option<f64>,
    /// `idle` of the variant, days.
    pub idle_days: Option<f64>,
    /// Horizon of exposure, days.
    pub exposure_horizon_days: f64,
    /// Whether it is the definition with the pipeline's own horizon, as published.
    pub is_published: bool,
    /// `ok`, `insufficient`, or `unknown` where the horizon reaches back before the pipeline's start.
    pub status: String,
    /// Why it is not ranked.
    pub reason: Option<String>,
    /// `harmful`, `unclear` or `protective`; `None` unless it is ranked.
    pub tier: Option<String>,
    /// Its rank beside the published figures of the other journeys.
    pub rank: Option<i64>,
    /// Customers with at least one day on it.
    pub exposed_customers: Option<i64>,
    /// Who left while on it, in strata that compare.
    pub exposed_leavers: Option<i64>,
    /// Leavers beyond those of like customers who were off it, if it is the cause.
    pub excess_churners: Option<Estimate>,
    /// Rate ratio with all other journeys, as published, held fixed.
    pub mutual_rate_ratio: Option<Estimate>,
    /// The q value (Benjamini-Hochberg) of this variant among the published p values of the other journeys.
    pub q_value: Option<f64>,
    /// Whether the tier is the one that is published; `None` where the variant could not be judged.
    pub keeps_tier: Option<bool>,
}
