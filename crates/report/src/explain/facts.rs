//! What is known of a journey's rank, as data: the program puts it into words, and `--format json` writes it as it is.

use std::collections::BTreeMap;

use serde::Serialize;

use throughline_engine::{Estimate, ExcessChange, Figures};

use super::beside::{Drivers, Performance};
use super::settings::Settings;
use crate::tier::Tier;

/// Why a journey is ranked where it is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Explanation {
    /// The journey.
    pub journey: String,
    /// For people.
    pub label: Option<String>,
    /// The function that answers for it.
    pub owner: Option<String>,
    /// The cut of the run, RFC 3339.
    pub as_of: String,
    /// The run whose tables are read.
    pub run_id: String,
    /// What of the pipeline the figures depend on.
    pub settings: Settings,
    /// Condition on who could have been on it; everybody when absent.
    pub eligible: Option<String>,
    /// From when on; from the first day when absent.
    pub eligible_from: Option<String>,
    /// Until when; without an end when absent.
    pub eligible_until: Option<String>,
    /// Expert judgement, 1 to 5.
    pub importance: Option<i64>,
    /// Why that importance.
    pub rationale: Option<String>,
    /// Its figures in the period, all segments.
    pub period: Option<InPeriod>,
    /// Where it is not ranked in the period: its figures in the newest earlier one in which it is.
    pub last_ranked: Option<Box<InPeriod>>,
    /// Later periods of the same length, which are not over.
    pub running: Vec<InPeriod>,
    /// Its figures in the period, segment by segment.
    pub segments: Vec<InPeriod>,
    /// How often customers leave by the time since their latest touchpoint of it, the shortest time first.
    pub profile: Vec<SinceTouchpoint>,
    /// What the harmful journeys of the period make jointly.
    pub together: Option<Together>,
    /// The ranked journeys of the period, in the order of their ranks.
    pub ranking: Vec<Ranked>,
    /// The latest quarter, and the latest in which every instance is over, where that is another.
    pub performance: Vec<Performance>,
    /// Whether journey or touchpoint scores explain leaving: at the newest landmark, and at the newest at which
    /// the models could be fitted, where it is an earlier one.
    pub drivers: Vec<Drivers>,
    /// What is missing, with the reason.
    pub missing: BTreeMap<String, String>,
}

