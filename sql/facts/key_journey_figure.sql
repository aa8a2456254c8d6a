-- One row: a journey in a period and segment ('all' for the total): how many were on it, how many of them left,
-- and how that compares with like customers who were not, with status, flags and tier (SEMANTICS 5); ranks are made
-- from it in fct_key_journeys. From: key_journey_period, dim_journey, key_journey_stratum,
-- key_journey_mutual, key_journey_volume, journey_exposed_customers. Key: period_kind, period_start, journey,
-- segment.
-- Letters: a, n1 = leavers and person-days exposed, c, n0 = unexposed. The aggregates do not depend on the order
-- of rows.
WITH pooled AS (
    SELECT
        period_kind,
        period_start,
        journey,
        segment,
        excess_leavers(exposed_leavers, exposed_days, unexposed_leavers, unexposed_days, $confidence) AS excess,
        mantel_haenszel_rates(exposed_leavers, exposed_days, unexposed_leavers, unexposed_days, $confidence)
            AS adjusted,
        -- Nothing is known of money where no bill stands against any exposed day. (Fields are read from the figure before
        -- CASE, never after it: in DataFusion 55 a field of a null structure can have a value, its issue 25120.)
        count(billed) > 0 AS has_bills,
        excess_revenue(
            exposed_leavers, exposed_days, unexposed_leavers, unexposed_days, coalesce(billed, 0), $confidence)
            AS revenue,
        -- Within the exposed: runs that went wrong beside runs that went well.
        excess_leavers(other_leavers, other_days, good_leavers, good_days, $confidence) AS avoidable,
        sum(exposed_days) AS exposed_days,
        sum(unexposed_days) AS unexposed_days,
        sum(exposed_leavers) AS exposed_leavers,
        sum(exposed_lost) AS exposed_lost,
        sum(unexposed_lost) AS unexposed_lost,
        sum(first_week_leavers) AS first_week_leavers,
        sum(first_week_days) AS first_week_days
    FROM key_journey_stratum
    GROUP BY period_kind, period_start, journey, segment
),

-- Every journey in every period, also one nobody was on; segments as far as somebody was eligible or started an
-- instance, so that the instances of the segments add up to those of all.
segment_scope AS (
    SELECT period_kind, period_start, journey, segment FROM pooled
    UNION
    SELECT period_kind, period_start, journey, segment FROM key_journey_volume
    UNION
    SELECT period_kind, period_start, journey, 'all' AS segment
    FROM key_journey_period
    CROSS JOIN dim_journey
),

figure AS (
    SELECT
        period.period_kind,
        period.period,
        period.period_start,
        period.period_end,
        period.is_running,
        period.days,
        period.days_counted,
        dim_journey.journey,
        scope.segment,
        dim_journey.importance,
        coalesce(volume.instances, 0) AS instances,
        coalesce(volume.customers, 0) AS customers,
        coalesce(population.exposed_customers, 0) AS exposed_customers,
        coalesce(CAST(pooled.excess['exposed_leavers'] AS BIGINT), 0) AS a,
        coalesce(CAST(pooled.excess['exposed_days'] AS BIGINT), 0) AS n1,
        coalesce(CAST(pooled.excess['unexposed_leavers'] AS BIGINT), 0) AS c,
        coalesce(CAST(pooled.excess['unexposed_days'] AS BIGINT), 0) AS n0,
        pooled.excess,
        pooled.adjusted,
        pooled.revenue,
        pooled.has_bills,
        pooled.avoidable,
        coalesce(pooled.exposed_lost, 0) AS exposed_lost,
        coalesce(pooled.unexposed_lost, 0) AS unexposed_lost,
        pooled.exposed_leavers AS all_exposed_leavers,
        poisson_rate(pooled.first_week_leavers, pooled.first_week_days / 90.0)['estimate'] AS first_week_rate,
        poisson_rate(
            pooled.exposed_leavers - pooled.first_week_leavers,
            (pooled.exposed_days - pooled.first_week_days) / 90.0)['estimate'] AS later_rate,
        CAST(pooled.unexposed_days AS DOUBLE) / nullif(pooled.exposed_days + pooled.unexposed_days, 0)
            AS unexposed_share,
        mutual.mutual_rate_ratio,
        mutual.mutual_rate_ratio_lower,
        mutual.mutual_rate_ratio_upper,
        mutual.mutual_p_value,
        coalesce(mutual.mutual_status, 'nobody_exposed') AS mutual_status,
        mutual.mutual_inseparable_from,
        CASE WHEN mutual.mutual_rate_ratio IS NULL
            THEN coalesce(mutual.mutual_reason, 'nobody was exposed')
        END AS mutual_reason
    FROM segment_scope AS scope
    INNER JOIN key_journey_period AS period
        ON period.period_kind = scope.period_kind AND period.period_start = scope.period_start
    INNER JOIN dim_journey ON dim_journey.journey = scope.journey
    LEFT JOIN pooled
        ON pooled.period_kind = scope.period_kind
        AND pooled.period_start = scope.period_start
        AND pooled.journey = scope.journey
        AND pooled.segment = scope.segment
    LEFT JOIN key_journey_volume AS volume
        ON volume.period_kind = scope.period_kind
        AND volume.period_start = scope.period_start
        AND volume.journey = scope.journey
        AND volume.segment = scope.segment
    LEFT JOIN journey_exposed_customers AS population
        ON population.period_kind = scope.period_kind
        AND population.period_start = scope.period_start
        AND population.journey = scope.journey
        AND population.segment = scope.segment
    LEFT JOIN key_journey_mutual AS mutual
        ON mutual.period_kind = scope.period_kind
        AND mutual.period_start = scope.period_start
        AND mutual.journey = scope.journey
        AND mutual.segment = scope.segment
),

