-- One row: a spell in a stretch of whole days on which it could have been on a journey. Until `eligible: ` cuts days.
WITH cut AS (
    SELECT
        journey_definitions.journey,
        membership_stretch.* EXCLUDE (from_day, until_day),
        CASE WHEN journey = 'contract_renewal'
            THEN greatest(from_day, date_trunc('day', joined_at + INTERVAL '366 days' - INTERVAL '1 microsecond'))
            ELSE from_day
        END AS from_day,
        CASE WHEN journey = 'onboarding'
            THEN least(until_day, date_trunc('day', joined_at + INTERVAL '211 days' - INTERVAL '1 microsecond'))
            ELSE until_day
        END AS until_day
    FROM membership_stretch
    CROSS JOIN journey_definitions
)

SELECT * FROM cut WHERE from_day < until_day
