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
    /// Customers with a touchpoint before the cut.
    pub customers: u64,
    /// Customers whose touchpoints were searched for patterns; figures are those of all customers.
    pub searched_customers: usize,
    /// Their cases, where a key tells these apart.
    pub searched_cases: Option<usize>,
    /// Their touchpoints.
    pub searched_touchpoints: usize,
    /// Whether all customers were searched.
    pub searched_all: bool,
    /// What was taken for an episode and what came of it, in the order in which it was tried; a sentence each.
    pub tried: Vec<String>,
    /// Why nothing is said of who left; `None` when customers are known.
    pub without_leaving: Option<String>,
    /// The quarter at which leaving is looked at; `None` when no day counts yet, and then nothing is said of leaving.
    pub period: Option<JudgedPeriod>,
    /// The candidates: harmful, unclear and protective ones, then those that are not ranked.
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

/// A quarter, and which of its days count.
#[derive(Debug, Clone, Serialize)]
pub struct JudgedPeriod {
    /// `2026-Q3`.
    pub period: String,
    /// Its first day that counts, `2026-07-01`.
    pub first_day: String,
    /// Its last day that counts.
    pub last_day: String,
    /// `whole`, `running` (its end is not reached) or `partial` (its first days are before what can be judged).
    pub status: String,
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
    /// All events after which it stops as a rule, the commonest first.
    pub end_events: Vec<String>,
    /// Of the episodes in which an end occurs, the share that stops there (among those searched).
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
    /// Its link to leaving in the period.
    pub churn: Option<ChurnLink>,
    /// The pipeline's definition with which it shares most touchpoints.
    pub like: Option<Likeness>,
    /// The definition whose `eligible` says who could have been on the candidate; everybody when `None`.
    pub eligible_as: Option<String>,
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

/// A link to leaving by the person-time of a period (SEMANTICS 5). Rates are fractions in 90 days.
#[derive(Debug, Clone, Serialize)]
pub struct ChurnLink {
    /// `ok`, `insufficient`, or that of a period that is not whole.
    pub status: String,
    /// Why it is not ranked; `None` when it is.
    pub reason: Option<String>,
    /// `harmful`, `unclear` or `protective`; `None` unless it is ranked.
    pub tier: Option<String>,
    /// Customers with at least one day on it.
    pub exposed_customers: i64,
    /// Person-days on it, as all that follows over the strata that compare.
    pub exposed_days: i64,
    /// Person-days off it.
    pub unexposed_days: i64,
    /// Who left while on it.
    pub exposed_leavers: i64,
    /// Who left while off it.
    pub unexposed_leavers: i64,
    /// Person-days on it in strata without a day off it, which compare with nobody.
    pub left_out_days: i64,
    /// Who left on those.
    pub left_out_leavers: i64,
    /// Everybody who left while eligible, on it or off it, left-out ones included.
    pub leavers: i64,
    /// How many equally weighted leavers the comparison rests on.
    pub effective_leavers: Option<f64>,
    /// Rate of leaving while on it.
    pub exposed_churn_rate: Option<Estimate>,
    /// Rate of leaving while off it.
    pub unexposed_churn_rate: Option<Estimate>,
    /// Rate of like customers who were off it: same segment, tenure and month.
    pub like_churn_rate: Option<Estimate>,
    /// Not adjusted.
    pub rate_ratio: Option<Estimate>,
    /// Mantel-Haenszel over segment, tenure and month.
    pub adjusted_rate_ratio: Option<Estimate>,
    /// Adjusted for all others of its side at once by Poisson regression.
    pub mutual_rate_ratio: Option<Estimate>,
    /// Why the regression says nothing of it.
    pub mutual_reason: Option<String>,
    /// Leavers beyond those of like customers who were off it, if it is the cause.
    pub excess_churners: Option<Estimate>,
    /// The excess that would be seen with a power of 80 %.
    pub smallest_detectable_excess: Option<f64>,
    /// The level at which the interval of the excess just holds 0.
    pub p_value: Option<f64>,
    /// Benjamini-Hochberg over those of its side that are ranked.
    pub q_value: Option<f64>,
    /// The same of the mutually adjusted rate ratio.
    pub mutual_q_value: Option<f64>,
    /// Whether more leave beyond chance, but not beside all others of its side.
    pub goes_with_others: bool,
}

/// What a set of definitions explains together.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Coverage {
    /// Definitions in the set.
    pub journeys: usize,
    /// Touchpoints that are members of at least one.
    pub touchpoints: u64,
    /// Customers with such a touchpoint.
    pub customers: u64,
    /// Journeys of tier harmful.
    pub harmful: Vec<String>,
    /// All of the set as one exposure, so that nobody counts twice.
    pub any: Option<ChurnLink>,
    /// The harmful ones as one exposure.
    pub harmful_together: Option<ChurnLink>,
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