judged AS (
    SELECT
        figure.*,
        CASE
            WHEN is_running THEN 'the period is not over: ' || days_counted || ' of its ' || days || ' days are counted'
            WHEN days_counted < days
                THEN 'the period began before days are counted: ' || days_counted || ' of its ' || days || ' days are'
            WHEN exposed_customers < $minimum_exposed
                THEN 'fewer than ' || CAST($minimum_exposed AS VARCHAR) || ' customers were exposed'
            WHEN excess IS NULL THEN 'nobody was exposed'
            WHEN excess['reason'] IS NOT NULL THEN excess['reason']
            WHEN a < $minimum_churners
                THEN 'fewer than ' || CAST($minimum_churners AS VARCHAR) || ' of the exposed left'
            -- Rounded, since a whole number of leavers comes out of quotients here.
            WHEN round(excess['effective_leavers'], 6) < $minimum_compared
                THEN 'fewer than ' || CAST($minimum_compared AS VARCHAR) || ' effective leavers to compare with'
        END AS reason,
        rate_ratio(a, n1, c, n0, $confidence) AS crude,
        poisson_rate(a, n1 / 90.0, $confidence) AS exposed_rate,
        poisson_rate(c, n0 / 90.0, $confidence) AS unexposed_rate,
        churn_correlation(a, n1, c, n0, 90, $confidence) AS correlation,
        -- What status asks of a comparison is asked of this one too.
        round(avoidable['effective_leavers'], 6) >= $minimum_compared
            AND avoidable['exposed_leavers'] >= $minimum_churners AS tells_avoidable,
        -- The rows of one journey and period are its segments and 'all', which is none of them.
        cochran_q(
            CASE WHEN segment <> 'all' THEN ln(adjusted['estimate']) END,
            CASE WHEN segment <> 'all' THEN adjusted['log_se'] END
        ) OVER (PARTITION BY period_kind, period_start, journey) AS segments
    FROM figure
),

stated AS (
    SELECT
        judged.*,
        CASE
            WHEN reason IS NULL THEN 'ok'
            WHEN is_running THEN 'running'
            WHEN days_counted < days THEN 'partial'
            ELSE 'insufficient'
        END AS status,
        CASE WHEN segment = 'all' THEN segments['p_value'] END AS homogeneity_p_value,
        first_week_rate > 3 * later_rate AS leaves_at_once
    FROM judged
),

-- Two families a period: the journeys at 'all', and all rows of segments. What is asked of the journey beside all
-- others is as often a chance find as what is asked of it alone, so it is tested within the same family.
tested AS (
    SELECT
        stated.*,
        benjamini_hochberg(CASE WHEN status = 'ok' THEN excess['p_value'] END) OVER family AS q_value,
        benjamini_hochberg(CASE WHEN status = 'ok' THEN mutual_p_value END) OVER family AS mutual_q_value
    FROM stated
    WINDOW family AS (PARTITION BY period_kind, period_start, segment = 'all')
),

weighed AS (
    SELECT
        tested.*,
        -- Null where there is no model to ask, or it tells the journey from everything but the strata.
        CASE mutual_status
            WHEN 'ok' THEN mutual_q_value < $false_discovery_rate AND mutual_rate_ratio > 1
            WHEN 'as_other_journeys' THEN FALSE
        END AS holds_beside_others
    FROM tested
)

