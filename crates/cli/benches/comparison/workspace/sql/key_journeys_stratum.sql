-- One row: the cells of a stratum (segment × tenure band) of a journey at a landmark (SEMANTICS 5).
-- From: landmark, customers, fct_journey. Key: landmark, journey, segment, tenure_band.
-- a, b = exposed churned, stayed; c, d = unexposed churned, stayed. Everybody is eligible for every journey, so the
-- unexposed are counted as everybody less the exposed and the carried over: no row is made for a customer and a journey
-- he was not on. Carried over: an instance started before the window and has its last member in or after it. It then has
-- a member in the window, for `idle` is shorter than the window in every definition, so no gap leaps over it.
WITH spell AS (
    SELECT
        landmark.landmark,
        landmark.is_matured,
        customers.customer_id,
        coalesce(customers.segment, 'unknown') AS segment,
        CASE
            WHEN customers.joined_at > landmark.landmark - INTERVAL '30 days' THEN '[0, 30)'
            WHEN customers.joined_at > landmark.landmark - INTERVAL '90 days' THEN '[30, 90)'
            WHEN customers.joined_at > landmark.landmark - INTERVAL '365 days' THEN '[90, 365)'
            WHEN customers.joined_at > landmark.landmark - INTERVAL '1095 days' THEN '[365, 1095)'
            ELSE '[1095, inf)'
        END AS tenure_band,
        CASE
            WHEN landmark.is_matured AND customers.churned_at < landmark.outcome_until THEN 'churned'
            WHEN landmark.is_matured AND customers.lost_at < landmark.outcome_until THEN 'censored'
            ELSE 'stayed'
        END AS outcome
    FROM landmark
    INNER JOIN customers
        ON customers.joined_at < landmark.landmark
        AND (customers.churned_at IS NULL OR customers.churned_at >= landmark.landmark)
        AND (customers.lost_at IS NULL OR customers.lost_at >= landmark.landmark)
),

exposure AS (
    SELECT
        landmark.landmark,
        fct_journey.journey,
        fct_journey.customer_id,
        count(*) FILTER (WHERE fct_journey.started_at >= landmark.exposure_from) AS instances
    FROM landmark
    INNER JOIN fct_journey
        ON fct_journey.started_at < landmark.landmark
        AND fct_journey.last_at >= landmark.exposure_from
    GROUP BY landmark.landmark, fct_journey.journey, fct_journey.customer_id
),

population AS (
    SELECT
        landmark,
        is_matured,
        segment,
        tenure_band,
        count(*) FILTER (WHERE outcome = 'churned') AS churned,
        count(*) FILTER (WHERE outcome = 'stayed') AS stayed,
        count(*) FILTER (WHERE outcome = 'censored') AS censored
    FROM spell
    GROUP BY landmark, is_matured, segment, tenure_band
),

touched AS (
    SELECT
        exposure.landmark,
        exposure.journey,
        spell.segment,
        spell.tenure_band,
        sum(CASE WHEN spell.outcome <> 'censored' THEN exposure.instances ELSE 0 END) AS instances,
        count(*) FILTER (WHERE exposure.instances > 0 AND spell.outcome = 'churned') AS a,
        count(*) FILTER (WHERE exposure.instances > 0 AND spell.outcome = 'stayed') AS b,
        count(*) FILTER (WHERE exposure.instances = 0 AND spell.outcome = 'churned') AS carried_churned,
        count(*) FILTER (WHERE exposure.instances = 0 AND spell.outcome = 'stayed') AS carried_stayed,
        count(*) FILTER (WHERE exposure.instances = 0 AND spell.outcome = 'censored') AS carried_censored
    FROM spell
    INNER JOIN exposure ON exposure.landmark = spell.landmark AND exposure.customer_id = spell.customer_id
    GROUP BY exposure.landmark, exposure.journey, spell.segment, spell.tenure_band
),

journey AS (
    SELECT DISTINCT journey FROM touched
)

SELECT
    population.landmark,
    journey.journey,
    population.segment,
    population.tenure_band,
    population.is_matured,
    coalesce(touched.instances, 0) AS instances,
    coalesce(touched.a, 0) AS a,
    coalesce(touched.b, 0) AS b,
    population.churned - coalesce(touched.a + touched.carried_churned, 0) AS c,
    population.stayed - coalesce(touched.b + touched.carried_stayed, 0) AS d,
    coalesce(touched.carried_churned + touched.carried_stayed + touched.carried_censored, 0) AS carried_over,
    population.censored - coalesce(touched.carried_censored, 0) AS censored
FROM population
CROSS JOIN journey
LEFT JOIN touched
    ON touched.landmark = population.landmark
    AND touched.journey = journey.journey
    AND touched.segment = population.segment
    AND touched.tenure_band = population.tenure_band
