//! What is planted: journeys with what they do to the chance of leaving and how often they happen, segments with their
//! daily chance of leaving.
//!
//! Chances are multiplied, never exponentiated: with the four basic operations alone, every machine computes the same
//! bits, so a seed gives the same bytes everywhere.

use crate::effect::{Effect, Since};

/// The journeys, in the order of the truth file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Journey {
    Onboarding,
    BillingDispute,
    TechnicalRepair,
    MovingHouse,
    PayingABill,
    PlanUpgrade,
    ContractRenewal,
    FindingHelp,
    ChannelChanges,
    EquipmentExchange,
    ContractQuestions,
}

/// How many journeys there are.
pub(crate) const JOURNEY_COUNT: usize = JOURNEYS.len();

/// One journey's planted figures.
pub(crate) struct JourneyPlan {
    pub(crate) journey: Journey,
    /// Its name in the pipeline.
    pub(crate) name: &'static str,
    /// The kind of truth it stands for, in one word.
    pub(crate) kind: &'static str,
    /// What is planted, in a sentence; the effect's shape is told apart from it.
    pub(crate) story: &'static str,
    /// What it does to the chance of leaving.
    pub(crate) effect: Option<Effect>,
    /// Whether only instances over several channels have the effect.
    pub(crate) only_multichannel: bool,
    /// Whether the effect is the stronger, the worse the journey goes (where it keeps customers: the better).
    pub(crate) experience_matters: bool,
    /// Chance of a start within 90 days, by segment in the order of [`SEGMENTS`]. Zero: not by chance.
    pub(crate) rate: [f64; 5],
    /// The definition's `idle` in days: the next instance starts only after it has run out.
    pub(crate) idle_days: i64,
    /// Mean journey satisfaction on 0..1 of a single-channel instance of ordinary experience.
    pub(crate) satisfaction: f64,
    /// Chance that an instance's survey is answered.
    pub(crate) response: f64,
    /// Largest value of its survey's scale; the smallest is 0 for 10 and 1 for 5.
    pub(crate) scale_max: f64,
}

/// By how much several channels lower the mean journey satisfaction.
pub(crate) const MULTICHANNEL_PENALTY: f64 = 0.14;

const fn plan(journey: Journey, name: &'static str, kind: &'static str, rate: [f64; 5], idle_days: i64) -> JourneyPlan {
    JourneyPlan {
        journey,
        name,
        kind,
        story: "",
        effect: None,
        only_multichannel: false,
        experience_matters: false,
        rate,
        idle_days,
        satisfaction: 0.70,
        response: 0.40,
        scale_max: 10.0,
    }
}

const fn effect(factor: f64, since: Since, grows: f64, full_until: f64, gone_at: f64) -> Option<Effect> {
    Some(Effect { factor, since, grows, full_until, gone_at })
}

