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
),

-- The joins hold their first relation in memory and let the second stream by: a row a spell, not one a journey.
spell AS (
    SELECT
        outcome.landmark,
        outcome.customer_id,
        outcome.joined_at,
        outcome.churned,
        outcome.churned_early,
        outcome.censored,
        outcome.followed_s,
        revenue.revenue
    FROM revenue
    RIGHT JOIN outcome_at_landmark AS outcome
        ON outcome.landmark = revenue.landmark
        AND outcome.customer_id = revenue.customer_id
),

candidate AS (
    SELECT
        population.journey,
        population.landmark,
        population.customer_id,
        population.joined_at,
        population.segment,
        population.tenure_band,
        spell.churned,
        spell.churned_early,
        spell.censored,
        spell.followed_s,
        spell.revenue
    FROM spell
    INNER JOIN key_journey_population AS population
        ON population.landmark = spell.landmark
        AND population.customer_id = spell.customer_id
        AND population.joined_at = spell.joined_at
)

SELECT
    candidate.journey,
    candidate.landmark,
    candidate.customer_id,
    candidate.joined_at,
    candidate.segment,
    candidate.tenure_band,
    coalesce(journey_exposure.exposure, 'unexposed') AS exposure,
    candidate.churned,
    candidate.churned_early,
    candidate.censored,
    candidate.followed_s,
    -- Who counts in the cells: followed to the end of the window, or the window is not over for anyone.
    coalesce(journey_exposure.exposure, 'unexposed') <> 'carried_over' AND NOT coalesce(candidate.censored, FALSE)
        AS is_counted,
    CAST(coalesce(candidate.revenue, 0) AS DOUBLE) AS revenue
FROM journey_exposure
RIGHT JOIN candidate
    ON candidate.landmark = journey_exposure.landmark
    AND candidate.journey = journey_exposure.journey
    AND candidate.customer_id = journey_exposure.customer_id
