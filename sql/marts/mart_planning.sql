-- One row: a journey as strategic planning sees it: how much it matters, how sure we are, how it performs, who owns it.
-- From: dim_journey, fct_key_journeys (latest quarter that is ranked; where there is none, the latest with figures),
-- fct_key_journeys_outcome (latest landmark whose outcome is known), fct_journey_performance (latest matured quarter),
-- all segments. Key: journey. Every figure is dated by period, outcome_period or performance_period.
WITH quarter AS (
    SELECT
        fct_key_journeys.*,
        row_number() OVER (
            PARTITION BY journey
            ORDER BY CASE WHEN status IN ('running', 'partial') THEN 1 ELSE 0 END, period_start DESC
        ) AS recency
    FROM fct_key_journeys
    WHERE segment = 'all' AND period_kind = 'quarter'
),

known_outcome AS (
    SELECT
        journey,
        outcome,
        landmark_period,
        status,
        adjusted_difference,
        adjusted_difference_lower,
        adjusted_difference_upper,
        max(landmark) OVER (PARTITION BY journey) = landmark AS is_latest
    FROM fct_key_journeys_outcome
    WHERE segment = 'all' AND status <> 'not_matured'
),

other_outcome AS (
    SELECT
        journey,
        max(landmark_period) AS outcome_period,
        max(adjusted_difference) FILTER (WHERE outcome = 'revenue_change') AS revenue_change_difference,
        max(adjusted_difference_lower) FILTER (WHERE outcome = 'revenue_change') AS revenue_change_difference_lower,
        max(adjusted_difference_upper) FILTER (WHERE outcome = 'revenue_change') AS revenue_change_difference_upper,
        max(adjusted_difference) FILTER (WHERE outcome = 'repurchase') AS repurchase_difference,
        max(adjusted_difference_lower) FILTER (WHERE outcome = 'repurchase') AS repurchase_difference_lower,
        max(adjusted_difference_upper) FILTER (WHERE outcome = 'repurchase') AS repurchase_difference_upper
    FROM known_outcome
    WHERE is_latest AND status = 'ok'
    GROUP BY journey
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
        quarter.period,
        quarter.period_start,
        quarter.period_end,
        coalesce(quarter.status, 'running') AS status,
        CASE WHEN quarter.journey IS NULL THEN 'no day is counted yet' ELSE quarter.reason END AS reason,
        quarter.tier,
        quarter.rank,
        quarter.rank_before,
        quarter.flags,
        quarter.leaves_at_once,
        quarter.goes_with,
        quarter.is_inseparable,
        quarter.priority,
        quarter.data_priority,
        quarter.expert_priority,
        dim_journey.importance,
        dim_journey.rationale,
        quarter.agreement,
        quarter.instances,
        quarter.customers,
        quarter.exposed_customers,
        quarter.exposed_days,
        quarter.exposed_leavers,
        quarter.leavers,
        quarter.exposed_churn_rate,
        quarter.exposed_churn_rate_lower,
        quarter.exposed_churn_rate_upper,
        quarter.like_churn_rate,
        quarter.like_churn_rate_lower,
        quarter.like_churn_rate_upper,
        quarter.adjusted_rate_ratio,
        quarter.adjusted_rate_ratio_lower,
        quarter.adjusted_rate_ratio_upper,
        quarter.mutual_rate_ratio,
        quarter.mutual_rate_ratio_lower,
        quarter.mutual_rate_ratio_upper,
        quarter.mutual_q_value,
        quarter.phi,
        quarter.phi_lower,
        quarter.phi_upper,
        quarter.q_value,
        quarter.excess_churners,
        quarter.excess_churners_lower,
        quarter.excess_churners_upper,
        quarter.smallest_detectable_excess,
        quarter.attributable_share,
        quarter.attributable_share_lower,
        quarter.attributable_share_upper,
        quarter.e_value,
        quarter.e_value_limit,
        quarter.excess_revenue,
        quarter.excess_revenue_lower,
        quarter.excess_revenue_upper,
        quarter.avoidable_churners,
        quarter.avoidable_churners_lower,
        quarter.avoidable_churners_upper,
        quarter.excess_change,
        quarter.excess_change_lower,
        quarter.excess_change_upper,
        other_outcome.outcome_period,
        other_outcome.revenue_change_difference,
        other_outcome.revenue_change_difference_lower,
        other_outcome.revenue_change_difference_upper,
        other_outcome.repurchase_difference,
        other_outcome.repurchase_difference_lower,
        other_outcome.repurchase_difference_upper,
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
    LEFT JOIN quarter ON quarter.journey = dim_journey.journey AND quarter.recency = 1
    LEFT JOIN other_outcome ON other_outcome.journey = dim_journey.journey
    LEFT JOIN performance ON performance.journey = dim_journey.journey
),

