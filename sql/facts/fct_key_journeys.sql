-- One row: a journey in a month or quarter and a segment ('all' for the total): how many were on it, how many more
-- of them left than of like customers who were not, how sure that is, and where it ranks (SEMANTICS 5).
-- From: key_journey_figure, key_journey_goes_with, key_journey_change. Key: period_kind, period_start, journey,
-- segment. 'all' is stratified by segment × tenure band × month, a segment by tenure band × month. Excess churners
-- of several journeys overlap and are never added; fct_key_journeys_together says what they make jointly.
--
-- Each comparison can be made again from fct_journey_risk, for any journeys, segments and months; for one quarter:
--
--     WITH stratum AS (
--         SELECT journey, segment, tenure_band, month,
--             coalesce(sum(churned) FILTER (WHERE exposure = 'exposed'), 0) AS a,
--             coalesce(sum(person_days) FILTER (WHERE exposure = 'exposed'), 0) AS n1,
--             coalesce(sum(churned) FILTER (WHERE exposure = 'unexposed'), 0) AS c,
--             coalesce(sum(person_days) FILTER (WHERE exposure = 'unexposed'), 0) AS n0
--         FROM fct_journey_risk
--         WHERE month >= '2026-07-01' AND month < '2026-10-01'
--         GROUP BY journey, segment, tenure_band, month)
--     SELECT journey, point_estimate(excess_leavers(a, n1, c, n0)) AS excess_churners,
--         lower_limit(excess_leavers(a, n1, c, n0)) AS lower, upper_limit(excess_leavers(a, n1, c, n0)) AS upper,
--         point_estimate(mantel_haenszel_rates(a, n1, c, n0)) AS adjusted_rate_ratio
--     FROM stratum GROUP BY journey
WITH weighed AS (
    SELECT
        figure.*,
        with_others.goes_with,
        with_others.is_inseparable,
        CASE WHEN figure.status = 'ok' THEN greatest(figure.excess_churners_lower, 0) END AS sure_excess,
        -- Who was judged by nobody stands at the mean of those who were. Of whole numbers, so in any order the same.
        (coalesce(
            CAST(figure.importance AS DOUBLE),
            CAST(sum(figure.importance) OVER every_journey AS DOUBLE) / count(figure.importance) OVER every_journey
        ) - 1) / 4 AS expert_priority
    FROM key_journey_figure AS figure
    LEFT JOIN key_journey_goes_with AS with_others
        ON with_others.period_kind = figure.period_kind
        AND with_others.period_start = figure.period_start
        AND with_others.segment = figure.segment
        AND with_others.journey = figure.journey
    WINDOW every_journey AS (PARTITION BY figure.period_kind, figure.period_start, figure.segment)
),

-- A precise nothing never stands above an uncertain harm, nor a protective journey above an unknown one.
placed AS (
    SELECT
        weighed.*,
        -- 0 for all where nothing is sure to be above 0.
        coalesce(sure_excess / nullif(max(sure_excess) OVER (PARTITION BY period_kind, period_start, segment), 0),
            0 * sure_excess) AS data_priority,
        CASE WHEN tier IS NOT NULL THEN CAST(rank() OVER (
            PARTITION BY period_kind, period_start, segment
            ORDER BY
                CASE tier WHEN 'harmful' THEN 1 WHEN 'unclear' THEN 2 WHEN 'protective' THEN 3 ELSE 4 END,
                CASE WHEN tier = 'harmful' THEN excess_churners_lower ELSE excess_churners_upper END DESC NULLS LAST
        ) AS BIGINT) END AS rank
    FROM weighed
),

ranked AS (
    SELECT
        placed.*,
        CASE WHEN lag(period_end) OVER over_time = period_start THEN lag(rank) OVER over_time END AS rank_before
    FROM placed
    WINDOW over_time AS (PARTITION BY period_kind, journey, segment ORDER BY period_start)
)