/// A row of `fct_key_journeys`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct InPeriod {
    /// The journey.
    pub journey: String,
    /// The segment, or `all`.
    pub segment: String,
    /// `quarter` or `month`.
    pub period_kind: String,
    /// `2026-Q3`, `2026-07`.
    pub period: String,
    /// Its first day.
    pub period_start: Option<String>,
    /// The day after its last.
    pub period_end: Option<String>,
    /// `ok`, `running`, `partial` or `insufficient`.
    pub status: String,
    /// Why not ok.
    pub reason: Option<String>,
    /// What it does to leaving.
    pub tier: Tier,
    /// Its rank among the journeys of period and segment.
    pub rank: Option<i64>,
    /// Its rank in the period before.
    pub rank_before: Option<i64>,
    /// Warnings.
    pub flags: Vec<String>,
    /// Whether customers leave in its first week far more often than later.
    pub leaves_at_once: bool,
    /// The journeys that take its effect away.
    pub goes_with: Option<String>,
    /// Whether none of those is harmful or protective itself, so that the effect is of one of them all or several.
    pub is_inseparable: bool,
    /// Instances started in the period.
    pub instances: Option<i64>,
    /// Their customers.
    pub customers: Option<i64>,
    /// Customers who were on it on a day of the period.
    pub exposed_customers: Option<i64>,
    /// Days of customers on it that are compared.
    pub exposed_days: Option<i64>,
    /// Days of like customers that they are compared with.
    pub unexposed_days: Option<i64>,
    /// Who left on such a day on it.
    pub exposed_leavers: Option<i64>,
    /// Who left on such a day off it.
    pub unexposed_leavers: Option<i64>,
    /// All who left in the period and could have been on it.
    pub leavers: Option<i64>,
    /// Lost from sight for another reason while on it.
    pub exposed_lost: Option<i64>,
    /// The same while off it.
    pub unexposed_lost: Option<i64>,
    /// Days on it with no like customer to compare with.
    pub left_out_days: Option<i64>,
    /// Who left on such a day.
    pub left_out_leavers: Option<i64>,
    /// What the leavers compared with are worth in number.
    pub effective_leavers: Option<f64>,
    /// Leaving while on it, as a share in 90 days.
    pub exposed_churn_rate: Option<Estimate>,
    /// Leaving while off it.
    pub unexposed_churn_rate: Option<Estimate>,
    /// Leaving of like customers off it.
    pub like_churn_rate: Option<Estimate>,
    /// How many times as often those on it leave, like or not.
    pub rate_ratio: Option<Estimate>,
    /// The same among like customers (Mantel-Haenszel).
    pub adjusted_rate_ratio: Option<Estimate>,
    /// The same among customers equally on all other journeys (Poisson regression).
    pub mutual_rate_ratio: Option<Estimate>,
    /// Benjamini-Hochberg of that over the same rows as `q_value`.
    pub mutual_q_value: Option<f64>,
    /// `ok`, or of what kind the reason is: `as_other_journeys`, `as_strata`, ...
    pub mutual_status: Option<String>,
    /// Why it is missing.
    pub mutual_reason: Option<String>,
    /// The correlation of being on it with leaving within 90 days.
    pub phi: Option<Estimate>,
    /// Who would have left had they left as like customers do.
    pub expected_churners: Option<Estimate>,
    /// Who left beyond that.
    pub excess_churners: Option<Estimate>,
    /// Standard error of the excess.
    pub excess_standard_error: Option<f64>,
    /// An excess of that size is seen in four of five such periods.
    pub smallest_detectable_excess: Option<f64>,
    /// The level at which the excess's interval just holds 0.
    pub p_value: Option<f64>,
    /// Benjamini-Hochberg over the journeys of the period with status ok.
    pub q_value: Option<f64>,
    /// Cochran's Q over the segments: small when they differ.
    pub homogeneity_p_value: Option<f64>,
    /// The excess as a share of all who left.
    pub attributable_share: Option<Estimate>,
    /// How strong an unseen cause has to be to explain the ratio away.
    pub e_value: Option<f64>,
    /// The same for the limit nearer to none.
    pub e_value_limit: Option<f64>,
    /// A year's bills of who left beyond the expected.
    pub excess_revenue: Option<Estimate>,
    /// Of those whose run went badly: who left beyond what like customers whose run went well would have.
    pub avoidable_churners: Option<Estimate>,
    /// Leaving in the first seven days after a touchpoint, as a share in 90 days.
    pub first_week_rate: Option<f64>,
    /// Leaving later.
    pub later_rate: Option<f64>,
    /// Days off it, of all days.
    pub unexposed_share: Option<f64>,
    /// The data's judgement, 0 to 1.
    pub data_priority: Option<f64>,
    /// The experts' judgement, 0 to 1.
    pub expert_priority: Option<f64>,
    /// Both, weighed.
    pub priority: Option<f64>,
    /// Whether data and experts agree.
    pub agreement: Option<String>,
    /// Why the excess is another than in the period before.
    pub change: Option<ExcessChange>,
    /// The name of the period before.
    pub period_before: Option<String>,
}

impl InPeriod {
    /// Whether more of its customers leave, beyond chance, but not beside all other journeys.
    pub fn is_unclear_beside_others(&self, settings: &Settings) -> bool {
        self.tier == Tier::Unclear && self.q_value.is_some_and(|q| q < settings.false_discovery_rate)
    }

