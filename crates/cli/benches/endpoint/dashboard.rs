//! The twenty questions of a dashboard about journeys.

/// One for each tile.
pub(crate) const TILES: [&str; 20] = [
    "SELECT count(*) FROM fct_journey",
    "SELECT status, count(*) AS instances FROM fct_journey GROUP BY status ORDER BY 2 DESC",
    "SELECT journey, count(*) AS instances, avg(duration_s) / 86400 AS days FROM fct_journey GROUP BY journey ORDER BY 2 DESC",
    "SELECT date_trunc('month', started_at) AS month, count(*) AS instances FROM fct_journey GROUP BY 1 ORDER BY 1",
    "SELECT journey, date_trunc('week', started_at) AS week, count(*) AS instances FROM fct_journey WHERE started_at >= TIMESTAMP '2026-07-01' GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT journey, sum(contacts) AS contacts, sum(repeat_contacts) AS repeats, sum(cost) AS cost FROM fct_journey GROUP BY 1 ORDER BY 4 DESC",
    "SELECT first_channel, last_channel, count(*) AS instances FROM fct_journey GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 20",
    "SELECT journey, is_multichannel, avg(journey_satisfaction) AS satisfaction, count(journey_satisfaction) AS answers FROM fct_journey GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT journey, avg(touchpoint_satisfaction) AS touchpoints, avg(journey_satisfaction) AS journeys FROM fct_journey GROUP BY 1 ORDER BY 1",
    "SELECT journey, approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY duration_s) AS p90 FROM fct_journey WHERE status = 'completed' GROUP BY 1 ORDER BY 1",
    "SELECT customer_id, count(*) AS journeys, sum(cost) AS cost FROM fct_journey GROUP BY 1 ORDER BY 3 DESC LIMIT 25",
    "SELECT d.label, count(*) AS open FROM fct_journey AS f JOIN dim_journey AS d ON d.journey = f.journey WHERE f.status = 'open' GROUP BY 1 ORDER BY 2 DESC",
    "SELECT c.segment, f.journey, count(*) AS instances FROM fct_journey AS f JOIN dim_customer AS c ON c.customer_id = f.customer_id GROUP BY 1, 2 ORDER BY 1, 3 DESC",
    "SELECT * FROM mart_planning ORDER BY rank NULLS LAST",
    "SELECT * FROM mart_operations LIMIT 200",
    "SELECT journey, period, completion_rate, completion_rate_lower, completion_rate_upper FROM fct_journey_performance WHERE segment = 'all' AND period_kind = 'month' ORDER BY 1, 2",
    "SELECT journey, tier, exposed_customers, exposed_churn_rate, like_churn_rate, adjusted_rate_ratio, adjusted_rate_ratio_lower, adjusted_rate_ratio_upper FROM fct_key_journeys WHERE segment = 'all' AND period_kind = 'quarter' ORDER BY period_start DESC, rank NULLS LAST",
    "SELECT journey, period, excess_churners, excess_churners_lower, excess_churners_upper FROM fct_key_journeys WHERE segment = 'all' AND period_kind = 'month' ORDER BY 1, 2",
    "SELECT * FROM fct_recurring_issue LIMIT 100",
    "SELECT severity, count(*) AS firings FROM fct_trigger GROUP BY 1 ORDER BY 1",
];
