-- One row: the cells of a stratum (segment × tenure band) of a journey at a landmark (SEMANTICS 5).
-- From: key_journey_customer. Key: landmark, journey, segment, tenure_band.
-- a, b = exposed churned, stayed; c, d = unexposed churned, stayed; null until the landmark has matured.
-- eligible = exposed + unexposed + carried_over + censored.
SELECT
    landmark,
    journey,
    segment,
    tenure_band,
    count(*) AS eligible,
    count(*) FILTER (WHERE exposure = 'exposed' AND is_counted) AS exposed,
    count(*) FILTER (WHERE exposure = 'unexposed' AND is_counted) AS unexposed,
    count(*) FILTER (WHERE exposure = 'carried_over') AS carried_over,
    CASE WHEN count(churned) > 0 THEN count(*) FILTER (WHERE exposure <> 'carried_over' AND censored) END AS censored,
    CASE WHEN count(churned) > 0 THEN count(*) FILTER (WHERE exposure = 'exposed' AND is_counted AND churned) END AS a,
    CASE WHEN count(churned) > 0 THEN count(*) FILTER (WHERE exposure = 'exposed' AND is_counted AND NOT churned) END
        AS b,
    CASE WHEN count(churned) > 0 THEN count(*) FILTER (WHERE exposure = 'unexposed' AND is_counted AND churned) END
        AS c,
    CASE WHEN count(churned) > 0 THEN count(*) FILTER (WHERE exposure = 'unexposed' AND is_counted AND NOT churned) END
        AS d,
    -- Of a and c, who left in the first seven days: a cancellation step inside the journey shows here.
    CASE WHEN count(churned) > 0 THEN count(*) FILTER (WHERE exposure = 'exposed' AND is_counted AND churned_early) END
        AS a_first_7_days,
    CASE WHEN count(churned) > 0 THEN count(*) FILTER (WHERE exposure = 'unexposed' AND is_counted AND churned_early)
    END AS c_first_7_days,
    CAST(coalesce(sum(revenue) FILTER (WHERE exposure = 'exposed' AND is_counted), 0) AS DOUBLE) AS exposed_revenue
FROM key_journey_customer
GROUP BY landmark, journey, segment, tenure_band
ORDER BY landmark, journey, segment, tenure_band
