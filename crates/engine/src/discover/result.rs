//! What discovery found, as data: the program prints it, and `--format json` writes it as it is.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::read::figures::Estimate;

/// The result of a search.
#[derive(Debug, Clone, Serialize)]
pub struct Discovery {
    /// The cut, RFC 3339.
    pub as_of: String,
    /// The relation that was searched.
    pub relation: String,
    /// Its touchpoints before the cut.
    pub touchpoints: u64,
    /// Customers whose touchpoints were searched for patterns; figures are those of all customers.
    pub searched_customers: usize,
    /// Their touchpoints.
    pub searched_touchpoints: usize,
    /// Whether all customers were searched.
    pub searched_all: bool,
    /// The latest matured landmark; `None` when there is none, and then no figure on churn.
    pub landmark: Option<LandmarkDays>,
    /// The candidates, by the lower limit of excess churners.
    pub candidates: Vec<FoundJourney>,
    /// Topics that are no journey.
    pub everyday: Vec<EverydayTopics>,
    /// What the candidates explain.
    pub by_candidates: Coverage,
    /// What the pipeline's own definitions explain.
    pub by_definitions: Coverage,
    /// Touchpoints in both.
    pub touchpoints_in_both: u64,
    /// Share of the intervals' confidence, 0.95 by default.
    pub confidence: f64,
}

/// A landmark's days.
#[derive(Debug, Clone, Serialize)]
pub struct LandmarkDays {
    /// The landmark.
    pub landmark: String,
    /// Begin of the exposure window, which the landmark ends.
    pub exposure_from: String,
    /// Begin of the outcome window.
    pub outcome_from: String,
    /// Its end, exclusive.
    pub outcome_until: String,
}

/// A candidate with its figures.
#[derive(Debug, Clone, Serialize)]
pub struct FoundJourney {
    /// A name no journey of the pipeline has.
    pub name: String,
    /// What its touchpoints are about.
    pub topics: Vec<String>,
    /// Events that open it.
    pub start_events: Vec<String>,
    /// The event after which it stops most often.
    pub end_event: String,
    /// Of the episodes in which the end occurs, the share that stops there (among those searched).
    pub stopping_share: f64,
    /// Other events after which it stops.
    pub abandon_events: Vec<String>,
    /// The definition to paste.
    pub yaml: String,
    /// Instances, by the matcher over all touchpoints.
    pub episodes: u64,
    /// Their customers.
    pub customers: u64,
    /// Instances by status.
    pub by_status: BTreeMap<String, u64>,
    /// Completed of those that are over.
    pub completed_share: Option<f64>,
    /// Median duration of the completed, seconds.
    pub median_duration_s: Option<f64>,
    /// Touchpoints that are members.
    pub members: u64,
    /// Commonest sequences of events with their share of the episodes searched.
    pub variants: Vec<FoundVariant>,
    /// How many different sequences there are.
    pub different_variants: usize,
    /// Events that nearly every completed episode goes through, in their usual order.
    pub milestones: Vec<String>,
    /// Its link to churn at the landmark.
    pub churn: Option<ChurnLink>,
    /// The pipeline's definition with which it shares most touchpoints.
    pub like: Option<Likeness>,
}

/// A sequence of events, repetitions folded.
#[derive(Debug, Clone, Serialize)]
pub struct FoundVariant {
    /// The events.
    pub events: Vec<String>,
    /// Share of the episodes that are over.
    pub share: f64,
}

/// A definition of the pipeline that resembles a candidate.
#[derive(Debug, Clone, Serialize)]
pub struct Likeness {
    /// The journey.
    pub journey: String,
    /// Of the candidate's members, those that are members of the journey too.
    pub of_candidate: f64,
    /// Of the journey's members, those that are members of the candidate too.
    pub of_journey: f64,
    /// Touchpoints that are members of both, of those that are members of either.
    pub overlap: f64,
}

/// A link to churn by the landmark design of SEMANTICS 5.
#[derive(Debug, Clone, Serialize)]
pub struct ChurnLink {
    /// Why the figures are not to be ranked.
    pub reason: Option<String>,
    /// Customers in whose window an instance started.
    pub exposed: i64,
    /// Customers without a member in it.
    pub unexposed: i64,
    /// Customers with members but no start in it, left out.
    pub carried_over: i64,
    /// Churners among the exposed.
    pub exposed_churners: i64,
    /// Churners among the unexposed.
    pub unexposed_churners: i64,
    /// Churners of the landmark, exposed or not.
    pub churners: i64,
    /// Share of the exposed who left.
    pub exposed_churn_rate: Option<f64>,
    /// Share of the unexposed who left.
    pub unexposed_churn_rate: Option<f64>,
    /// Not adjusted.
    pub odds_ratio: Option<f64>,
    /// Mantel-Haenszel over segment and tenure.
    pub adjusted_odds_ratio: Option<Estimate>,
    /// Churners beyond the rate of the unexposed of the same stratum, if causal.
    pub excess_churners: Option<Estimate>,
    /// Cochran-Mantel-Haenszel.
    pub p_value: Option<f64>,
    /// Benjamini-Hochberg over the candidates that are not withheld.
    pub q_value: Option<f64>,
}

/// What a set of definitions explains together.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Coverage {
    /// Definitions in the set.
    pub journeys: usize,
    /// Touchpoints that are members of at least one.
    pub touchpoints: u64,
    /// Journeys linked to more churn (q below 1 − confidence, odds ratio above 1).
    pub linked: Vec<String>,
    /// All of the set as one exposure: the churners with a start in the window.
    pub any: Option<ChurnLink>,
    /// The linked ones as one exposure, so that nobody counts twice.
    pub linked_together: Option<ChurnLink>,
}

/// Topics that are no journey.
#[derive(Debug, Clone, Serialize)]
pub struct EverydayTopics {
    /// What the touchpoints are about.
    pub topics: Vec<String>,
    /// Touchpoints among those searched.
    pub touchpoints: usize,
    /// Why not.
    pub reason: String,
}
