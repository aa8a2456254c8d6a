-- One row: a customer in a stretch of whole days [from_day, until_day) in one state of exposure to a journey (SEMANTICS
-- 5). From: known_journey_touchpoint, dim_journey. Key: customer_id, journey, from_day.
-- On day t the latest member known before t decides, if it was known in [t - $exposure_horizon, t): how long ago that
-- was, and how its instance goes. Days without a row are unexposed.
--
-- Of the members known on one day only the last decides on later days, so one row a member is enough until the day of
-- the next; no row a day is ever made.
WITH contact AS (
    SELECT
        journey_id,
        known_at,
        lag(known_at) OVER (PARTITION BY journey_id, topic ORDER BY step) AS previous_known_at
    FROM known_journey_touchpoint
    WHERE channel IN ('phone', 'chat', 'field', 'store') AND topic IS NOT NULL
),

-- Since when an instance has a repeat contact (SEMANTICS 3) or something unresolved.
trouble AS (
    SELECT
        journey_id,
        min(known_at) AS trouble_at
    FROM (
        SELECT journey_id, known_at
        FROM contact
        WHERE known_at <= previous_known_at + INTERVAL '7 days'

        UNION ALL

        SELECT journey_id, known_at
        FROM known_journey_touchpoint
        WHERE NOT resolved
    ) AS troubled
    GROUP BY journey_id
),

member AS (
    SELECT
        customer_id,
        journey,
        journey_id,
        started_at,
        known_at,
        -- Only the member that closed an instance is at the instant of its end: no member comes after it.
        CASE WHEN status IN ('completed', 'abandoned') AND known_at = ended_at THEN status END AS closed_as,
        date_trunc('day', known_at) AS known_day,
        lead(date_trunc('day', known_at)) OVER (
            PARTITION BY customer_id, journey ORDER BY known_at, occurred_at, touchpoint_id
        ) AS next_day
    FROM known_journey_touchpoint
),

-- The last member of each day, with the first day on which its instance has expired if it was open.
latest AS (
    SELECT
        member.customer_id,
        member.journey,
        member.known_at,
        member.known_day,
        member.next_day,
        CASE
            WHEN trouble.trouble_at <= member.known_at OR member.closed_as = 'abandoned' THEN 'other'
            WHEN member.closed_as = 'completed' THEN 'good'
            ELSE 'under_way'
        END AS run,
        date_trunc('day', arrow_cast(
            least(
                CAST(member.started_at AS BIGINT) + CAST(dim_journey.within_s * 1e6 AS BIGINT),
                CAST(member.known_at AS BIGINT) + CAST(dim_journey.idle_s * 1e6 AS BIGINT)
            ),
            'Timestamp(Microsecond, Some("UTC"))'
        )) + INTERVAL '1 day' AS expired_day
    FROM trouble
    RIGHT JOIN member ON member.journey_id = trouble.journey_id
    INNER JOIN dim_journey ON dim_journey.journey = member.journey
    WHERE member.next_day IS NULL OR member.next_day > member.known_day
),

-- Days since the latest member, in bands that are cut at the horizon.
band AS (
    SELECT
        CAST(since AS VARCHAR) || '-' || CASE
            WHEN horizon > until THEN CAST(until AS VARCHAR)
            WHEN horizon = floor(horizon) THEN CAST(CAST(horizon AS BIGINT) AS VARCHAR)
            ELSE CAST(horizon AS VARCHAR)
        END AS since_touchpoint,
        since_known,
        CASE WHEN horizon > until THEN until_known ELSE $exposure_horizon END AS until_known
    FROM (
        VALUES
            (0, 7, INTERVAL '0 days', INTERVAL '7 days'),
            (7, 30, INTERVAL '7 days', INTERVAL '30 days'),
            (30, NULL, INTERVAL '30 days', NULL)
    ) AS edge (since, until, since_known, until_known)
    CROSS JOIN (SELECT date_part('epoch', $exposure_horizon) / 86400 AS horizon) AS whole
    WHERE since < horizon
),

stretch AS (
    SELECT
        latest.customer_id,
        latest.journey,
        band.since_touchpoint,
        latest.run,
        latest.expired_day,
        date_trunc('day', latest.known_at + band.since_known) + INTERVAL '1 day' AS from_day,
        least(
            date_trunc('day', latest.known_at + band.until_known),
            latest.next_day
        ) + INTERVAL '1 day' AS until_day
    FROM latest
    CROSS JOIN band
),

-- An instance that is under way is another matter from the day on which it has expired.
run AS (
    SELECT
        customer_id,
        journey,
        since_touchpoint,
        phase.run,
        CASE WHEN phase.is_expired THEN greatest(from_day, expired_day) ELSE from_day END AS from_day,
        CASE WHEN phase.run = 'under_way' THEN least(until_day, expired_day) ELSE until_day END AS until_day
    FROM stretch
    INNER JOIN (
        VALUES ('good', 'good', FALSE), ('other', 'other', FALSE), ('under_way', 'under_way', FALSE),
            ('under_way', 'other', TRUE)
    ) AS phase (begun_as, run, is_expired) ON phase.begun_as = stretch.run
    WHERE NOT phase.is_expired OR stretch.expired_day IS NOT NULL
)

SELECT
    customer_id,
    journey,
    from_day,
    until_day,
    since_touchpoint,
    run
FROM run
WHERE from_day < until_day
