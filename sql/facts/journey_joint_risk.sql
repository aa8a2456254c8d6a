-- One row: person-days, and spells that left, of a stratum (segment, tenure band and month) in one state of all journeys
-- at once (SEMANTICS 5).
-- From: membership_stretch, eligible_stretch, exposed_stretch, customer_version. Key: segment, tenure_band, month,
-- exposed, not_eligible.
-- exposed and not_eligible name journeys in order, separated by commas; a journey in neither list is unexposed.
WITH
-- Stretches of membership are cut wherever the state of a journey changes.
boundary AS (
    SELECT customer_id, joined_at, from_day AS day FROM membership_stretch
    UNION
    SELECT customer_id, joined_at, until_day AS day FROM membership_stretch
    UNION
    SELECT customer_id, joined_at, from_day AS day FROM eligible_stretch
    UNION
    SELECT customer_id, joined_at, until_day AS day FROM eligible_stretch
    UNION
    SELECT customer_id, joined_at, from_day AS day FROM exposed_stretch
    UNION
    SELECT customer_id, joined_at, until_day AS day FROM exposed_stretch
),

stretch AS (
    SELECT
        customer_id,
        joined_at,
        day AS from_day,
        lead(day) OVER (PARTITION BY customer_id, joined_at ORDER BY day) AS until_day
    FROM boundary
),

exposed AS (
    SELECT
        stretch.customer_id,
        stretch.joined_at,
        stretch.from_day,
        string_agg(exposed_stretch.journey, ',' ORDER BY exposed_stretch.journey) AS journeys
    FROM stretch
    INNER JOIN exposed_stretch
        ON exposed_stretch.customer_id = stretch.customer_id
        AND exposed_stretch.joined_at = stretch.joined_at
        AND exposed_stretch.from_day <= stretch.from_day
        AND exposed_stretch.until_day > stretch.from_day
    GROUP BY stretch.customer_id, stretch.joined_at, stretch.from_day
),

not_eligible AS (
    SELECT
        candidate.customer_id,
        candidate.joined_at,
        candidate.from_day,
        string_agg(candidate.journey, ',' ORDER BY candidate.journey) AS journeys
    FROM (
        SELECT stretch.customer_id, stretch.joined_at, stretch.from_day, journey_definitions.journey
        FROM stretch
        CROSS JOIN journey_definitions
    ) AS candidate
    LEFT JOIN eligible_stretch
        ON eligible_stretch.customer_id = candidate.customer_id
        AND eligible_stretch.joined_at = candidate.joined_at
        AND eligible_stretch.journey = candidate.journey
        AND eligible_stretch.from_day <= candidate.from_day
        AND eligible_stretch.until_day > candidate.from_day
    WHERE eligible_stretch.journey IS NULL
    GROUP BY candidate.customer_id, candidate.joined_at, candidate.from_day
),

leaving AS (
    SELECT DISTINCT
        customer_id,
        joined_at,
        date_trunc('day', left_at) + INTERVAL '1 day' AS left_until
    FROM customer_version
    WHERE left_by IN ('notice', 'churn')
),

state AS (
    SELECT
        membership.segment,
        membership.tenure_band,
        coalesce(exposed.journeys, '') AS exposed,
        coalesce(not_eligible.journeys, '') AS not_eligible,
        stretch.from_day,
        stretch.until_day,
        leaving.customer_id IS NOT NULL AS leaves
    FROM stretch
    INNER JOIN membership_stretch AS membership
        ON membership.customer_id = stretch.customer_id
        AND membership.joined_at = stretch.joined_at
        AND membership.from_day <= stretch.from_day
        AND membership.until_day > stretch.from_day
    LEFT JOIN exposed
        ON exposed.customer_id = stretch.customer_id
        AND exposed.joined_at = stretch.joined_at
        AND exposed.from_day = stretch.from_day
    LEFT JOIN not_eligible
        ON not_eligible.customer_id = stretch.customer_id
        AND not_eligible.joined_at = stretch.joined_at
        AND not_eligible.from_day = stretch.from_day
    LEFT JOIN leaving
        ON leaving.customer_id = stretch.customer_id
        AND leaving.joined_at = stretch.joined_at
        AND leaving.left_until = stretch.until_day
),

monthly AS (
    SELECT
        segment,
        tenure_band,
        exposed,
        not_eligible,
        from_day,
        until_day,
        leaves,
        unnest(generate_series(
            CAST(date_part('year', from_day) * 12 + date_part('month', from_day) - 1 AS BIGINT),
            CAST(
                date_part('year', until_day - INTERVAL '1 day') * 12
                    + date_part('month', until_day - INTERVAL '1 day') - 1
                AS BIGINT
            )
        )) AS months
    FROM state
),

calendar AS (
    SELECT
        segment,
        tenure_band,
        exposed,
        not_eligible,
        from_day,
        until_day,
        leaves,
        arrow_cast(make_date(months / 12, months % 12 + 1, 1), 'Timestamp(Microsecond, Some("UTC"))') AS month,
        arrow_cast(
            make_date((months + 1) / 12, (months + 1) % 12 + 1, 1), 'Timestamp(Microsecond, Some("UTC"))'
        ) AS next_month
    FROM monthly
)

SELECT
    segment,
    tenure_band,
    month,
    exposed,
    not_eligible,
    sum((CAST(least(until_day, next_month) AS BIGINT) - CAST(greatest(from_day, month) AS BIGINT)) / 86400000000)
        AS person_days,
    count(*) FILTER (WHERE leaves AND until_day <= next_month) AS churned
FROM calendar
GROUP BY segment, tenure_band, month, exposed, not_eligible
ORDER BY segment, tenure_band, month, exposed, not_eligible
