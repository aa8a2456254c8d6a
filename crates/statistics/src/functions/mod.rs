//! The statistics as functions of the engine: thin wrappers that check arguments, keep partial states and build structs.

mod aggregate;
mod correlation;
mod joint;
mod observations;
mod parameters;
mod person_time;
mod readers;
mod rows;
mod scalar;
mod scalar_counts;
mod scalar_figure;
mod scalar_rates;
mod scores;
mod strata;
mod structs;
mod window;

use std::sync::Arc;

use datafusion::{
    logical_expr::{AggregateUDF, ScalarUDF, WindowUDF},
    prelude::SessionContext,
};

/// `wilson`, `risk_difference`, `phi`, `odds_ratio`, `risk_ratio`, `normal_quantile`, `likelihood_ratio_test`;
/// `poisson_rate`, `rate_ratio`, `rate_difference`, `churn_correlation`, `e_value`, `welch_difference`; and what reads
/// the results of others: `point_estimate`, `lower_limit`, `upper_limit`, `journey_effect`, `linear_predictor`.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    scalar::all()
}

/// `mantel_haenszel`, `excess_churners`, `correlation`, `auc`, `auc_difference`, `kaplan_meier_difference`,
/// `logistic_fit`, `firth_fit`, `firth_test`, `compare_scores`; over person-time `mantel_haenszel_rates`,
/// `excess_leavers`, `excess_revenue`, `excess_change`, `cochran_q`, `joint_rate_ratios`, `joint_excess`.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    aggregate::all()
}

/// `benjamini_hochberg`.
pub fn window_functions() -> Vec<Arc<WindowUDF>> {
    window::all()
}

/// Makes every function of this crate callable in the session's SQL.
pub fn register(session: &SessionContext) {
    for function in scalar_functions() {
        session.register_udf(Arc::unwrap_or_clone(function));
    }
    for function in aggregate_functions() {
        session.register_udaf(Arc::unwrap_or_clone(function));
    }
    for function in window_functions() {
        session.register_udwf(Arc::unwrap_or_clone(function));
    }
}
