-- One row: a journey as strategic planning sees it: how much it matters, how sure we are, how it performs, who owns it.
-- From: dim_journey, fct_key_journeys and fct_key_journeys_outcome (latest matured landmark, all segments),
-- fct_journey_performance (latest matured quarter, all segments). Key: journey. Every figure is dated by landmark or period.
WITH matured_landmark AS (
    SELECT
        fct_key_journeys.*,
        row_number() OVER (PARTITION BY journey ORDER BY landmark DESC) AS recency
    FROM fct_key_journeys
    WHERE segment = 'all' AND status <> 'not_matured'
),

churn_link AS (
    SELECT
        latest.*,
        before.landmark_period AS landmark_period_before,
        before.excess_churners AS excess_churners_before,
        before.adjusted_odds_ratio AS adjusted_odds_ratio_before,
        before.priority_rank AS priority_rank_before
    FROM matured_landmark AS latest
    LEFT JOIN matured_landmark AS before ON before.journey = latest.journey AND before.recency = 2
    WHERE latest.recency = 1
),

other_outcome AS (
    SELECT
        latest.journey,
        max(adjusted_difference) FILTER (WHERE outcome = 'revenue_change') AS revenue_change_difference,
        max(adjusted_difference_lower) FILTER (WHERE outcome = 'revenue_change') AS revenue_change_difference_lower,
        max(adjusted_difference_upper) FILTER (WHERE outcome = 'revenue_change') AS revenue_change_difference_upper,
        max(adjusted_difference) FILTER (WHERE outcome = 'repurchase') AS repurchase_difference,
        max(adjusted_difference_lower) FILTER (WHERE outcome = 'repurchase') AS repurchase_difference_lower,
        max(adjusted_difference_upper) FILTER (WHERE outcome = 'repurchase') AS repurchase_difference_upper
    FROM fct_key_journeys_outcome AS beside
    INNER JOIN matured_landmark AS latest
        ON latest.recency = 1 AND latest.journey = beside.journey AND latest.landmark = beside.landmark
    WHERE beside.segment = 'all' AND beside.status = 'ok'
    GROUP BY latest.journey
),

matured_period AS (
    SELECT
        fct_journey_performance.*,
        row_number() OVER (PARTITION BY journey ORDER BY period_start DESC) AS recency
    FROM fct_journey_performance
    WHERE segment = 'all' AND period_kind = 'quarter' AND maturity = 'mature'
),

performance AS (
    SELECT *
    FROM matured_period
    WHERE recency = 1
),

