-- One row: a journey at a landmark in a segment, and how many of those on it (a of a + b) and of those not on it
-- (c of c + d) left. From: landmark, customers, dim_journey, fct_journey. Key: landmark, journey, segment, tenure_band.
WITH active AS (
    SELECT
        landmark.landmark,
        landmark.is_matured,
        landmark.exposure_from,
        customers.customer_id,
        customers.segment,
        dim_journey.journey,
        coalesce(customers.churned_at < landmark.outcome_until, FALSE) AS churned
    FROM landmark
    INNER JOIN customers
        ON customers.joined_at < landmark.landmark
        AND (customers.churned_at IS NULL OR customers.churned_at >= landmark.landmark)
    CROSS JOIN dim_journey
    -- As the definition of `connecting` says under `eligible`.
    WHERE dim_journey.journey <> 'connecting' OR customers.joined_at >= landmark.landmark - INTERVAL '180 days'
),

journey_in_window AS (
    SELECT
        active.landmark,
        active.is_matured,
        active.journey,
        active.segment,
        active.customer_id,
        active.churned,
        count(fct_journey.journey_id) FILTER (WHERE fct_journey.started_at >= active.exposure_from) AS starts,
        count(fct_journey.journey_id) AS touched
    FROM active
    LEFT JOIN fct_journey
        ON fct_journey.customer_id = active.customer_id
        AND fct_journey.journey = active.journey
        AND fct_journey.started_at < active.landmark
        AND fct_journey.last_at >= active.exposure_from
    GROUP BY active.landmark, active.is_matured, active.journey, active.segment, active.customer_id, active.churned
)

SELECT
    landmark,
    journey,
    segment,
    'all' AS tenure_band,
    is_matured,
    sum(starts) AS instances,
    count(*) FILTER (WHERE starts > 0) AS exposed,
    count(*) FILTER (WHERE touched = 0) AS unexposed,
    count(*) FILTER (WHERE starts = 0 AND touched > 0) AS carried_over,
    count(*) FILTER (WHERE starts > 0 AND churned) AS a,
    count(*) FILTER (WHERE starts > 0 AND NOT churned) AS b,
    count(*) FILTER (WHERE touched = 0 AND churned) AS c,
    count(*) FILTER (WHERE touched = 0 AND NOT churned) AS d
FROM journey_in_window
GROUP BY landmark, journey, segment, is_matured
ORDER BY landmark, journey, segment
