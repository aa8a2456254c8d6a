-- One row: a membership spell that could have been on a journey on the day of a landmark, and whether it was exposed to
-- it then (SEMANTICS 5).
-- From: landmark, eligible_stretch, journey_state. Key: journey, landmark, customer_id, joined_at.
-- Attributes are those of then, so a spell whose attributes were not known yet is in segment 'unknown'.
WITH exposed AS (
    SELECT landmark.landmark, state.journey, state.customer_id
    FROM journey_state AS state
    INNER JOIN landmark
        ON landmark.landmark >= state.from_day
        AND landmark.landmark < state.until_day
),

eligible AS (
    SELECT
        stretch.journey,
        landmark.landmark,
        stretch.customer_id,
        stretch.joined_at,
        stretch.segment,
        stretch.tenure_band
    FROM eligible_stretch AS stretch
    INNER JOIN landmark
        ON landmark.landmark >= stretch.from_day
        AND landmark.landmark < stretch.until_day
)

-- The join holds its first relation in memory and lets the second stream by.
SELECT
    eligible.journey,
    eligible.landmark,
    eligible.customer_id,
    eligible.joined_at,
    eligible.segment,
    eligible.tenure_band,
    exposed.customer_id IS NOT NULL AS is_exposed
FROM exposed
RIGHT JOIN eligible
    ON eligible.landmark = exposed.landmark
    AND eligible.journey = exposed.journey
    AND eligible.customer_id = exposed.customer_id
