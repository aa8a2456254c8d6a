-- One row: how many instances of a journey started in a landmark's exposure window, in a segment ('all' for the total).
-- From: journey_exposure, dim_customer (segment at the first of the customer's starts). Key: landmark, journey,
-- segment. Every customer counts, also who left before the landmark or could not have been on the journey by
-- `eligible`.
WITH started AS (
    SELECT
        journey_exposure.landmark,
        journey_exposure.journey,
        journey_exposure.customer_id,
        journey_exposure.instances,
        coalesce(spell.segment, 'unknown') AS segment
    FROM journey_exposure
    LEFT JOIN dim_customer AS spell
        ON spell.customer_id = journey_exposure.customer_id
        AND (spell.valid_from IS NULL OR journey_exposure.first_started_at >= spell.valid_from)
        AND (spell.valid_until IS NULL OR journey_exposure.first_started_at < spell.valid_until)
    WHERE journey_exposure.exposure = 'exposed'
)

SELECT
    landmark,
    journey,
    coalesce(segment, 'all') AS segment,
    sum(instances) AS instances,
    count(*) AS customers
FROM started
GROUP BY GROUPING SETS ((landmark, journey, segment), (landmark, journey))