SELECT
    ranked.period_kind,
    ranked.period,
    ranked.period_start,
    ranked.period_end,
    ranked.journey,
    ranked.segment,
    ranked.status,
    ranked.reason,
    ranked.tier,
    ranked.rank,
    ranked.flags,
    ranked.leaves_at_once,
    ranked.goes_with,
    ranked.is_inseparable,
    ranked.instances,
    ranked.customers,
    ranked.exposed_customers,
    ranked.exposed_days,
    ranked.unexposed_days,
    ranked.exposed_leavers,
    ranked.unexposed_leavers,
    ranked.leavers,
    ranked.exposed_lost,
    ranked.unexposed_lost,
    ranked.left_out_days,
    ranked.left_out_leavers,
    ranked.effective_leavers,
    ranked.exposed_churn_rate,
    ranked.exposed_churn_rate_lower,
    ranked.exposed_churn_rate_upper,
    ranked.unexposed_churn_rate,
    ranked.unexposed_churn_rate_lower,
    ranked.unexposed_churn_rate_upper,
    ranked.like_churn_rate,
    ranked.like_churn_rate_lower,
    ranked.like_churn_rate_upper,
    ranked.rate_ratio,
    ranked.rate_ratio_lower,
    ranked.rate_ratio_upper,
    ranked.adjusted_rate_ratio,
    ranked.adjusted_rate_ratio_lower,
    ranked.adjusted_rate_ratio_upper,
    ranked.mutual_rate_ratio,
    ranked.mutual_rate_ratio_lower,
    ranked.mutual_rate_ratio_upper,
    ranked.mutual_p_value,
    ranked.mutual_q_value,
    ranked.mutual_status,
    ranked.mutual_reason,
    ranked.phi,
    ranked.phi_lower,
    ranked.phi_upper,
    ranked.expected_churners,
    ranked.expected_churners_lower,
    ranked.expected_churners_upper,
    ranked.excess_churners,
    ranked.excess_churners_lower,
    ranked.excess_churners_upper,
    ranked.excess_standard_error,
    ranked.smallest_detectable_excess,
    ranked.p_value,
    ranked.q_value,
    ranked.homogeneity_p_value,
    ranked.attributable_share,
    ranked.attributable_share_lower,
    ranked.attributable_share_upper,
    ranked.e_value,
    ranked.e_value_limit,
    ranked.excess_revenue,
    ranked.excess_revenue_lower,
    ranked.excess_revenue_upper,
    ranked.avoidable_churners,
    ranked.avoidable_churners_lower,
    ranked.avoidable_churners_upper,
    ranked.first_week_rate,
    ranked.later_rate,
    ranked.unexposed_share,
    ranked.importance,
    ranked.data_priority,
    ranked.expert_priority,
    -- The data alone where nobody judged any journey.
    CASE
        WHEN ranked.expert_priority IS NULL THEN ranked.data_priority
        ELSE $priority_weight * ranked.data_priority + (1 - $priority_weight) * ranked.expert_priority
    END AS priority,
    CASE
        WHEN ranked.tier IS NULL OR ranked.importance IS NULL THEN NULL
        WHEN ranked.tier = 'harmful' AND ranked.importance >= 4 THEN 'both'
        WHEN ranked.tier = 'harmful' THEN 'data_only'
        WHEN ranked.importance >= 4 THEN 'expert_only'
        ELSE 'neither'
    END AS agreement,
    change.excess_change,
    change.excess_change_lower,
    change.excess_change_upper,
    change.excess_change_volume,
    change.excess_change_volume_lower,
    change.excess_change_volume_upper,
    change.excess_change_mix,
    change.excess_change_mix_lower,
    change.excess_change_mix_upper,
    change.excess_change_exposed_rate,
    change.excess_change_exposed_rate_lower,
    change.excess_change_exposed_rate_upper,
    change.excess_change_unexposed_rate,
    change.excess_change_unexposed_rate_lower,
    change.excess_change_unexposed_rate_upper,
    ranked.rank_before
FROM ranked
LEFT JOIN key_journey_change AS change
    ON change.period_kind = ranked.period_kind
    AND change.period_start = ranked.period_start
    AND change.journey = ranked.journey
    AND change.segment = ranked.segment
ORDER BY ranked.period_kind, ranked.period_start, ranked.segment, ranked.rank NULLS LAST, ranked.journey
