-- One row: a spell in a stretch of whole days on which it was eligible for a journey and exposed to it in one state.
-- From: eligible_spell_stretch, journey_state. Key: journey, customer_id, joined_at, from_day.
SELECT
    eligible.journey,
    eligible.customer_id,
    eligible.joined_at,
    eligible.segment,
    eligible.tenure_band,
    state.since_touchpoint,
    state.run,
    greatest(eligible.from_day, state.from_day) AS from_day,
    least(eligible.until_day, state.until_day) AS until_day,
    CASE WHEN state.until_day >= eligible.until_day THEN eligible.left_by END AS left_by
FROM eligible_spell_stretch AS eligible
INNER JOIN journey_state AS state
    ON state.customer_id = eligible.customer_id
    AND state.journey = eligible.journey
    AND state.from_day < eligible.until_day
    AND state.until_day > eligible.from_day
