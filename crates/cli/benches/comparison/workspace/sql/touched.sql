-- One row: a stratum of a journey at a landmark with its exposed and its carried over (SEMANTICS 5).
-- From: landmark, fct_journey, spell. Key: landmark, journey, segment, tenure_band.
-- Carried over: an instance started before the window and has its last member in or after it. It then has a member in
-- the window, for `idle` is shorter than the window in every definition, so no gap leaps over it.
WITH exposure AS (
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
)

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
