//! The planted truths, written beside the lake as `_truth.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::calendar::Month;
use crate::catalogue::{
    DAILY_LEAVING, DAILY_LOSS, EXPERIENCE_SHARE, GIVE_NOTICE, JOURNEY_COUNT, JOURNEYS, JourneyPlan, LOSS_WHILE_MOVING,
    MOVED_AWAY_DAYS, MULTICHANNEL_PENALTY, NEW_CUSTOMER, OLD_CUSTOMER, OLD_CUSTOMER_DAYS, SEGMENTS,
};
use crate::defects::TableTruth;
use crate::effect::{Effect, Since};
use crate::excess::{Excess, ExcessTally};
use crate::identity::WebTruth;
use crate::opinions::expected_score;
use crate::satisfaction::{OnboardingTruth, TouchpointTruth};

/// The truths' file. It marks a complete sample.
pub(crate) const TRUTH_FILE: &str = "_truth.json";

/// Everything that is known about a sample. Satisfaction is on 0..1.
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
    /// Spells that the customer ended, by notice or at once.
    pub left_spells: u64,
    /// Of these, spells with a notice.
    pub notices: u64,
    /// Spells that ended otherwise.
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
    /// Whether journeys change the chance of leaving.
    pub effects: bool,
    /// The daily chance of leaving, and what else ends a spell.
    pub leaving: LeavingTruth,
    /// Customers who left, by month (`2026-05`) and by quarter (`2026-Q2`), then by segment; who gave notice left then.
    pub leavers: BTreeMap<String, BTreeMap<String, u64>>,
    /// What a larger plan adds to each month's bill, from the month after it on; a year's bill holds eleven months.
    pub upgrade_price: f64,
    /// Each journey.
    pub journeys: Vec<JourneyTruth>,
}

/// The planted model: chance of leaving on a day = segment's × tenure factor × each journey's factor on that day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeavingTruth {
    /// Chance on one day without any journey, for a tenure factor of one.
    pub daily_chance: BTreeMap<String, f64>,
    /// Factor by tenure, in words.
    pub tenure: String,
    /// Share of each experience level of a journey, best first.
    pub experience_share: Vec<f64>,
    /// Share of those who leave who give notice; the others leave on the day.
    pub give_notice: f64,
    /// Loss to follow-up, in words.
    pub loss: String,
}

impl LeavingTruth {
    pub(crate) fn planted() -> Self {
        let named = |((name, _), chance): (&(&str, f64), f64)| ((*name).to_owned(), chance);
        LeavingTruth {
            daily_chance: SEGMENTS.iter().zip(DAILY_LEAVING).map(named).collect(),
            tenure: format!(
                "× {NEW_CUSTOMER} on joining, falling evenly to × {OLD_CUSTOMER} after {OLD_CUSTOMER_DAYS} days"
            ),
            experience_share: EXPERIENCE_SHARE.to_vec(),
            give_notice: GIVE_NOTICE,
            loss: format!(
                "{DAILY_LOSS} a day, × {LOSS_WHILE_MOVING} for {MOVED_AWAY_DAYS} days after moving_house's latest touchpoint"
            ),
        }
    }
}

/// What is planted for one journey.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JourneyTruth {
    /// Its name.
    pub journey: String,
    /// The kind of truth it stands for: `acute`, `lasting`, `comes_once` and so on.
    pub kind: String,
    /// What is planted, in a sentence.
    pub story: String,
    /// The effect on the daily chance of leaving; none, and nobody leaves because of the journey.
    pub effect: Option<EffectTruth>,
    /// Whether the effect is the stronger, the worse the journey goes: then journey scores explain leaving, and
    /// touchpoint scores hardly do.
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
    /// Instances that start within the sample and of which it is known whose they are.
    pub instances: u64,
    /// Every month and every quarter of the sample.
    pub periods: Vec<PeriodTruth>,
    /// The whole sample.
    pub all_periods: PeriodTruth,
}

/// The shape of an effect over the days after a journey.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectTruth {
    /// In words.
    pub words: String,
    /// Factor on the daily chance of leaving while the effect is full, for an ordinary experience.
    pub factor: f64,
    /// `start`: days are counted from the instance's first touchpoint; `latest`: from its latest so far.
    pub since: String,
    /// Days in which it grows from none to full.
    pub grows_days: f64,
    /// Day until which it is full.
    pub full_until_day: f64,
    /// Day from which on nothing is left; in between it fades evenly.
    pub gone_at_day: f64,
    /// Whether only instances over several channels have it.
    pub only_multichannel: bool,
    /// What is put on factor − 1 by experience level, best first.
    pub experience_weights: Vec<f64>,
}

