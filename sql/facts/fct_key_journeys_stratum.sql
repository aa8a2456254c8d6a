-- One row: the cells of a stratum (segment × tenure band) of a journey at a landmark (SEMANTICS 5).
-- From: key_journey_customer. Key: landmark, journey, segment, tenure_band.
-- a, b = exposed churned, stayed; c, d = unexposed churned, stayed; null until the landmark has matured.
-- eligible = exposed + unexposed + carried_over + censored.
WITH cell AS (
    SELECT
        landmark,
        journey,
        segment,
        tenure_band,
        count(churned) > 0 AS is_matured,
        count(*) AS eligible,
        count(*) FILTER (WHERE exposure = 'exposed' AND is_counted) AS exposed,
        count(*) FILTER (WHERE exposure = 'unexposed' AND is_counted) AS unexposed,
        count(*) FILTER (WHERE exposure = 'carried_over') AS carried_over,
        count(*) FILTER (WHERE exposure <> 'carried_over' AND censored) AS censored,
        count(*) FILTER (WHERE exposure = 'exposed' AND is_counted AND churned) AS a,
        count(*) FILTER (WHERE exposure = 'exposed' AND is_counted AND NOT churned) AS b,
        count(*) FILTER (WHERE exposure = 'unexposed' AND is_counted AND churned) AS c,
        count(*) FILTER (WHERE exposure = 'unexposed' AND is_counted AND NOT churned) AS d,
        -- Of a and c, who left in the first seven days: a cancellation step inside the journey shows here.
        count(*) FILTER (WHERE exposure = 'exposed' AND is_counted AND churned_early) AS a_first_7_days,
        count(*) FILTER (WHERE exposure = 'unexposed' AND is_counted AND churned_early) AS c_first_7_days,
        -- A decimal sum, so the order of the rows does not matter.
        sum(CAST(revenue AS DECIMAL(38, 18))) FILTER (WHERE exposure = 'exposed' AND is_counted) AS exposed_revenue
    FROM key_journey_customer
    GROUP BY landmark, journey, segment, tenure_band
)

SELECT
    landmark,
    journey,
    segment,
    tenure_band,
    eligible,
    exposed,
    unexposed,
    carried_over,
    CASE WHEN is_matured THEN censored END AS censored,
    CASE WHEN is_matured THEN a END AS a,
    CASE WHEN is_matured THEN b END AS b,
    CASE WHEN is_matured THEN c END AS c,
    CASE WHEN is_matured THEN d END AS d,
    CASE WHEN is_matured THEN a_first_7_days END AS a_first_7_days,
    CASE WHEN is_matured THEN c_first_7_days END AS c_first_7_days,
    CAST(coalesce(exposed_revenue, 0) AS DOUBLE) AS exposed_revenue
FROM cell
ORDER BY landmark, journey, segment, tenure_band
