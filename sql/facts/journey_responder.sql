-- One row: a spell exposed to a journey at a landmark whose customer had answered about the journey by then, with the
-- mean scores given and what became of the spell. From: eligible_at_landmark, score_at_landmark, spell_at_landmark.
-- Key: landmark, journey, customer_id, joined_at.
WITH score AS (
    SELECT
        landmark,
        journey,
        customer_id,
        CAST(coalesce(sum(responses) FILTER (WHERE kind = 'journey'), 0) AS BIGINT) AS journey_responses,
        max(satisfaction) FILTER (WHERE kind = 'journey') AS journey_satisfaction,
        CAST(coalesce(sum(responses) FILTER (WHERE kind = 'touchpoint'), 0) AS BIGINT) AS touchpoint_responses,
        -- A decimal sum, so the order of the rows does not matter.
        CAST(sum(CAST(satisfaction * responses AS DECIMAL(38, 18))) FILTER (WHERE kind = 'touchpoint') AS DOUBLE)
            / sum(responses) FILTER (WHERE kind = 'touchpoint') AS touchpoint_satisfaction
    FROM score_at_landmark
    GROUP BY landmark, journey, customer_id
)

SELECT
    eligible.landmark,
    eligible.journey,
    eligible.customer_id,
    eligible.joined_at,
    eligible.segment,
    eligible.tenure_band,
    spell.churned,
    spell.censored,
    spell.followed_days,
    score.journey_responses,
    score.journey_satisfaction,
    score.touchpoint_responses,
    score.touchpoint_satisfaction
FROM score
INNER JOIN eligible_at_landmark AS eligible
    ON eligible.landmark = score.landmark
    AND eligible.journey = score.journey
    AND eligible.customer_id = score.customer_id
INNER JOIN spell_at_landmark AS spell
    ON spell.landmark = eligible.landmark
    AND spell.customer_id = eligible.customer_id
    AND spell.joined_at = eligible.joined_at
WHERE eligible.is_exposed