/// One journey in one month or quarter, over the customers as they lived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeriodTruth {
    /// `2026-05`, `2026-Q2`, or `all`.
    pub period: String,
    /// Customers' days on which the effect acts.
    pub days: u64,
    /// True excess churners: over those days, Σ (chance of leaving − chance without this journey's effect). Who asks
    /// about the contract first leaves up to six days after the day that decided it.
    pub excess_churners: f64,
    /// The part of it on days within 90 days after the customer's latest touchpoint of the journey, a plain fact of
    /// lives: who counts only customers that were on it so lately cannot see more. What acts later is outside, and makes
    /// those they are compared with leave a little more often too.
    pub excess_churners_within_90_days: f64,
    /// That part by segment; `unknown` stands for null.
    pub by_segment: BTreeMap<String, f64>,
    /// Σ of the chance over those days ÷ Σ of the chance without the effect.
    pub rate_ratio: Option<f64>,
    /// Customers who left and, with the same dice, would have stayed that day without the effect.
    pub left_only_because: u64,
    /// Days on which a customer stayed who, with the same dice, would have left without the effect.
    pub stayed_only_because: u64,
}

/// The truth of each journey over the months of the sample.
pub(crate) fn journey_truths(
    months: &[Month],
    tally: &ExcessTally,
    instances: &[u64; JOURNEY_COUNT],
    effects: bool,
) -> Vec<JourneyTruth> {
    let truth = |(index, plan): (usize, &JourneyPlan)| {
        let mut periods: BTreeMap<String, Excess> = BTreeMap::new();
        let mut all = Excess::default();
        for (month, excess) in months.iter().zip(&tally.months) {
            let excess = &excess[index];
            periods.entry(month.name()).or_default().add(excess);
            periods.entry(month.quarter()).or_default().add(excess);
            all.add(excess);
        }
        JourneyTruth {
            journey: plan.name.to_owned(),
            kind: plan.kind.to_owned(),
            story: plan.story.to_owned(),
            effect: plan.effect.filter(|_| effects).map(|effect| effect_truth(plan, &effect)),
            experience_matters: effects && plan.experience_matters,
            single_channel_satisfaction: plan.satisfaction,
            multichannel_satisfaction: plan.satisfaction - MULTICHANNEL_PENALTY,
            expected_single_channel_satisfaction: expected_score(plan, false),
            expected_multichannel_satisfaction: expected_score(plan, true),
            instances: instances[index],
            periods: periods.iter().map(|(period, excess)| period_truth(period, excess)).collect(),
            all_periods: period_truth("all", &all),
        }
    };
    JOURNEYS.iter().enumerate().map(truth).collect()
}

fn effect_truth(plan: &JourneyPlan, effect: &Effect) -> EffectTruth {
    EffectTruth {
        words: effect.in_words(),
        factor: effect.factor,
        since: if effect.since == Since::Start { "start" } else { "latest" }.to_owned(),
        grows_days: effect.grows,
        full_until_day: effect.full_until,
        gone_at_day: effect.gone_at,
        only_multichannel: plan.only_multichannel,
        experience_weights: (0..EXPERIENCE_SHARE.len())
            .map(|level| effect.weight(plan.experience_matters, level))
            .collect(),
    }
}

fn period_truth(period: &str, excess: &Excess) -> PeriodTruth {
    let segments = SEGMENTS.iter().zip(excess.soon).map(|((name, _), soon)| ((*name).to_owned(), soon));
    PeriodTruth {
        period: period.to_owned(),
        days: excess.days,
        excess_churners: excess.with_effect - excess.without_effect,
        excess_churners_within_90_days: excess.soon.iter().sum(),
        by_segment: segments.collect(),
        rate_ratio: (excess.without_effect > 0.0).then(|| excess.with_effect / excess.without_effect),
        left_only_because: excess.left_only_because,
        stayed_only_because: excess.stayed_only_because,
    }
}

/// Who left, by month and by quarter, then by segment.
pub(crate) fn leavers(months: &[Month], tally: &ExcessTally) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut leavers: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for (month, left) in months.iter().zip(&tally.leavers) {
        for period in [month.name(), month.quarter()] {
            let segments = leavers.entry(period).or_default();
            for ((segment, _), left) in SEGMENTS.iter().zip(left) {
                *segments.entry((*segment).to_owned()).or_default() += left;
            }
        }
    }
    leavers
}