/// Indexed by `Journey as usize`. No effect changes at a day on which an analysis would cut: they last as long as such
/// things last.
pub(crate) const JOURNEYS: [JourneyPlan; 11] = [
    JourneyPlan {
        story: "Comes once, in the first months: settling in is tiring, and what went wrong is remembered.",
        effect: effect(2.0, Since::Start, 24.0, 131.0, 172.0),
        experience_matters: true,
        satisfaction: 0.62,
        ..plan(Journey::Onboarding, "onboarding", "comes_once", [0.0; 5], 45)
    },
    JourneyPlan {
        story: "Acute: who quarrels over a bill leaves soon or not at all.",
        effect: effect(3.6, Since::Start, 0.0, 17.0, 46.0),
        experience_matters: true,
        satisfaction: 0.58,
        scale_max: 5.0,
        ..plan(Journey::BillingDispute, "billing_dispute", "acute", [0.05, 0.05, 0.06, 0.06, 0.05], 21)
    },
    JourneyPlan {
        story: "Lasting: a fault makes the service unreliable in the customer's eyes for months.",
        effect: effect(1.6, Since::Latest, 0.0, 80.0, 92.0),
        experience_matters: true,
        ..plan(Journey::TechnicalRepair, "technical_repair", "lasting", [0.10, 0.11, 0.12, 0.10, 0.10], 14)
    },
    JourneyPlan {
        story: "Rare and strong; and many who move are lost to follow-up, because they move out of reach.",
        effect: effect(4.5, Since::Latest, 0.0, 37.0, 76.0),
        experience_matters: true,
        ..plan(Journey::MovingHouse, "moving_house", "rare_and_strong", [0.016, 0.016, 0.013, 0.012, 0.015], 40)
    },
    JourneyPlan {
        story: "Frequent, and changes nothing: the bill comes to everybody who pays by the month.",
        satisfaction: 0.80,
        response: 0.02,
        ..plan(Journey::PayingABill, "paying_a_bill", "frequent_without_effect", [0.0; 5], 25)
    },
    JourneyPlan {
        story: "Confounded by segment: changes nothing, but is bought mostly in the segment that leaves most.",
        satisfaction: 0.80,
        ..plan(Journey::PlanUpgrade, "plan_upgrade", "confounded_by_segment", [0.30, 0.05, 0.02, 0.015, 0.10], 15)
    },
    JourneyPlan {
        story: "Protective: who was asked to stay has settled the matter for a while. Some of it acts after 90 days.",
        effect: effect(0.5, Since::Latest, 0.0, 66.0, 104.0),
        experience_matters: true,
        satisfaction: 0.78,
        ..plan(Journey::ContractRenewal, "contract_renewal", "protective", [0.15, 0.15, 0.15, 0.15, 0.15], 20)
    },
    JourneyPlan {
        story: "Harmful only where several channels were needed. Searches in one channel change nothing, and most of \
                them happen without a login: they become known by a later login, which those who leave never make.",
        effect: effect(2.4, Since::Latest, 0.0, 22.0, 63.0),
        only_multichannel: true,
        experience_matters: true,
        scale_max: 5.0,
        ..plan(Journey::FindingHelp, "finding_help", "only_multichannel", [0.24, 0.26, 0.24, 0.22, 0.24], 7)
    },
    JourneyPlan {
        story: "Near-universal: the channels of everybody with television change every twelve weeks or so, and each \
                time some favourite goes.",
        effect: effect(1.6, Since::Start, 0.0, 11.0, 41.0),
        satisfaction: 0.66,
        response: 0.02,
        ..plan(Journey::ChannelChanges, "channel_changes", "near_universal", [0.0; 5], 20)
    },
    JourneyPlan {
        story: "Confounded by another journey: follows many repairs within days and does nothing itself.",
        response: 0.25,
        ..plan(Journey::EquipmentExchange, "equipment_exchange", "confounded_by_journey", [0.012; 5], 20)
    },
    JourneyPlan {
        story: "Leakage: changes nothing, but some who have decided to leave ask about the contract and get the form \
                for cancelling days before they go.",
        response: 0.10,
        ..plan(Journey::ContractQuestions, "contract_questions", "leakage", [0.022; 5], 15)
    },
];

impl Journey {
    pub(crate) fn plan(self) -> &'static JourneyPlan {
        &JOURNEYS[self as usize]
    }
}

/// What an upgrade adds to each month's bill, from the month after it on.
pub(crate) const UPGRADE_PRICE: f64 = 9.0;

/// Segments with the share of customers; the last stands for a null in the raw table.
pub(crate) const SEGMENTS: [(&str, f64); 5] =
    [("value", 0.34), ("family", 0.30), ("premium", 0.20), ("business", 0.14), ("unknown", 0.02)];
