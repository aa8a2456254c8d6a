//! What stands beside a journey's rank: how it performs, and whether its score or its touchpoints' explain leaving.

use serde::Serialize;

use throughline_engine::{Estimate, Figures};

/// How the journey performed in a quarter, all segments.
#[derive(Debug, Clone, Serialize)]
pub struct Performance {
    /// `2026-Q2`.
    pub period: String,
    /// Instances started in it.
    pub instances: i64,
    /// Completed.
    pub completed: Option<i64>,
    /// Given up.
    pub abandoned: Option<i64>,
    /// Silent for too long.
    pub expired: Option<i64>,
    /// Restarted before they were over.
    pub restarted: Option<i64>,
    /// Not over yet.
    pub open: Option<i64>,
    /// Why the quarter is not mature; nothing where it is.
    pub maturity_reason: Option<String>,
    /// Instances that the figures below are of: all in a mature quarter, else those that are over however they went.
    pub measured_instances: Option<i64>,
    /// Of them completed.
    pub measured_completed: Option<i64>,
    /// Completed of the measured.
    pub completion_rate: Option<Estimate>,
    /// What it is to reach.
    pub completion_rate_target: Option<f64>,
    /// Median of the completed, seconds.
    pub duration_p50_s: Option<f64>,
    /// What it is to reach, seconds.
    pub duration_p50_s_target: Option<f64>,
    /// Nine tenths of the completed are no longer, seconds.
    pub duration_p90_s: Option<f64>,
    /// Calls, visits, chats an instance.
    pub contacts_per_instance: Option<f64>,
    /// Contacts.
    pub contacts: Option<i64>,
    /// Of the contacts, those about a topic that already had one within seven days.
    pub repeat_contact_rate: Option<f64>,
    /// Mean of the answers about touchpoints, 0 to 1.
    pub touchpoint_satisfaction: Option<f64>,
    /// Their number.
    pub touchpoint_responses: Option<i64>,
    /// Mean of the answers about the journey, 0 to 1.
    pub journey_satisfaction: Option<f64>,
    /// Their number.
    pub journey_responses: Option<i64>,
    /// What it is to reach.
    pub journey_satisfaction_target: Option<f64>,
    /// Touchpoints' less journey's, of the instances that have both.
    pub satisfaction_gap: Option<Estimate>,
    /// Their number.
    pub gap_instances: Option<i64>,
    /// Mean of their touchpoint scores, 0 to 1.
    pub gap_touchpoint_satisfaction: Option<f64>,
    /// Mean of their journey scores, 0 to 1.
    pub gap_journey_satisfaction: Option<f64>,
    /// Instances satisfied at every touchpoint that was answered about.
    pub all_satisfied_instances: Option<i64>,
    /// Instances with such an answer.
    pub touchpoint_answered_instances: Option<i64>,
    /// Instances satisfied with the journey as a whole.
    pub journey_satisfied_instances: Option<i64>,
    /// Instances with an answer about the journey.
    pub journey_answered_instances: Option<i64>,
}

/// A row of `fct_journey_drivers`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Drivers {
    /// The day at which scores were known and after which leaving is counted.
    pub landmark: String,
    /// `ok`, or why there is no verdict.
    pub status: String,
    /// The same in words.
    pub reason: Option<String>,
    /// Customers on the journey with both scores.
    pub responders: Option<i64>,
    /// Of them left.
    pub churners: Option<i64>,
    /// McFadden's R² with segment, tenure and the touchpoint score.
    pub touchpoint_r2: Option<f64>,
    /// With the journey score instead.
    pub journey_r2: Option<f64>,
    /// AUC, in-sample, with the touchpoint score.
    pub touchpoint_auc: Option<f64>,
    /// With the journey score.
    pub journey_auc: Option<f64>,
    /// The journey score's AUC less that of touchpoint scores (DeLong).
    pub auc_difference: Option<Estimate>,
    /// Likelihood-ratio test: does the journey score add to touchpoint scores?
    pub journey_beyond_touchpoint_p_value: Option<f64>,
    /// The other way round.
    pub touchpoint_beyond_journey_p_value: Option<f64>,
    /// `journey`, `touchpoints` or `undecided`.
    pub verdict: Option<String>,
    /// Customers with a journey score.
    pub journey_satisfaction_customers: Option<i64>,
    /// The correlation of their score with leaving.
    pub journey_satisfaction_link: Option<Estimate>,
    /// How many times as often the least satisfied third leaves as the most satisfied.
    pub satisfaction_rate_ratio: Option<Estimate>,
    /// Why it is missing.
    pub satisfaction_reason: Option<String>,
}

