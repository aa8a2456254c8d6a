-- One row: the link to leaving of a scope, a journey or several taken as one, by the person-time of a period
-- (SEMANTICS 5). From: joint_cell (journey_joint_risk of the period), exposed_customer (scope, exposed_customers),
-- discovered_scope (scope, journey, is_single). Key: scope.
-- On a scope is who is on one of its journeys; eligible for it is who is eligible for one of them.
WITH scope AS (
    SELECT
        scope,
        is_single,
        array_agg(journey) AS journeys
    FROM discovered_scope
    GROUP BY scope, is_single
),

state AS (
    SELECT
        scope.scope,
        scope.is_single,
        joint_cell.segment,
        joint_cell.tenure_band,
        joint_cell.month,
        coalesce(array_has_any(joint_cell.exposed, scope.journeys), FALSE) AS is_exposed,
        joint_cell.person_days,
        joint_cell.churned
    FROM scope
    CROSS JOIN joint_cell
    WHERE NOT coalesce(array_has_all(joint_cell.not_eligible, scope.journeys), FALSE)
),

stratum AS (
    SELECT
        scope,
        is_single,
        segment,
        tenure_band,
        month,
        sum(CASE WHEN is_exposed THEN churned ELSE 0 END) AS a,
        sum(CASE WHEN is_exposed THEN person_days ELSE 0 END) AS n1,
        sum(CASE WHEN is_exposed THEN 0 ELSE churned END) AS c,
        sum(CASE WHEN is_exposed THEN 0 ELSE person_days END) AS n0
    FROM state
    GROUP BY scope, is_single, segment, tenure_band, month
),

pooled AS (
    SELECT
        scope,
        is_single,
        excess_leavers(a, n1, c, n0, $confidence) AS excess,
        mantel_haenszel_rates(a, n1, c, n0, $confidence) AS adjusted
    FROM stratum
    GROUP BY scope, is_single
),

-- All journeys of one side at once, where journeys are judged one by one.
joint_model AS (
    SELECT joint_rate_ratios(
        churned, person_days, [segment, tenure_band, month], exposed, not_eligible, $confidence
    ) AS model
    FROM joint_cell
    WHERE (SELECT bool_or(is_single) FROM discovered_scope)
),

effect AS (
    SELECT
        pooled.*,
        coalesce(exposed_customer.exposed_customers, 0) AS exposed_customers,
        CASE
            WHEN pooled.is_single AND joint_model.model['status'] = 'ok'
                THEN journey_effect(joint_model.model, pooled.scope)
        END AS mutual,
        CASE WHEN joint_model.model['status'] <> 'ok' THEN joint_model.model['status'] END AS mutual_status
    FROM pooled
    CROSS JOIN joint_model
    LEFT JOIN exposed_customer ON exposed_customer.scope = pooled.scope
),

judged AS (
    SELECT
        effect.*,
        CASE
            WHEN exposed_customers < $minimum_exposed
                THEN 'fewer than ' || CAST($minimum_exposed AS VARCHAR) || ' customers were on it'
            WHEN excess['estimate'] IS NULL THEN excess['reason']
            WHEN excess['exposed_leavers'] < $minimum_churners
                THEN 'fewer than ' || CAST($minimum_churners AS VARCHAR) || ' left while on it'
            WHEN excess['effective_leavers'] < $minimum_compared
                THEN 'too few like customers left to compare with: worth '
                    || CAST(CAST(floor(excess['effective_leavers']) AS BIGINT) AS VARCHAR) || ', needed '
                    || CAST($minimum_compared AS VARCHAR)
        END AS reason
    FROM effect
),

tested AS (
    SELECT
        judged.*,
        -- Over those of one side that are ranked; none is before the period is whole.
        CASE WHEN $period_is_whole THEN
            benjamini_hochberg(CASE WHEN reason IS NULL THEN excess['p_value'] END) OVER (PARTITION BY is_single)
        END AS q_value,
        CASE WHEN $period_is_whole THEN
            benjamini_hochberg(CASE WHEN reason IS NULL THEN mutual['p_value'] END) OVER (PARTITION BY is_single)
        END AS mutual_q_value
    FROM judged
),