    /// The figures of a row of `fct_key_journeys`.
    pub(crate) fn of(row: &Figures) -> Self {
        let list = |name: &str| -> Vec<String> {
            let text = row.text(name).unwrap_or_default();
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        Self {
            journey: row.text("journey").unwrap_or_default(),
            segment: row.text("segment").unwrap_or_default(),
            period_kind: row.text("period_kind").unwrap_or_default(),
            period: row.text("period").unwrap_or_default(),
            period_start: row.day("period_start"),
            period_end: row.day("period_end"),
            status: row.text("status").unwrap_or_default(),
            reason: row.text("reason"),
            tier: Tier::of(row),
            rank: row.whole("rank"),
            rank_before: row.whole("rank_before"),
            flags: list("flags"),
            leaves_at_once: row.boolean("leaves_at_once").unwrap_or(false),
            goes_with: row.text("goes_with"),
            is_inseparable: row.boolean("is_inseparable").unwrap_or(false),
            instances: row.whole("instances"),
            customers: row.whole("customers"),
            exposed_customers: row.whole("exposed_customers"),
            exposed_days: row.whole("exposed_days"),
            unexposed_days: row.whole("unexposed_days"),
            exposed_leavers: row.whole("exposed_leavers"),
            unexposed_leavers: row.whole("unexposed_leavers"),
            leavers: row.whole("leavers"),
            exposed_lost: row.whole("exposed_lost"),
            unexposed_lost: row.whole("unexposed_lost"),
            left_out_days: row.whole("left_out_days"),
            left_out_leavers: row.whole("left_out_leavers"),
            effective_leavers: row.number("effective_leavers"),
            exposed_churn_rate: row.estimate("exposed_churn_rate"),
            unexposed_churn_rate: row.estimate("unexposed_churn_rate"),
            like_churn_rate: row.estimate("like_churn_rate"),
            rate_ratio: row.estimate("rate_ratio"),
            adjusted_rate_ratio: row.estimate("adjusted_rate_ratio"),
            mutual_rate_ratio: row.estimate("mutual_rate_ratio"),
            mutual_q_value: row.number("mutual_q_value"),
            mutual_status: row.text("mutual_status"),
            mutual_reason: row.text("mutual_reason"),
            phi: row.estimate("phi"),
            expected_churners: row.estimate("expected_churners"),
            excess_churners: row.estimate("excess_churners"),
            excess_standard_error: row.number("excess_standard_error"),
            smallest_detectable_excess: row.number("smallest_detectable_excess"),
            p_value: row.number("p_value"),
            q_value: row.number("q_value"),
            homogeneity_p_value: row.number("homogeneity_p_value"),
            attributable_share: row.estimate("attributable_share"),
            e_value: row.number("e_value"),
            e_value_limit: row.number("e_value_limit"),
            excess_revenue: row.estimate("excess_revenue"),
            avoidable_churners: row.estimate("avoidable_churners"),
            first_week_rate: row.number("first_week_rate"),
            later_rate: row.number("later_rate"),
            unexposed_share: row.number("unexposed_share"),
            data_priority: row.number("data_priority"),
            expert_priority: row.number("expert_priority"),
            priority: row.number("priority"),
            agreement: row.text("agreement"),
            change: ExcessChange::of(row),
            period_before: None,
        }
    }
}

/// Leaving so many days after the latest touchpoint.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SinceTouchpoint {
    /// Days, `0-7`.
    pub days: String,
    /// Days of customers.
    pub person_days: Option<i64>,
    /// Who left.
    pub leavers: Option<i64>,
    /// How many times as often as like customers who are not on it.
    pub adjusted_rate_ratio: Option<Estimate>,
    /// Why there is no figure.
    pub reason: Option<String>,
}

/// What the harmful journeys of a period make jointly.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Together {
    /// The harmful journeys.
    pub journeys: Vec<String>,
    /// Who left.
    pub leavers: Option<i64>,
    /// Who would have left had nobody been on any of them.
    pub expected: Option<f64>,
    /// Who left beyond that.
    pub excess: Option<Estimate>,
    /// Why there is no figure.
    pub reason: Option<String>,
}

/// A journey of the ranking.
#[derive(Debug, Clone, Serialize)]
pub struct Ranked {
    /// The journey.
    pub journey: String,
    /// Its tier.
    pub tier: Tier,
    /// Its rank.
    pub rank: Option<i64>,
    /// Who left beyond what like customers would have.
    pub excess_churners: Option<Estimate>,
}
