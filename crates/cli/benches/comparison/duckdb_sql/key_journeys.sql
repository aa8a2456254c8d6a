-- One row: a journey at a landmark in a segment ('all' for the total) and its link to churn (SEMANTICS 5).
-- From: fct_journey, customer. Key: landmark, journey, segment. Exposure as workspace/sql/key_journeys_stratum.sql says.
-- Who is unexposed is counted as everybody less the exposed and the carried over, stratum by stratum: no row is made for
-- a customer and a journey he was not on.
WITH landmark AS (
    SELECT
        unnest({landmarks})::TIMESTAMP AS landmark,
        landmark - INTERVAL 90 DAYS AS exposure_from,
        landmark + INTERVAL 90 DAYS AS outcome_until,
        outcome_until <= TIMESTAMP '{as_of}' AS is_matured
),

spell AS (
    SELECT
        landmark, is_matured, customer_id, segment,
        CASE
            WHEN joined_at > landmark - INTERVAL 30 DAYS THEN '[0, 30)'
            WHEN joined_at > landmark - INTERVAL 90 DAYS THEN '[30, 90)'
            WHEN joined_at > landmark - INTERVAL 365 DAYS THEN '[90, 365)'
            WHEN joined_at > landmark - INTERVAL 1095 DAYS THEN '[365, 1095)'
            ELSE '[1095, inf)'
        END AS tenure_band,
        CASE
            WHEN is_matured AND churned_at < outcome_until THEN 'churned'
            WHEN is_matured AND lost_at < outcome_until THEN 'censored'
            ELSE 'stayed'
        END AS outcome
    FROM customer
    JOIN landmark ON joined_at < landmark
        AND (churned_at IS NULL OR churned_at >= landmark)
        AND (lost_at IS NULL OR lost_at >= landmark)
),

exposure AS (
    SELECT
        landmark, journey, customer_id,
        count(*) FILTER (make_timestamp(epoch_us(started_at)) >= exposure_from) AS instances
    FROM fct_journey
    JOIN landmark ON make_timestamp(epoch_us(started_at)) < landmark
        AND make_timestamp(epoch_us(last_at)) >= exposure_from
    GROUP BY ALL
),

population AS (
    SELECT
        landmark, is_matured, segment, tenure_band,
        count(*) FILTER (outcome = 'churned') AS churned,
        count(*) FILTER (outcome = 'stayed') AS stayed,
        count(*) FILTER (outcome = 'censored') AS censored
    FROM spell
    GROUP BY ALL
),

touched AS (
    SELECT
        landmark, journey, segment, tenure_band,
        sum(instances) FILTER (outcome <> 'censored') AS instances,
        count(*) FILTER (instances > 0 AND outcome = 'churned') AS a,
        count(*) FILTER (instances > 0 AND outcome = 'stayed') AS b,
        count(*) FILTER (instances = 0 AND outcome = 'churned') AS carried_churned,
        count(*) FILTER (instances = 0 AND outcome = 'stayed') AS carried_stayed,
        count(*) FILTER (instances = 0 AND outcome = 'censored') AS carried_censored
    FROM exposure
    JOIN spell USING (landmark, customer_id)
    GROUP BY ALL
),

stratum AS (
    SELECT
        landmark, journey, is_matured, segment, tenure_band,
        coalesce(instances, 0) AS instances,
        coalesce(a, 0) AS a,
        coalesce(b, 0) AS b,
        churned - coalesce(a + carried_churned, 0) AS c,
        stayed - coalesce(b + carried_stayed, 0) AS d,
        coalesce(carried_churned + carried_stayed + carried_censored, 0) AS carried_over,
        censored - coalesce(carried_censored, 0) AS censored,
        a + b + c + d AS n
    FROM population
    CROSS JOIN (SELECT DISTINCT journey::VARCHAR AS journey FROM role)
    LEFT JOIN touched USING (landmark, journey, segment, tenure_band)
),

pooled AS (
    SELECT
        landmark, journey,
        CASE WHEN grouping(segment) = 1 THEN 'all' ELSE segment END AS segment,
        any_value(is_matured) AS is_matured,
        sum(instances)::BIGINT AS instances, sum(a)::BIGINT AS a, sum(b)::BIGINT AS b, sum(c)::BIGINT AS c,
        sum(d)::BIGINT AS d, sum(carried_over)::BIGINT AS carried_over, sum(censored)::BIGINT AS censored,
        sum(a * d / n) FILTER (n > 0) AS concordant,
        sum(b * c / n) FILTER (n > 0) AS discordant,
        sum((a * d - b * c) / n) FILTER (n > 1) AS deviation,
        sum((a + b) / n * ((c + d) / n) * ((a + c) * (b + d) / (n - 1))) FILTER (n > 1) AS variance
    FROM stratum
    GROUP BY GROUPING SETS ((landmark, journey, segment), (landmark, journey))
)

SELECT
    landmark::DATE AS landmark, journey, segment, instances, a + b AS exposed, c + d AS unexposed, carried_over,
    CASE WHEN is_matured THEN censored END AS censored,
    CASE WHEN is_matured THEN a END AS a,
    CASE WHEN is_matured THEN b END AS b,
    CASE WHEN is_matured THEN c END AS c,
    CASE WHEN is_matured THEN d END AS d,
    CASE WHEN is_matured THEN a / nullif(a + b, 0) END AS exposed_churn_rate,
    CASE WHEN is_matured THEN c / nullif(c + d, 0) END AS unexposed_churn_rate,
    CASE WHEN is_matured AND concordant > 0 AND discordant > 0 THEN concordant / discordant END AS adjusted_odds_ratio,
    CASE WHEN is_matured AND variance > 0 THEN erfc(sqrt(deviation ^ 2 / variance / 2)) END AS p_value
FROM pooled
