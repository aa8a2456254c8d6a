-- One row: the cells of a stratum (segment × tenure band) of a journey at a landmark (SEMANTICS 5).
-- From: spell, touched. Key: landmark, journey, segment, tenure_band.
-- a, b = exposed churned, stayed; c, d = unexposed churned, stayed. Everybody is eligible for every journey, so the
-- unexposed are counted as everybody less the exposed and the carried over: no row is made for a customer and a journey
-- he was not on.
WITH population AS (
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
