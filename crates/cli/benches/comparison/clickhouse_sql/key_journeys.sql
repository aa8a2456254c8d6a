-- One row: a journey at a landmark in a segment ('all' for the total) and its link to churn (SEMANTICS 5).
-- From: fct_journey, customer. Key: landmark, journey, segment. Exposure as workspace/sql/key_journeys_stratum.sql says.
-- The unexposed are everybody less the exposed and the carried over, stratum by stratum.
WITH landmark AS (
    SELECT
        toDateTime64(arrayJoin({landmarks}), 6, 'UTC') AS landmark,
        landmark - INTERVAL 90 DAY AS exposure_from,
        landmark + INTERVAL 90 DAY AS outcome_until,
        outcome_until <= toDateTime64('{as_of}', 6, 'UTC') AS is_matured
),

spell AS (
    SELECT
        landmark, is_matured, customer_id, segment,
        countEqual([joined_at > landmark - INTERVAL 30 DAY, joined_at > landmark - INTERVAL 90 DAY,
            joined_at > landmark - INTERVAL 365 DAY, joined_at > landmark - INTERVAL 1095 DAY], 1) AS tenure_band,
        multiIf(
            is_matured AND ifNull(churned_at < outcome_until, 0), 'churned',
            is_matured AND ifNull(lost_at < outcome_until, 0), 'censored',
            'stayed'
        ) AS outcome
    FROM customer
    CROSS JOIN landmark
    WHERE joined_at < landmark AND ifNull(churned_at >= landmark, 1) AND ifNull(lost_at >= landmark, 1)
),

exposure AS (
    SELECT landmark, journey, customer_id, toInt64(countIf(started_at >= exposure_from)) AS instances
    FROM fct_journey
    CROSS JOIN landmark
    WHERE started_at < landmark AND last_at >= exposure_from
    GROUP BY landmark, journey, customer_id
),

population AS (
    SELECT
        landmark, is_matured, segment, tenure_band,
        toInt64(countIf(outcome = 'churned')) AS churned,
        toInt64(countIf(outcome = 'stayed')) AS stayed,
        toInt64(countIf(outcome = 'censored')) AS lost
    FROM spell
    GROUP BY landmark, is_matured, segment, tenure_band
),

touched AS (
    SELECT
        e.landmark AS landmark, journey, segment, tenure_band,
        sumIf(e.instances, outcome != 'censored') AS instances,
        toInt64(countIf(e.instances > 0 AND outcome = 'churned')) AS a,
        toInt64(countIf(e.instances > 0 AND outcome = 'stayed')) AS b,
        toInt64(countIf(e.instances = 0 AND outcome = 'churned')) AS carried_churned,
        toInt64(countIf(e.instances = 0 AND outcome = 'stayed')) AS carried_stayed,
        toInt64(countIf(e.instances = 0 AND outcome = 'censored')) AS carried_censored
    FROM exposure AS e
    INNER JOIN spell AS s ON s.landmark = e.landmark AND s.customer_id = e.customer_id
    GROUP BY landmark, journey, segment, tenure_band
),

stratum AS (
    SELECT
        p.landmark AS landmark, p.journey AS journey, p.is_matured AS is_matured, p.segment AS segment,
        ifNull(t.instances, 0) AS instances,
        ifNull(t.a, 0) AS a,
        ifNull(t.b, 0) AS b,
        churned - a - ifNull(carried_churned, 0) AS c,
        stayed - b - ifNull(carried_stayed, 0) AS d,
        ifNull(carried_churned + carried_stayed + carried_censored, 0) AS carried_over,
        lost - ifNull(carried_censored, 0) AS censored,
        a + b + c + d AS n
    FROM (SELECT *, arrayJoin({names}) AS journey FROM population) AS p
    LEFT JOIN touched AS t
        ON t.landmark = p.landmark AND t.journey = p.journey AND t.segment = p.segment
        AND t.tenure_band = p.tenure_band
),

pooled AS (
    SELECT
        landmark, journey,
        if(grouping(stratum.segment) = 1, 'all', toString(stratum.segment)) AS segment,
        any(is_matured) AS is_matured,
        sum(stratum.instances) AS instances, sum(stratum.a) AS a, sum(stratum.b) AS b, sum(stratum.c) AS c,
        sum(stratum.d) AS d, sum(stratum.carried_over) AS carried_over, sum(stratum.censored) AS censored,
        sumIf(stratum.a * stratum.d / n, n > 0) AS concordant,
        sumIf(stratum.b * stratum.c / n, n > 0) AS discordant,
        sumIf((stratum.a * stratum.d - stratum.b * stratum.c) / n, n > 1) AS deviation,
        sumIf((stratum.a + stratum.b) / n * ((stratum.c + stratum.d) / n)
            * ((stratum.a + stratum.c) * (stratum.b + stratum.d) / (n - 1)), n > 1) AS variance
    FROM stratum
    GROUP BY GROUPING SETS ((landmark, journey, stratum.segment), (landmark, journey))
)

SELECT
    toDate32(pooled.landmark) AS landmark, journey, segment, instances, pooled.a + pooled.b AS exposed,
    pooled.c + pooled.d AS unexposed, carried_over,
    if(is_matured, pooled.censored, NULL) AS censored,
    if(is_matured, pooled.a, NULL) AS a,
    if(is_matured, pooled.b, NULL) AS b,
    if(is_matured, pooled.c, NULL) AS c,
    if(is_matured, pooled.d, NULL) AS d,
    if(is_matured, pooled.a / nullIf(exposed, 0), NULL) AS exposed_churn_rate,
    if(is_matured, pooled.c / nullIf(unexposed, 0), NULL) AS unexposed_churn_rate,
    if(is_matured AND concordant > 0 AND discordant > 0, concordant / discordant, NULL) AS adjusted_odds_ratio,
    if(is_matured AND variance > 0, erfc(sqrt(deviation * deviation / variance / 2)), NULL) AS p_value
FROM pooled
