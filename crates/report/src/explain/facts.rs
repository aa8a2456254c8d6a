//! What is known of a journey's rank, as data: the program puts it into words, and `--format json` writes it as it is.

use std::collections::BTreeMap;

use serde::Serialize;

use throughline_engine::Estimate;

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
    /// Confidence of the intervals.
    pub confidence: f64,
    /// Fewer exposed or unexposed are insufficient.
    pub minimum_arm: i64,
    /// Fewer churners in an arm are insufficient.
    pub minimum_churners: i64,
    /// Condition on who could have been on it; everybody when absent.
    pub eligible: Option<String>,
    /// Expert judgement, 1 to 5.
    pub importance: Option<i64>,
    /// Why that importance.
    pub rationale: Option<String>,
    /// The latest matured landmark, all segments.
    pub landmark: Option<AtLandmark>,
    /// Landmarks after it, which have not matured.
    pub not_matured: Vec<NotMatured>,
    /// Cells by segment and tenure at the landmark, most exposed first.
    pub strata: Vec<Stratum>,
    /// The ranked journeys of the landmark, in the order of priority.
    pub ranking: Vec<Ranked>,
    /// The latest quarter, and the latest in which every instance is over, where that is another.
    pub performance: Vec<Performance>,
    /// Whether journey or touchpoint scores explain churn, at the landmark.
    pub drivers: Option<Drivers>,
    /// What is missing, with the reason.
    pub missing: BTreeMap<String, String>,
}

/// A journey's row of `fct_key_journeys` and its landmark.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AtLandmark {
    /// Its day.
    pub landmark: String,
    /// The period it ends, `2026-Q2`.
    pub period: Option<String>,
    /// Days of the windows, ends exclusive; the landmark ends the exposure window.
    pub exposure_from: Option<String>,
    /// Begin of the outcome window.
    pub outcome_from: Option<String>,
    /// End of the outcome window.
    pub outcome_until: Option<String>,
    /// `ok` or `insufficient`.
    pub status: String,
    /// Why not ok.
    pub reason: Option<String>,
    /// Warnings.
    pub flags: Vec<String>,
    /// Instances started in the exposure window.
    pub instances: Option<i64>,
    /// Their customers.
    pub customers: Option<i64>,
    /// Spells active at the landmark that could have been on the journey.
    pub eligible: Option<i64>,
    /// With a start in the window.
    pub exposed: i64,
    /// Without any touchpoint of it in the window.
    pub unexposed: i64,
    /// With touchpoints but no start in the window: left out.
    pub carried_over: i64,
    /// Lost from sight in the outcome window: left out.
    pub censored: i64,
    /// Exposed who churned.
    pub exposed_churners: i64,
    /// Unexposed who churned.
    pub unexposed_churners: i64,
    /// Of the exposed churners, those of the first seven days.
    pub exposed_churners_first_7_days: Option<i64>,
    /// Of the unexposed churners, those of the first seven days.
    pub unexposed_churners_first_7_days: Option<i64>,
    /// Exposed in strata where nobody can be compared.
    pub exposed_in_empty_margins: Option<i64>,
    /// Exposed in strata whose unexposed all had the same outcome.
    pub sparse_exposed: Option<i64>,
    /// Share of the exposed who churned.
    pub exposed_churn_rate: Option<Estimate>,
    /// Share of the unexposed who churned.
    pub unexposed_churn_rate: Option<Estimate>,
    /// Their difference.
    pub risk_difference: Option<Estimate>,
    /// The difference at the horizon by Kaplan-Meier, where many were censored.
    pub survival_difference: Option<Estimate>,
    /// Of the log-rank test, where many were censored.
    pub log_rank_p_value: Option<f64>,
    /// Crude.
    pub odds_ratio: Option<Estimate>,
    /// Mantel-Haenszel over segment and tenure.
    pub adjusted_odds_ratio: Option<Estimate>,
    /// Beyond the unexposed of the same stratum, if causal.
    pub excess_churners: Option<Estimate>,
    /// Of all churners compared.
    pub attributable_share: Option<f64>,
    /// Billed to them in the window.
    pub excess_revenue: Option<f64>,
    /// Cochran-Mantel-Haenszel.
    pub p_value: Option<f64>,
    /// Benjamini-Hochberg over the rows of the landmark with status ok.
    pub q_value: Option<f64>,
    /// Breslow-Day: small when the strata differ.
    pub homogeneity_p_value: Option<f64>,
    /// By the lower limit of excess churners; ties share a mean.
    pub data_rank: Option<f64>,
    /// By importance; ties share a mean.
    pub expert_rank: Option<f64>,
    /// The two ranks weighed.
    pub priority: Option<f64>,
    /// The rank of the priority.
    pub priority_rank: Option<i64>,
    /// Whether data and experts agree.
    pub agreement: Option<String>,
    /// Weight of the data in the priority.
    pub priority_weight: f64,
}

/// A landmark whose churn is not known yet.
#[derive(Debug, Clone, Serialize)]
pub struct NotMatured {
    /// Its day.
    pub landmark: String,
    /// When its outcome window is over.
    pub outcome_until: Option<String>,
    /// Customers exposed so far.
    pub exposed: Option<i64>,
    /// Why there is no figure.
    pub reason: Option<String>,
}

/// A stratum's cells.
#[derive(Debug, Clone, Serialize)]
pub struct Stratum {
    /// Segment.
    pub segment: String,
    /// Days since joining.
    pub tenure_band: String,
    /// Exposed.
    pub exposed: i64,
    /// Of them churned.
    pub exposed_churners: i64,
    /// Unexposed.
    pub unexposed: i64,
    /// Of them churned.
    pub unexposed_churners: i64,
}

/// A journey of the ranking.
#[derive(Debug, Clone, Serialize)]
pub struct Ranked {
    /// The journey.
    pub journey: String,
    /// By the lower limit of excess churners.
    pub data_rank: Option<f64>,
    /// By importance.
    pub expert_rank: Option<f64>,
    /// By priority.
    pub priority_rank: Option<i64>,
    /// Lower limit of excess churners.
    pub excess_churners_lower: Option<f64>,
}

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
    /// Begun anew before they were over.
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

/// The row of `fct_journey_drivers`.
#[derive(Debug, Clone, Serialize)]
pub struct Drivers {
    /// Its day.
    pub landmark: String,
    /// `ok`, or why there is no verdict.
    pub status: String,
    /// The same in words.
    pub reason: Option<String>,
    /// Exposed customers with both scores.
    pub responders: Option<i64>,
    /// Of them churned.
    pub churners: Option<i64>,
    /// McFadden's R² with segment, tenure and the touchpoint score.
    pub touchpoint_r2: Option<f64>,
    /// With the journey score instead.
    pub journey_r2: Option<f64>,
    /// AUC, in-sample, with the touchpoint score.
    pub touchpoint_auc: Option<f64>,
    /// With the journey score.
    pub journey_auc: Option<f64>,
    /// Likelihood-ratio test: does the journey score add to touchpoint scores?
    pub journey_beyond_touchpoint_p_value: Option<f64>,
    /// The other way round.
    pub touchpoint_beyond_journey_p_value: Option<f64>,
    /// In words.
    pub verdict: Option<String>,
}
