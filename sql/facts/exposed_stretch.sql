-- One row: a spell in a stretch of whole days on which it was eligible for a journey and exposed to it.
-- From: journey_state, eligible_spell_stretch. Key: journey, customer_id, joined_at, from_day.
-- Of states that follow each other without a gap, the first says until when the customer is exposed. left_by as in
-- eligible_spell_stretch, where the stretch's last day is the spell's last.
SELECT
    eligible.journey,
    eligible.customer_id,
    eligible.joined_at,
    eligible.segment,
    eligible.tenure_band,
    greatest(eligible.from_day, exposure.from_day) AS from_day,
    least(eligible.until_day, exposure.exposed_until) AS until_day,
    CASE WHEN exposure.exposed_until >= eligible.until_day THEN eligible.left_by END AS left_by
FROM journey_state AS exposure
INNER JOIN eligible_spell_stretch AS eligible
    ON eligible.customer_id = exposure.customer_id
    AND eligible.journey = exposure.journey
    AND eligible.from_day < exposure.exposed_until
    AND eligible.until_day > exposure.from_day
WHERE exposure.exposed_until IS NOT NULL
