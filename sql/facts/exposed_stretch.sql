-- One row: a spell in a stretch of whole days on which it was eligible for a journey and exposed to it.
-- From: eligible_spell_stretch, journey_state. Key: journey, customer_id, joined_at, from_day.
-- left_by as in eligible_spell_stretch, where the stretch's last day is the spell's last.
WITH edge AS (
    SELECT
        customer_id,
        journey,
        from_day,
        until_day,
        coalesce(lag(until_day) OVER in_turn < from_day, TRUE) AS is_first,
        coalesce(lead(from_day) OVER in_turn > until_day, TRUE) AS is_last
    FROM journey_state
    WINDOW in_turn AS (PARTITION BY customer_id, journey ORDER BY from_day)
),

-- States that follow each other without a gap are one stretch of exposure: of each, the first and the last stay.
exposure AS (
    SELECT
        customer_id,
        journey,
        from_day,
        is_first,
        CASE WHEN is_last THEN until_day
            ELSE lead(until_day) OVER (PARTITION BY customer_id, journey ORDER BY from_day)
        END AS until_day
    FROM edge
    WHERE is_first OR is_last
)

SELECT
    eligible.journey,
    eligible.customer_id,
    eligible.joined_at,
    eligible.segment,
    eligible.tenure_band,
    greatest(eligible.from_day, exposure.from_day) AS from_day,
    least(eligible.until_day, exposure.until_day) AS until_day,
    CASE WHEN exposure.until_day >= eligible.until_day THEN eligible.left_by END AS left_by
FROM exposure
INNER JOIN eligible_spell_stretch AS eligible
    ON eligible.customer_id = exposure.customer_id
    AND eligible.journey = exposure.journey
    AND eligible.from_day < exposure.until_day
    AND eligible.until_day > exposure.from_day
WHERE exposure.is_first
