//! The planted truths, written beside the lake as `_truth.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::calendar::day_text;
use crate::catalogue::{BASE_CHURN, EXPERIENCE_ODDS, JOURNEYS, JourneyPlan, SEGMENTS, TENURE_ODDS};
use crate::defects::TableTruth;
use crate::identity::WebTruth;
use crate::landmark::{Cell, Landmark, Tally};
use crate::opinions::expected_score;
use crate::satisfaction::{OnboardingTruth, TouchpointTruth};

/// The truths' file. It marks a complete sample.
pub(crate) const TRUTH_FILE: &str = "_truth.json";

/// Everything that is known about a sample. Satisfaction is on 0..1; churn figures follow SEMANTICS 5.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Version of this file's layout.
    pub format: u32,
    /// Seed.
    pub seed: u64,
    /// Customers asked for.
    pub customers: u64,
    /// Months covered.
    pub months: u32,
    /// First day covered.
    pub start: String,
    /// The day after the last one covered: the `as_of` all figures hold for.
    pub end: String,
    /// Membership spells; with [`Truth::moved_segments`] the rows of `customers` that keep the contract.
    pub spells: u64,
    /// Spells that end in churn.
    pub churned_spells: u64,
    /// Spells that end otherwise.
    pub lost_spells: u64,
    /// Customers with more than one spell.
    pub rejoined_customers: u64,
    /// Spells without a segment.
    pub null_segments: u64,
    /// Spells in which the segment changes: a second row of `customers` with a later `valid_from`.
    pub moved_segments: u64,
    /// Rows of the `touchpoints` relation: linked web events, calls, visits, messages, tickets opened and closed,
    /// invoices issued and paid.
    pub touchpoints: u64,
    /// Journey answers that find no instance for certain: the customer never was on that journey.
    pub stray_journey_answers: u64,
    /// Each raw table.
    pub tables: BTreeMap<String, TableTruth>,
    /// Web events and who is behind them.
    pub web: WebTruth,
    /// Answers by kind of touchpoint: at least nine of ten satisfied.
    pub touchpoint_satisfaction: Vec<TouchpointTruth>,
    /// Relationship satisfaction over onboarding, by segment.
    pub onboarding_relationship: Vec<OnboardingTruth>,
    /// Whether journeys change the chance of churn.
    pub effects: bool,
    /// Base chances of churn and what multiplies their odds.
    pub churn_model: ChurnModel,
    /// Each journey.
    pub journeys: Vec<JourneyTruth>,
}

/// The planted model: odds = base × tenure × the exposures' odds ratios × their experience.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChurnModel {
    /// Chance within 90 days without any exposure, for a tenure of one to three years.
    pub base_rate: BTreeMap<String, f64>,
    /// Factor on the odds for each tenure band, shortest first.
    pub tenure_odds: Vec<f64>,
    /// Factor on the odds for each experience level of a journey on which experience matters, best first.
    pub experience_odds: Vec<f64>,
}

impl ChurnModel {
    pub(crate) fn planted() -> Self {
        ChurnModel {
            base_rate: SEGMENTS.iter().zip(BASE_CHURN).map(|((name, _), rate)| ((*name).to_owned(), rate)).collect(),
            tenure_odds: TENURE_ODDS.to_vec(),
            experience_odds: EXPERIENCE_ODDS.to_vec(),
        }
    }
}

/// What is planted for one journey, and what a perfect analysis would find.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JourneyTruth {
    /// Its name.
    pub journey: String,
    /// Conditional odds ratio over all experiences, single-channel where that matters.
    pub odds_ratio: f64,
    /// The same for exposed customers with a multi-channel instance.
    pub multichannel_odds_ratio: f64,
    /// Whether experience changes the odds: then journey scores explain churn and touchpoint scores hardly do.
    pub experience_matters: bool,
    /// Mean journey satisfaction planted for single-channel instances of ordinary experience.
    pub single_channel_satisfaction: f64,
    /// The same for multi-channel ones.
    pub multichannel_satisfaction: f64,
    /// Mean score that an answer about a single-channel instance is expected to have: over all experiences, on the grid of
    /// the survey's scale.
    pub expected_single_channel_satisfaction: f64,
    /// The same for multi-channel ones.
    pub expected_multichannel_satisfaction: f64,
    /// Instances that start within the sample.
    pub instances: u64,
    /// Every matured landmark.
    pub landmarks: Vec<LandmarkTruth>,
    /// All matured landmarks together; the strata are landmark × segment × tenure band.
    pub all_landmarks: LandmarkTruth,
}

