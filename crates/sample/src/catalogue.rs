//! What is planted: journeys with their odds ratios and how often they happen, segments with their base churn.
//!
//! Odds are multiplied, never exponentiated: with the four basic operations alone, every machine computes the same
//! bits, so a seed gives the same bytes everywhere.

/// The eight journeys, in the order of the truth file.
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
}

/// One journey's planted figures.
pub(crate) struct JourneyPlan {
    pub(crate) journey: Journey,
    /// Its name in the pipeline.
    pub(crate) name: &'static str,
    /// Conditional odds ratio of churn in the 90 days after a landmark, over all experiences.
    pub(crate) odds_ratio: f64,
    /// The odds ratio when an exposed customer's instance used several channels, where it differs.
    pub(crate) multichannel_odds_ratio: f64,
    /// Whether a bad experience raises the odds further (by [`EXPERIENCE_ODDS`]).
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

const fn plan(journey: Journey, name: &'static str, odds_ratio: f64, rate: [f64; 5], idle_days: i64) -> JourneyPlan {
    JourneyPlan {
        journey,
        name,
        odds_ratio,
        multichannel_odds_ratio: odds_ratio,
        experience_matters: true,
        rate,
        idle_days,
        satisfaction: 0.70,
        response: 0.40,
        scale_max: 10.0,
    }
}

/// Indexed by `Journey as usize`.
pub(crate) const JOURNEYS: [JourneyPlan; 8] = [
    JourneyPlan { satisfaction: 0.62, ..plan(Journey::Onboarding, "onboarding", 1.8, [0.0; 5], 45) },
    JourneyPlan {
        satisfaction: 0.58,
        scale_max: 5.0,
        ..plan(Journey::BillingDispute, "billing_dispute", 2.2, [0.05, 0.05, 0.06, 0.06, 0.05], 21)
    },
    plan(Journey::TechnicalRepair, "technical_repair", 1.6, [0.10, 0.11, 0.12, 0.10, 0.10], 14),
    plan(Journey::MovingHouse, "moving_house", 3.5, [0.016, 0.016, 0.013, 0.012, 0.015], 40),
    JourneyPlan {
        satisfaction: 0.80,
        response: 0.02,
        experience_matters: false,
        ..plan(Journey::PayingABill, "paying_a_bill", 1.0, [0.0; 5], 25)
    },
    // Bought mostly in the segment that leaves most: the crude odds ratio is the segment's doing.
    JourneyPlan {
        satisfaction: 0.80,
        experience_matters: false,
        ..plan(Journey::PlanUpgrade, "plan_upgrade", 1.0, [0.30, 0.05, 0.02, 0.015, 0.10], 15)
    },
    JourneyPlan {
        satisfaction: 0.78,
        ..plan(Journey::ContractRenewal, "contract_renewal", 0.6, [0.15, 0.15, 0.15, 0.15, 0.15], 20)
    },
    JourneyPlan {
        multichannel_odds_ratio: 1.9,
        scale_max: 5.0,
        ..plan(Journey::FindingHelp, "finding_help", 1.0, [0.22, 0.24, 0.22, 0.20, 0.22], 7)
    },
];

impl Journey {
    pub(crate) fn plan(self) -> &'static JourneyPlan {
        &JOURNEYS[self as usize]
    }
}

/// What an upgrade adds to each month's bill, from the quarter after it on.
pub(crate) const UPGRADE_PRICE: f64 = 9.0;

/// Segments with the share of customers; the last stands for a null in the raw table.
pub(crate) const SEGMENTS: [(&str, f64); 5] =
    [("value", 0.34), ("family", 0.30), ("premium", 0.20), ("business", 0.14), ("unknown", 0.02)];
/// Index of the segment that is null in the raw table.
pub(crate) const UNKNOWN: usize = 4;
/// Whether relationship satisfaction collapses over onboarding, by segment.
pub(crate) const KEY_SEGMENT: [bool; 5] = [false, true, true, false, false];
/// Share of customers billed once a year instead of monthly, by segment: those are the unexposed of `paying_a_bill`.
pub(crate) const ANNUAL_BILLING: [f64; 5] = [0.25, 0.30, 0.35, 0.40, 0.30];

/// Tenure bands of SEMANTICS 5, lower limits in days.
pub(crate) const BANDS: [i64; 5] = [0, 30, 90, 365, 1095];

/// Chance of churn in 90 days without any journey, by segment, for a tenure of one to three years.
pub(crate) const BASE_CHURN: [f64; 5] = [0.090, 0.050, 0.036, 0.034, 0.060];
/// Factor on the odds by tenure band.
pub(crate) const TENURE_ODDS: [f64; 5] = [1.25, 1.2, 1.1, 1.0, 0.8];
/// Factor on the odds by experience level, best to worst: 1.45 to the power −2..2, scaled so that its mean over
/// [`EXPERIENCE_SHARE`] is one and the journey's odds ratio is what all its exposed show together.
pub(crate) const EXPERIENCE_ODDS: [f64; 5] = [0.4317, 0.6260, 0.9077, 1.3162, 1.9085];
/// How often each experience level occurs.
pub(crate) const EXPERIENCE_SHARE: [f64; 5] = [0.12, 0.23, 0.30, 0.23, 0.12];
/// By how much one experience level lowers journey satisfaction.
pub(crate) const EXPERIENCE_STEP: f64 = 0.13;

/// Index of the tenure band.
pub(crate) fn band(tenure_days: i64) -> usize {
    BANDS.iter().rposition(|from| tenure_days >= *from).unwrap_or(0)
}

/// Chance of churn in the 90 days after a landmark: base odds × tenure × the exposures' product of odds ratios.
pub(crate) fn churn_probability(segment: usize, band: usize, exposures: f64) -> f64 {
    let base = BASE_CHURN[segment] / (1.0 - BASE_CHURN[segment]);
    let odds = base * TENURE_ODDS[band] * exposures;
    odds / (1.0 + odds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_stand_at_their_journeys_index() {
        for (index, plan) in JOURNEYS.iter().enumerate() {
            assert_eq!(plan.journey as usize, index);
        }
    }

    #[test]
    fn bands_are_half_open() {
        assert_eq!([0, 29, 30, 89, 90, 364, 365, 1094, 1095].map(band), [0, 0, 1, 1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn no_exposure_leaves_the_base_rate() {
        assert!((churn_probability(0, 3, 1.0) - 0.090).abs() < 1e-12);
    }

    #[test]
    fn experience_leaves_the_mean_odds_alone() {
        let mean: f64 = EXPERIENCE_ODDS.iter().zip(EXPERIENCE_SHARE).map(|(odds, share)| odds * share).sum();
        assert!((mean - 1.0).abs() < 1e-3, "{mean}");
    }
}