weighed AS (
    SELECT
        tested.*,
        -- Where the model of all journeys could be fitted, it has to say so too.
        CASE mutual['status']
            WHEN 'ok' THEN mutual_q_value < $false_discovery_rate AND mutual['estimate'] > 1
            WHEN 'as_other_journeys' THEN FALSE
            ELSE TRUE
        END AS holds_beside_others
    FROM tested
)

SELECT
    scope,
    reason,
    CASE
        WHEN q_value IS NULL THEN NULL
        WHEN q_value < $false_discovery_rate AND excess['estimate'] < 0 THEN 'protective'
        WHEN q_value < $false_discovery_rate AND excess['estimate'] > 0 AND holds_beside_others THEN 'harmful'
        ELSE 'unclear'
    END AS tier,
    exposed_customers,
    CAST(excess['exposed_days'] AS BIGINT) AS exposed_days,
    CAST(excess['unexposed_days'] AS BIGINT) AS unexposed_days,
    CAST(excess['exposed_leavers'] AS BIGINT) AS exposed_leavers,
    CAST(excess['unexposed_leavers'] AS BIGINT) AS unexposed_leavers,
    CAST(excess['left_out_days'] AS BIGINT) AS left_out_days,
    CAST(excess['left_out_leavers'] AS BIGINT) AS left_out_leavers,
    CAST(excess['leavers'] AS BIGINT) AS leavers,
    excess['effective_leavers'] AS effective_leavers,
    point_estimate(poisson_rate(excess['exposed_leavers'], excess['exposed_days'] / 90, $confidence))
        AS exposed_churn_rate,
    lower_limit(poisson_rate(excess['exposed_leavers'], excess['exposed_days'] / 90, $confidence))
        AS exposed_churn_rate_lower,
    upper_limit(poisson_rate(excess['exposed_leavers'], excess['exposed_days'] / 90, $confidence))
        AS exposed_churn_rate_upper,
    point_estimate(poisson_rate(excess['unexposed_leavers'], excess['unexposed_days'] / 90, $confidence))
        AS unexposed_churn_rate,
    lower_limit(poisson_rate(excess['unexposed_leavers'], excess['unexposed_days'] / 90, $confidence))
        AS unexposed_churn_rate_lower,
    upper_limit(poisson_rate(excess['unexposed_leavers'], excess['unexposed_days'] / 90, $confidence))
        AS unexposed_churn_rate_upper,
    excess['expected'] / nullif(excess['exposed_days'], 0) * 90 AS like_churn_rate,
    excess['expected_lower'] / nullif(excess['exposed_days'], 0) * 90 AS like_churn_rate_lower,
    excess['expected_upper'] / nullif(excess['exposed_days'], 0) * 90 AS like_churn_rate_upper,
    point_estimate(rate_ratio(
        excess['exposed_leavers'], excess['exposed_days'], excess['unexposed_leavers'], excess['unexposed_days'],
        $confidence
    )) AS rate_ratio,
    lower_limit(rate_ratio(
        excess['exposed_leavers'], excess['exposed_days'], excess['unexposed_leavers'], excess['unexposed_days'],
        $confidence
    )) AS rate_ratio_lower,
    upper_limit(rate_ratio(
        excess['exposed_leavers'], excess['exposed_days'], excess['unexposed_leavers'], excess['unexposed_days'],
        $confidence
    )) AS rate_ratio_upper,
    adjusted['estimate'] AS adjusted_rate_ratio,
    adjusted['lower'] AS adjusted_rate_ratio_lower,
    adjusted['upper'] AS adjusted_rate_ratio_upper,
    mutual['estimate'] AS mutual_rate_ratio,
    mutual['lower'] AS mutual_rate_ratio_lower,
    mutual['upper'] AS mutual_rate_ratio_upper,
    CASE WHEN is_single THEN coalesce(mutual['reason'], mutual_status) END AS mutual_reason,
    excess['estimate'] AS excess_churners,
    excess['lower'] AS excess_churners_lower,
    excess['upper'] AS excess_churners_upper,
    excess['smallest_detectable'] AS smallest_detectable_excess,
    excess['p_value'] AS p_value,
    q_value,
    mutual_q_value,
    coalesce(q_value < $false_discovery_rate AND excess['estimate'] > 0 AND NOT holds_beside_others, FALSE)
        AS goes_with_others
FROM weighed
ORDER BY scope