impl Performance {
    /// The figures of a row of `fct_journey_performance`.
    pub(super) fn of(row: &Figures) -> Option<Self> {
        Some(Self {
            period: row.text("period")?,
            instances: row.whole("instances")?,
            completed: row.whole("completed"),
            abandoned: row.whole("abandoned"),
            expired: row.whole("expired"),
            restarted: row.whole("restarted"),
            open: row.whole("open"),
            completion_rate: row.estimate("completion_rate"),
            completion_rate_target: row.number("completion_rate_target"),
            maturity_reason: row.text("maturity_reason"),
            measured_instances: row.whole("measured_instances"),
            measured_completed: row.whole("measured_completed"),
            duration_p50_s: row.number("duration_p50_s"),
            duration_p50_s_target: row.number("duration_p50_s_target"),
            duration_p90_s: row.number("duration_p90_s"),
            contacts_per_instance: row.number("contacts_per_instance"),
            contacts: row.whole("contacts"),
            repeat_contact_rate: row.number("repeat_contact_rate"),
            touchpoint_satisfaction: row.number("touchpoint_satisfaction"),
            touchpoint_responses: row.whole("touchpoint_responses"),
            journey_satisfaction: row.number("journey_satisfaction"),
            journey_responses: row.whole("journey_responses"),
            journey_satisfaction_target: row.number("journey_satisfaction_target"),
            satisfaction_gap: row.estimate("satisfaction_gap"),
            gap_instances: row.whole("gap_instances"),
            gap_touchpoint_satisfaction: row.number("gap_touchpoint_satisfaction"),
            gap_journey_satisfaction: row.number("gap_journey_satisfaction"),
            all_satisfied_instances: row.whole("all_satisfied_instances"),
            touchpoint_answered_instances: row.whole("touchpoint_answered_instances"),
            journey_satisfied_instances: row.whole("journey_satisfied_instances"),
            journey_answered_instances: row.whole("journey_answered_instances"),
        })
    }
}

impl Drivers {
    /// The figures of a row of `fct_journey_drivers`.
    pub(super) fn of(row: &Figures) -> Option<Self> {
        Some(Self {
            landmark: row.day("landmark")?,
            status: row.text("status")?,
            reason: row.text("reason"),
            responders: row.whole("responders"),
            churners: row.whole("churners"),
            touchpoint_r2: row.number("touchpoint_r2"),
            journey_r2: row.number("journey_r2"),
            touchpoint_auc: row.number("touchpoint_auc"),
            journey_auc: row.number("journey_auc"),
            auc_difference: row.estimate("auc_difference"),
            journey_beyond_touchpoint_p_value: row.number("journey_beyond_touchpoint_p_value"),
            touchpoint_beyond_journey_p_value: row.number("touchpoint_beyond_journey_p_value"),
            verdict: row.text("verdict"),
            journey_satisfaction_customers: row.whole("journey_satisfaction_customers"),
            journey_satisfaction_link: row.estimate("journey_satisfaction_link"),
            satisfaction_rate_ratio: row.estimate("satisfaction_rate_ratio"),
            satisfaction_reason: row.text("satisfaction_reason"),
        })
    }
}