/// One journey at one landmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LandmarkTruth {
    /// The landmark's day, or `all`.
    pub landmark: String,
    /// Members in the window without a start in it.
    pub carried_over: u64,
    /// Lost in the outcome window, those carried over not counted.
    pub censored: u64,
    /// Exposed who churned, as drawn.
    pub a: u64,
    /// Exposed who stayed.
    pub b: u64,
    /// Unexposed who churned.
    pub c: u64,
    /// Unexposed who stayed.
    pub d: u64,
    /// The four cells by segment at the landmark.
    pub by_segment: BTreeMap<String, [u64; 4]>,
    /// From the planted chances: mean chance of the exposed.
    pub expected_exposed_rate: Option<f64>,
    /// Mean chance of the unexposed.
    pub expected_unexposed_rate: Option<f64>,
    /// Odds ratio of the expected cells: where a crude estimate should centre.
    pub expected_crude_odds_ratio: Option<f64>,
    /// Mantel–Haenszel odds ratio of the expected cells of the strata: where an adjusted estimate should centre.
    pub expected_adjusted_odds_ratio: Option<f64>,
    /// Exposed churners beyond what their strata's unexposed would have lost, expected.
    pub expected_excess_churners: f64,
    /// Mean chance of exposed customers with single-channel instances only.
    pub expected_single_channel_rate: Option<f64>,
    /// Mean chance of exposed customers with a multi-channel instance.
    pub expected_multichannel_rate: Option<f64>,
    /// What upgrades in the exposure window are expected to add to the bills of an exposed customer in the outcome window.
    pub expected_upgrade_revenue: Option<f64>,
}

/// The truth of a journey from its tallies, one for each landmark.
pub(crate) fn journey_truth(
    index: usize,
    (landmarks, tallies): (&[Landmark], &[[Tally; 8]]),
    instances: u64,
    effects: bool,
) -> JourneyTruth {
    let plan: &JourneyPlan = &JOURNEYS[index];
    let of_journey: Vec<&Tally> = tallies.iter().map(|tally| &tally[index]).collect();
    let each =
        landmarks.iter().zip(&of_journey).map(|(landmark, tally)| landmark_truth(day_text(landmark.at), &[tally]));
    JourneyTruth {
        journey: plan.name.to_owned(),
        odds_ratio: if effects { plan.odds_ratio } else { 1.0 },
        multichannel_odds_ratio: if effects { plan.multichannel_odds_ratio } else { 1.0 },
        experience_matters: effects && plan.experience_matters,
        single_channel_satisfaction: plan.satisfaction,
        multichannel_satisfaction: plan.satisfaction - crate::catalogue::MULTICHANNEL_PENALTY,
        expected_single_channel_satisfaction: expected_score(plan, false),
        expected_multichannel_satisfaction: expected_score(plan, true),
        instances,
        landmarks: each.collect(),
        all_landmarks: landmark_truth("all".to_owned(), &of_journey),
    }
}

fn landmark_truth(landmark: String, tallies: &[&Tally]) -> LandmarkTruth {
    let strata: Vec<&Cell> = tallies.iter().flat_map(|tally| tally.cells.iter().flatten()).collect();
    let drawn = |at: usize| strata.iter().map(|cell| cell.drawn[at]).sum::<u64>();
    let expected = |at: usize| strata.iter().map(|cell| cell.expected[at]).sum::<f64>();
    let [a, b, c, d] = [0, 1, 2, 3].map(expected);
    let ratio = |over: f64, under: f64| (under > 0.0).then(|| over / under);
    let total = |cell: &Cell| cell.expected.iter().sum::<f64>();
    let used = || strata.iter().filter(|cell| total(cell) > 0.0);
    let concordant: f64 = used().map(|cell| cell.expected[0] * cell.expected[3] / total(cell)).sum();
    let discordant: f64 = used().map(|cell| cell.expected[1] * cell.expected[2] / total(cell)).sum();
    let channel_rate = |at: usize| {
        let of = |part: usize| tallies.iter().map(|tally| tally.by_channels[at].expected[part]).sum::<f64>();
        ratio(of(0), of(0) + of(1))
    };
    LandmarkTruth {
        landmark,
        carried_over: tallies.iter().map(|tally| tally.carried_over).sum(),
        censored: tallies.iter().map(|tally| tally.censored).sum(),
        a: drawn(0),
        b: drawn(1),
        c: drawn(2),
        d: drawn(3),
        expected_exposed_rate: ratio(a, a + b),
        expected_unexposed_rate: ratio(c, c + d),
        expected_crude_odds_ratio: ratio(a * d, b * c),
        expected_adjusted_odds_ratio: ratio(concordant, discordant),
        expected_excess_churners: strata.iter().map(|cell| excess(cell)).sum(),
        expected_single_channel_rate: channel_rate(0),
        expected_multichannel_rate: channel_rate(1),
        expected_upgrade_revenue: {
            let exposed: u64 = tallies.iter().map(|tally| tally.upgrade_revenue.0).sum();
            ratio(tallies.iter().map(|tally| tally.upgrade_revenue.1).sum(), exposed as f64)
        },
        by_segment: by_segment(tallies),
    }
}

fn by_segment(tallies: &[&Tally]) -> BTreeMap<String, [u64; 4]> {
    let cells = |segment: usize| {
        let strata = tallies.iter().flat_map(|tally| &tally.cells[segment]);
        strata.fold([0; 4], |sum: [u64; 4], cell| [0, 1, 2, 3].map(|at| sum[at] + cell.drawn[at]))
    };
    SEGMENTS.iter().enumerate().map(|(segment, (name, _))| ((*name).to_owned(), cells(segment))).collect()
}

/// a − n1·c/n0 of a stratum that has unexposed.
fn excess(cell: &Cell) -> f64 {
    let [a, b, c, d] = cell.expected;
    if c + d > 0.0 { a - (a + b) * c / (c + d) } else { 0.0 }
}
