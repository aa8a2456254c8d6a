-- One row: a journey at a landmark in a segment ('all' for the total) and its link to churn, adjusted for the strata
-- (SEMANTICS 5). From: key_journeys_stratum. Key: landmark, journey, segment. Churn only where the landmark matured.
WITH pooled AS (
    SELECT
        landmark,
        journey,
        coalesce(segment, 'all') AS segment,
        bool_and(is_matured) AS is_matured,
        sum(instances) AS instances,
        sum(a) AS a,
        sum(b) AS b,
        sum(c) AS c,
        sum(d) AS d,
        sum(carried_over) AS carried_over,
        sum(censored) AS censored,
        mantel_haenszel(a, b, c, d, $confidence) AS adjusted
    FROM key_journeys_stratum
    GROUP BY GROUPING SETS ((landmark, journey, segment), (landmark, journey))
)

SELECT
    CAST(landmark AS DATE) AS landmark,
    journey,
    segment,
    instances,
    a + b AS exposed,
    c + d AS unexposed,
    carried_over,
    CASE WHEN is_matured THEN censored END AS censored,
    CASE WHEN is_matured THEN a END AS a,
    CASE WHEN is_matured THEN b END AS b,
    CASE WHEN is_matured THEN c END AS c,
    CASE WHEN is_matured THEN d END AS d,
    CASE WHEN is_matured THEN CAST(a AS DOUBLE) / nullif(a + b, 0) END AS exposed_churn_rate,
    CASE WHEN is_matured THEN CAST(c AS DOUBLE) / nullif(c + d, 0) END AS unexposed_churn_rate,
    CASE WHEN is_matured THEN adjusted['odds_ratio'] END AS adjusted_odds_ratio,
    CASE WHEN is_matured THEN adjusted['p_value'] END AS p_value
FROM pooled
ORDER BY landmark, segment, journey