worded AS (
    SELECT
        planning.*,
        CAST(CAST(round(abs(excess_churners)) AS BIGINT) AS VARCHAR)
            || CASE WHEN excess_churners < 0 THEN ' fewer' ELSE ' more' END AS excess_words,
        CAST(CAST(round(abs(excess_churners_lower)) AS BIGINT) AS VARCHAR)
            || CASE WHEN excess_churners_lower < 0 THEN ' fewer' ELSE ' more' END AS excess_lower_words,
        CAST(CAST(round(abs(excess_churners_upper)) AS BIGINT) AS VARCHAR)
            || CASE WHEN excess_churners_upper < 0 THEN ' fewer' ELSE ' more' END AS excess_upper_words
    FROM planning
),

effect AS (
    SELECT
        worded.* EXCLUDE (excess_words, excess_lower_words, excess_upper_words),
        concat_ws('; ',
            CASE
                WHEN status <> 'ok' THEN 'not ranked: ' || reason
                WHEN tier <> 'unclear' THEN tier
                WHEN is_inseparable
                    THEN 'unclear: more leave, but it cannot be told apart from ' || goes_with || ': '
                        || CASE WHEN strpos(goes_with, ', ') > 0 THEN 'one of them or several make'
                            ELSE 'one of the two or both make' END || ' customers leave'
                WHEN q_value < $false_discovery_rate AND excess_churners > 0
                    THEN 'unclear: more leave, but what the other journeys of the same customers leave of it may be chance'
                        || coalesce(' (goes with ' || goes_with || ')', '')
                ELSE 'unclear: it may be chance, which does not mean that there is no effect'
            END,
            CASE WHEN exposed_churn_rate IS NOT NULL AND like_churn_rate IS NOT NULL
                THEN 'of 100 customers on it ' || CAST(round(100 * exposed_churn_rate, 1) AS VARCHAR)
                    || ' left within 90 days, of like customers who were not '
                    || CAST(round(100 * like_churn_rate, 1) AS VARCHAR) END,
            CASE WHEN status = 'ok' AND excess_churners IS NOT NULL
                THEN 'that is ' || excess_words || ' in ' || period || ' (' || excess_lower_words || ' to '
                    || excess_upper_words || '), if the journey is the cause' END,
            CASE WHEN tier = 'harmful' AND leaves_at_once
                THEN 'they leave at once, so it may be a step of leaving rather than its cause' END,
            CASE WHEN tier = 'unclear' AND smallest_detectable_excess IS NOT NULL
                    AND NOT coalesce(q_value < $false_discovery_rate, FALSE)
                THEN 'about four times in five ' || CAST(CAST(ceil(smallest_detectable_excess) AS BIGINT) AS VARCHAR)
                    || ' more would have been seen' END
        ) AS effect_in_words
    FROM worded
)

SELECT
    effect.*,
    concat_ws('; ',
        effect_in_words,
        CASE WHEN customers IS NOT NULL THEN customers || ' customers started it in ' || period END,
        CASE WHEN completion_rate IS NOT NULL
            THEN CAST(round(100 * completion_rate) AS BIGINT) || ' % completed in ' || performance_period
                || coalesce(', target ' || CAST(round(100 * completion_rate_target) AS BIGINT) || ' %', '') END,
        CASE WHEN satisfaction_gap IS NOT NULL
            THEN 'where both were asked, touchpoints score '
                || CAST(round(100 * gap_touchpoint_satisfaction) AS BIGINT) || ', the journey '
                || CAST(round(100 * gap_journey_satisfaction) AS BIGINT) || ' of 100' END,
        CASE WHEN importance IS NOT NULL THEN 'experts say ' || importance || ' of 5' END,
        CASE WHEN flags IS NOT NULL THEN 'mind: ' || replace(flags, '_', ' ') END
    ) AS why
FROM effect
ORDER BY rank NULLS LAST, journey