planning AS (
    SELECT
        dim_journey.journey,
        dim_journey.label,
        dim_journey.owner,
        churn_link.landmark,
        churn_link.landmark_period,
        coalesce(churn_link.status, 'not_matured') AS status,
        CASE WHEN churn_link.journey IS NULL THEN 'no landmark has matured yet' ELSE churn_link.reason END AS reason,
        churn_link.flags,
        churn_link.priority_rank,
        churn_link.priority,
        churn_link.data_rank,
        churn_link.expert_rank,
        dim_journey.importance,
        dim_journey.rationale,
        churn_link.agreement,
        churn_link.instances,
        churn_link.customers,
        churn_link.exposed,
        churn_link.unexposed,
        churn_link.exposed_churn_rate,
        churn_link.unexposed_churn_rate,
        churn_link.risk_difference,
        churn_link.risk_difference_lower,
        churn_link.risk_difference_upper,
        churn_link.phi,
        churn_link.phi_lower,
        churn_link.phi_upper,
        churn_link.odds_ratio,
        churn_link.odds_ratio_lower,
        churn_link.odds_ratio_upper,
        churn_link.adjusted_odds_ratio,
        churn_link.adjusted_odds_ratio_lower,
        churn_link.adjusted_odds_ratio_upper,
        churn_link.q_value,
        churn_link.excess_churners,
        churn_link.excess_churners_lower,
        churn_link.excess_churners_upper,
        churn_link.attributable_share,
        churn_link.excess_revenue,
        other_outcome.revenue_change_difference,
        other_outcome.revenue_change_difference_lower,
        other_outcome.revenue_change_difference_upper,
        other_outcome.repurchase_difference,
        other_outcome.repurchase_difference_lower,
        other_outcome.repurchase_difference_upper,
        churn_link.landmark_period_before,
        churn_link.excess_churners_before,
        churn_link.adjusted_odds_ratio_before,
        churn_link.priority_rank_before,
        performance.period AS performance_period,
        performance.instances AS performance_instances,
        performance.completion_rate,
        performance.completion_rate_lower,
        performance.completion_rate_upper,
        performance.completion_rate_target,
        performance.completion_rate_attainment,
        performance.completion_rate_change,
        performance.completion_rate_change_lower,
        performance.completion_rate_change_upper,
        performance.completion_trend,
        performance.duration_p50_s,
        performance.duration_p50_s_target,
        performance.duration_p50_s_attainment,
        performance.duration_p90_s,
        performance.contacts_per_instance,
        performance.repeat_contact_rate,
        performance.repeat_contact_rate_target,
        performance.repeat_contact_rate_attainment,
        performance.cost,
        performance.cost_per_instance,
        performance.touchpoint_responses,
        performance.touchpoint_satisfaction,
        performance.journey_responses,
        performance.journey_satisfaction,
        performance.journey_satisfaction_target,
        performance.journey_satisfaction_attainment,
        performance.journey_satisfaction_change,
        performance.journey_satisfaction_change_lower,
        performance.journey_satisfaction_change_upper,
        performance.gap_instances,
        performance.gap_touchpoint_satisfaction,
        performance.gap_journey_satisfaction,
        performance.satisfaction_gap
    FROM dim_journey
    LEFT JOIN churn_link ON churn_link.journey = dim_journey.journey
    LEFT JOIN other_outcome ON other_outcome.journey = dim_journey.journey
    LEFT JOIN performance ON performance.journey = dim_journey.journey
)

SELECT
    planning.*,
    concat_ws('; ',
        CASE
            WHEN status <> 'ok' THEN 'nothing can be said of churn: ' || reason
            WHEN q_value < 1 - $confidence AND adjusted_odds_ratio IS NULL
                THEN 'linked to churn, but a cell is empty, so there is no odds ratio'
            WHEN q_value < 1 - $confidence
                THEN 'the odds of churn are ' || CAST(round(adjusted_odds_ratio, 2) AS VARCHAR)
                    || ' times those of like customers without it ('
                    || CAST(round(adjusted_odds_ratio_lower, 2) AS VARCHAR) || ' to '
                    || CAST(round(adjusted_odds_ratio_upper, 2) AS VARCHAR) || ')'
            ELSE 'no link to churn beyond chance (q ' || coalesce(CAST(round(q_value, 3) AS VARCHAR), 'unknown') || ')'
        END,
        CASE WHEN status = 'ok' AND q_value < 1 - $confidence AND excess_churners IS NOT NULL
            THEN CAST(round(abs(excess_churners)) AS BIGINT)
                || CASE WHEN excess_churners < 0 THEN ' fewer' ELSE ' more' END
                || ' left than expected, if causal (interval ' || CAST(round(excess_churners_lower) AS BIGINT) || ' to '
                || CAST(round(excess_churners_upper) AS BIGINT) || ')' END,
        CASE WHEN customers IS NOT NULL THEN customers || ' customers in ' || landmark_period END,
        CASE WHEN completion_rate IS NOT NULL
            THEN CAST(round(100 * completion_rate) AS BIGINT) || ' % completed in ' || performance_period
                || coalesce(', target ' || CAST(round(100 * completion_rate_target) AS BIGINT) || ' %', '') END,
        CASE WHEN satisfaction_gap IS NOT NULL
            THEN 'where both were asked, touchpoints score '
                || CAST(round(100 * gap_touchpoint_satisfaction) AS BIGINT) || ', the journey '
                || CAST(round(100 * gap_journey_satisfaction) AS BIGINT) || ' of 100' END,
        CASE WHEN importance IS NOT NULL THEN 'experts say ' || importance || ' of 5' END,
        CASE WHEN flags IS NOT NULL THEN 'mind: ' || flags END
    ) AS why
FROM planning
ORDER BY priority_rank NULLS LAST, journey
