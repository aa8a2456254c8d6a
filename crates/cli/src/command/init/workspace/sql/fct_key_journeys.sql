-- One row: a journey at a landmark, all segments, and its link to churn. From: landmark, fct_key_journeys_stratum.
-- Key: landmark, journey, segment. The odds ratio is pooled over the segments, so that it compares like with like.
WITH pooled AS (
    SELECT
        landmark,
        journey,
        bool_and(is_matured) AS is_matured,
        sum(instances) AS instances,
        sum(exposed) AS exposed,
        sum(unexposed) AS unexposed,
        sum(carried_over) AS carried_over,
        sum(a) AS a,
        sum(b) AS b,
        sum(c) AS c,
        sum(d) AS d,
        mantel_haenszel(a, b, c, d, $confidence) AS adjusted,
        excess_churners(a, b, c, d, $confidence) AS excess
    FROM fct_key_journeys_stratum
    GROUP BY landmark, journey
),

judged AS (
    SELECT
        pooled.*,
        wilson(a, a + b, $confidence) AS exposed_rate,
        wilson(c, c + d, $confidence) AS unexposed_rate,
        odds_ratio(a, b, c, d, $confidence) AS crude,
        CASE
            WHEN NOT is_matured THEN 'not_matured'
            WHEN least(exposed, unexposed) < $minimum_arm OR least(a, c) < $minimum_churners THEN 'insufficient'
            ELSE 'ok'
        END AS status
    FROM pooled
),

tested AS (
    SELECT
        judged.*,
        benjamini_hochberg(CASE WHEN status = 'ok' THEN adjusted['p_value'] END) OVER (PARTITION BY landmark) AS q_value,
        CASE WHEN status = 'ok' THEN
            rank() OVER (PARTITION BY landmark ORDER BY CASE WHEN status = 'ok' THEN excess['lower'] END DESC NULLS LAST)
        END AS place
    FROM judged
)

SELECT
    tested.landmark,
    landmark.landmark_period,
    tested.journey,
    'all' AS segment,
    status,
    CASE status
        WHEN 'not_matured' THEN 'the outcome window is not over'
        WHEN 'insufficient' THEN 'too few customers, or too few who left'
    END AS reason,
    CAST(NULL AS VARCHAR) AS flags,
    instances,
    exposed,
    unexposed,
    carried_over,
    CASE WHEN tested.is_matured THEN a END AS a,
    CASE WHEN tested.is_matured THEN b END AS b,
    CASE WHEN tested.is_matured THEN c END AS c,
    CASE WHEN tested.is_matured THEN d END AS d,
    CASE WHEN tested.is_matured THEN exposed_rate['estimate'] END AS exposed_churn_rate,
    CASE WHEN tested.is_matured THEN exposed_rate['lower'] END AS exposed_churn_rate_lower,
    CASE WHEN tested.is_matured THEN exposed_rate['upper'] END AS exposed_churn_rate_upper,
    CASE WHEN tested.is_matured THEN unexposed_rate['estimate'] END AS unexposed_churn_rate,
    CASE WHEN tested.is_matured THEN unexposed_rate['lower'] END AS unexposed_churn_rate_lower,
    CASE WHEN tested.is_matured THEN unexposed_rate['upper'] END AS unexposed_churn_rate_upper,
    CASE WHEN tested.is_matured THEN crude['estimate'] END AS odds_ratio,
    CASE WHEN tested.is_matured THEN crude['lower'] END AS odds_ratio_lower,
    CASE WHEN tested.is_matured THEN crude['upper'] END AS odds_ratio_upper,
    CASE WHEN tested.is_matured THEN adjusted['odds_ratio'] END AS adjusted_odds_ratio,
    CASE WHEN tested.is_matured THEN adjusted['lower'] END AS adjusted_odds_ratio_lower,
    CASE WHEN tested.is_matured THEN adjusted['upper'] END AS adjusted_odds_ratio_upper,
    CASE WHEN tested.is_matured THEN excess['estimate'] END AS excess_churners,
    CASE WHEN tested.is_matured THEN excess['lower'] END AS excess_churners_lower,
    CASE WHEN tested.is_matured THEN excess['upper'] END AS excess_churners_upper,
    CASE WHEN tested.is_matured THEN adjusted['p_value'] END AS p_value,
    q_value,
    CAST(place AS DOUBLE) AS data_rank,
    CAST(place AS BIGINT) AS priority_rank
FROM tested
INNER JOIN landmark ON landmark.landmark = tested.landmark
ORDER BY tested.landmark, tested.journey
