-- One row: a spell active at a landmark and eligible for a journey, with exposure and outcome (SEMANTICS 5).
-- From: key_journey_population, journey_exposure, outcome_at_landmark, billing.
-- Key: journey, landmark, customer_id, joined_at.
WITH revenue AS (
    SELECT
        landmark.landmark,
        billing.customer_id,
        sum(CAST(billing.amount AS DECIMAL(38, 18))) AS revenue
    FROM billing
    INNER JOIN landmark
        ON billing.billed_at >= landmark.exposure_from
        AND billing.billed_at < landmark.landmark
    GROUP BY landmark.landmark, billing.customer_id
)

SELECT
    population.journey,
    population.landmark,
    population.customer_id,
    population.joined_at,
    population.segment,
    population.tenure_band,
    coalesce(journey_exposure.exposure, 'unexposed') AS exposure,
    outcome.churned,
    outcome.churned_early,
    outcome.censored,
    outcome.followed_s,
    -- Who counts in the cells: followed to the end of the window, or the window is not over for anyone.
    coalesce(journey_exposure.exposure, 'unexposed') <> 'carried_over' AND NOT coalesce(outcome.censored, FALSE)
        AS is_counted,
    CAST(coalesce(revenue.revenue, 0) AS DOUBLE) AS revenue
FROM key_journey_population AS population
INNER JOIN outcome_at_landmark AS outcome
    ON outcome.landmark = population.landmark
    AND outcome.customer_id = population.customer_id
    AND outcome.joined_at = population.joined_at
LEFT JOIN journey_exposure
    ON journey_exposure.landmark = population.landmark
    AND journey_exposure.journey = population.journey
    AND journey_exposure.customer_id = population.customer_id
LEFT JOIN revenue
    ON revenue.landmark = population.landmark
    AND revenue.customer_id = population.customer_id
