-- One row: the Kaplan–Meier difference (exposed less unexposed, share who stay) of a journey at a landmark in a
-- segment, where more than 5 % were lost from sight in the outcome window, so that plain rates would mislead (SEMANTICS
-- 5).
-- From: fct_key_journeys_stratum, key_journey_customer. Key: landmark, journey, segment.
WITH stratum AS (
    SELECT landmark, journey, segment, exposed, unexposed, censored
    FROM fct_key_journeys_stratum
    UNION ALL
    SELECT landmark, journey, 'all' AS segment, exposed, unexposed, censored
    FROM fct_key_journeys_stratum
),

lossy AS (
    SELECT landmark, journey, segment
    FROM stratum
    GROUP BY landmark, journey, segment
    HAVING sum(censored) > 0.05 * sum(exposed + unexposed + censored)
),

followed AS (
    SELECT
        lossy.landmark,
        lossy.journey,
        lossy.segment,
        kaplan_meier_difference(
            customer.followed_s,
            customer.churned,
            customer.exposure = 'exposed',
            date_part('epoch', $churn_horizon),
            $confidence
        ) AS estimate
    FROM key_journey_customer AS customer
    INNER JOIN lossy
        ON lossy.landmark = customer.landmark
        AND lossy.journey = customer.journey
        AND (lossy.segment = 'all' OR lossy.segment = customer.segment)
    WHERE customer.exposure <> 'carried_over'
    GROUP BY lossy.landmark, lossy.journey, lossy.segment
)

SELECT
    landmark,
    journey,
    segment,
    estimate['difference'] AS survival_difference,
    estimate['lower'] AS survival_difference_lower,
    estimate['upper'] AS survival_difference_upper,
    estimate['p_value'] AS log_rank_p_value
FROM followed