/// Index of the segment that is null in the raw table.
pub(crate) const UNKNOWN: usize = 4;
/// Whether relationship satisfaction collapses over onboarding, by segment.
pub(crate) const KEY_SEGMENT: [bool; 5] = [false, true, true, false, false];
/// Share of customers billed once a year instead of monthly, by segment: the others are hardly ever without a bill.
pub(crate) const ANNUAL_BILLING: [f64; 5] = [0.25, 0.30, 0.35, 0.40, 0.30];
/// Share of customers with television: the others never hear of channels.
pub(crate) const WITH_TELEVISION: f64 = 0.93;
/// Share of the repairs after which the box is exchanged.
pub(crate) const EXCHANGED_AFTER_REPAIR: f64 = 0.38;
/// Share of the help searches in one channel that begin without a login.
pub(crate) const ANONYMOUS_SEARCH: f64 = 0.60;

/// Chance of leaving on one day without any journey, by segment, for a tenure factor of one.
pub(crate) const DAILY_LEAVING: [f64; 5] = [0.000_84, 0.000_46, 0.000_33, 0.000_31, 0.000_55];
/// No day's chance of leaving is higher, whatever comes together.
pub(crate) const HIGHEST_CHANCE: f64 = 0.25;
/// Share of those who leave who ask about the contract some days before (without effects: nobody does).
pub(crate) const ASK_BEFORE_LEAVING: f64 = 0.06;
/// Share of those who leave who give notice weeks before the end; the others leave on the day.
pub(crate) const GIVE_NOTICE: f64 = 0.65;

/// Chance of being lost on one day: moved away or died.
pub(crate) const DAILY_LOSS: f64 = 0.000_035;
/// Factor on it for [`MOVED_AWAY_DAYS`] after a touchpoint of moving house.
pub(crate) const LOSS_WHILE_MOVING: f64 = 40.0;
/// Days after the latest touchpoint of moving house in which a customer is lost more easily.
pub(crate) const MOVED_AWAY_DAYS: f64 = 55.0;

/// Factor on the chance of leaving when a customer has just joined.
pub(crate) const NEW_CUSTOMER: f64 = 1.30;
/// The same for a customer of [`OLD_CUSTOMER_DAYS`] and more; between the two it falls evenly.
pub(crate) const OLD_CUSTOMER: f64 = 0.85;
/// Days after which the factor falls no further.
pub(crate) const OLD_CUSTOMER_DAYS: f64 = 1_400.0;

/// How often each experience level occurs, best to worst.
pub(crate) const EXPERIENCE_SHARE: [f64; 5] = [0.12, 0.23, 0.30, 0.23, 0.12];
/// By how much one experience level lowers journey satisfaction.
pub(crate) const EXPERIENCE_STEP: f64 = 0.13;

/// Factor on the chance of leaving by days since joining.
pub(crate) fn tenure_factor(days: f64) -> f64 {
    NEW_CUSTOMER + (OLD_CUSTOMER - NEW_CUSTOMER) * (days / OLD_CUSTOMER_DAYS).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{GOOD_BY_EXPERIENCE, HARM_BY_EXPERIENCE};

    #[test]
    fn plans_stand_at_their_journeys_index() {
        for (index, plan) in JOURNEYS.iter().enumerate() {
            assert_eq!(plan.journey as usize, index);
            assert!(!plan.story.is_empty(), "{}", plan.name);
        }
    }

    #[test]
    fn experience_leaves_the_mean_effect_alone() {
        for weights in [HARM_BY_EXPERIENCE, GOOD_BY_EXPERIENCE] {
            let mean: f64 = weights.iter().zip(EXPERIENCE_SHARE).map(|(weight, share)| weight * share).sum();
            assert!((mean - 1.0).abs() < 2e-3, "{mean}");
        }
    }

    #[test]
    fn the_longer_a_customer_is_there_the_less_likely_to_leave() {
        for (days, factor) in [(0.0, 1.30), (700.0, 1.075), (1_400.0, 0.85), (9_000.0, 0.85)] {
            assert!((tenure_factor(days) - factor).abs() < 1e-12, "{days} days");
        }
    }
}