SELECT
    period_kind,
    period,
    period_start,
    period_end,
    journey,
    segment,
    status,
    reason,
    CASE
        WHEN status <> 'ok' THEN NULL
        -- Where there is a joint model of all journeys, it has to agree.
        WHEN q_value < $false_discovery_rate AND excess['estimate'] > 0 AND coalesce(holds_beside_others, TRUE)
            THEN 'harmful'
        WHEN q_value < $false_discovery_rate AND excess['estimate'] < 0 THEN 'protective'
        ELSE 'unclear'
    END AS tier,
    nullif(concat_ws(', ',
        CASE WHEN (crude['estimate'] - 1) * (adjusted['estimate'] - 1) < 0
                OR crude['estimate'] > 1.2 * adjusted['estimate']
                OR adjusted['estimate'] > 1.2 * crude['estimate']
                OR (mutual_rate_ratio - 1) * (adjusted['estimate'] - 1) < 0
                OR mutual_rate_ratio > 1.2 * adjusted['estimate']
                OR adjusted['estimate'] > 1.2 * mutual_rate_ratio
            THEN 'confounded' END,
        CASE WHEN homogeneity_p_value < 0.05 THEN 'strata_differ' END,
        CASE WHEN excess['left_out_leavers'] > 0.2 * all_exposed_leavers
                OR excess['effective_leavers'] < 2 * $minimum_compared
            THEN 'thin_comparison' END,
        CASE WHEN leaves_at_once THEN 'leaves_at_once' END,
        CASE WHEN unexposed_share < 0.1 THEN 'few_unexposed' END
    ), '') AS flags,
    leaves_at_once,
    instances,
    customers,
    exposed_customers,
    n1 AS exposed_days,
    n0 AS unexposed_days,
    a AS exposed_leavers,
    c AS unexposed_leavers,
    coalesce(CAST(excess['leavers'] AS BIGINT), 0) AS leavers,
    exposed_lost,
    unexposed_lost,
    coalesce(CAST(excess['left_out_days'] AS BIGINT), 0) AS left_out_days,
    coalesce(CAST(excess['left_out_leavers'] AS BIGINT), 0) AS left_out_leavers,
    excess['effective_leavers'] AS effective_leavers,
    exposed_rate['estimate'] AS exposed_churn_rate,
    exposed_rate['lower'] AS exposed_churn_rate_lower,
    exposed_rate['upper'] AS exposed_churn_rate_upper,
    unexposed_rate['estimate'] AS unexposed_churn_rate,
    unexposed_rate['lower'] AS unexposed_churn_rate_lower,
    unexposed_rate['upper'] AS unexposed_churn_rate_upper,
    excess['expected'] / nullif(n1, 0) * 90 AS like_churn_rate,
    excess['expected_lower'] / nullif(n1, 0) * 90 AS like_churn_rate_lower,
    excess['expected_upper'] / nullif(n1, 0) * 90 AS like_churn_rate_upper,
    crude['estimate'] AS rate_ratio,
    crude['lower'] AS rate_ratio_lower,
    crude['upper'] AS rate_ratio_upper,
    adjusted['estimate'] AS adjusted_rate_ratio,
    adjusted['lower'] AS adjusted_rate_ratio_lower,
    adjusted['upper'] AS adjusted_rate_ratio_upper,
    mutual_rate_ratio,
    mutual_rate_ratio_lower,
    mutual_rate_ratio_upper,
    mutual_p_value,
    mutual_q_value,
    mutual_status,
    mutual_inseparable_from,
    mutual_reason,
    holds_beside_others,
    correlation['estimate'] AS phi,
    correlation['lower'] AS phi_lower,
    correlation['upper'] AS phi_upper,
    excess['expected'] AS expected_churners,
    excess['expected_lower'] AS expected_churners_lower,
    excess['expected_upper'] AS expected_churners_upper,
    excess['estimate'] AS excess_churners,
    excess['lower'] AS excess_churners_lower,
    excess['upper'] AS excess_churners_upper,
    excess['standard_error'] AS excess_standard_error,
    excess['smallest_detectable'] AS smallest_detectable_excess,
    excess['p_value'] AS p_value,
    q_value,
    homogeneity_p_value,
    excess['attributable_share'] AS attributable_share,
    excess['attributable_share_lower'] AS attributable_share_lower,
    excess['attributable_share_upper'] AS attributable_share_upper,
    excess['e_value'] AS e_value,
    excess['e_value_limit'] AS e_value_limit,
    CASE WHEN has_bills THEN revenue['estimate'] END AS excess_revenue,
    CASE WHEN has_bills THEN revenue['lower'] END AS excess_revenue_lower,
    CASE WHEN has_bills THEN revenue['upper'] END AS excess_revenue_upper,
    CASE WHEN tells_avoidable THEN avoidable['estimate'] END AS avoidable_churners,
    CASE WHEN tells_avoidable THEN avoidable['lower'] END AS avoidable_churners_lower,
    CASE WHEN tells_avoidable THEN avoidable['upper'] END AS avoidable_churners_upper,
    first_week_rate,
    later_rate,
    unexposed_share,
    importance
FROM weighed
ORDER BY period_kind, period_start, segment, journey
