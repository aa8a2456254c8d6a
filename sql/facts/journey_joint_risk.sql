-- One row: person-days, and spells that left, of a stratum (segment, tenure band and month) in one state of all journeys
-- at once (SEMANTICS 5).
-- From: membership_stretch, eligible_stretch, exposed_stretch, dim_journey, customer_version, counted_month. Key:
-- segment, tenure_band, month, exposed, not_eligible.
-- exposed and not_eligible name journeys in order, separated by commas; a journey in neither list is unexposed. A run
-- rebuilds whole months, from $interval_start on.
WITH membership AS (
    SELECT
        customer_id,
        joined_at,
        segment,
        tenure_band,
        greatest(from_day, $interval_start) AS from_day,
        until_day
    FROM membership_stretch
    WHERE until_day > $interval_start
),

-- Only of a journey with limits is anybody not eligible.
candidate AS (
    SELECT
        journey.journey,
        membership.customer_id,
        membership.joined_at,
        membership.from_day,
        membership.until_day,
        eligible.from_day AS eligible_from,
        eligible.until_day AS eligible_until
    FROM (
        SELECT journey
        FROM dim_journey
        WHERE coalesce(eligible, eligible_from, eligible_until) IS NOT NULL
    ) AS journey
    CROSS JOIN membership
    LEFT JOIN eligible_stretch AS eligible
        ON eligible.customer_id = membership.customer_id
        AND eligible.joined_at = membership.joined_at
        AND eligible.journey = journey.journey
        AND eligible.from_day < membership.until_day
        AND eligible.until_day > membership.from_day
),

state AS (
    SELECT
        customer_id,
        joined_at,
        journey,
        TRUE AS is_exposed,
        greatest(from_day, $interval_start) AS from_day,
        until_day
    FROM exposed_stretch
    WHERE until_day > $interval_start

    UNION ALL

    SELECT customer_id, joined_at, journey, FALSE, from_day, coalesce(eligible_from, until_day)
    FROM candidate
    WHERE eligible_from IS NULL OR eligible_from > from_day

    UNION ALL

    SELECT customer_id, joined_at, journey, FALSE, eligible_until, until_day
    FROM candidate
    WHERE eligible_until < until_day
),

-- Memberships are cut wherever the state of a journey changes.
boundary AS (
    SELECT customer_id, joined_at, from_day AS day FROM membership
    UNION
    SELECT customer_id, joined_at, until_day AS day FROM membership
    UNION
    SELECT customer_id, joined_at, from_day AS day FROM state
    UNION
    SELECT customer_id, joined_at, until_day AS day FROM state
),

cut AS (
    SELECT
        customer_id,
        joined_at,
        day AS from_day,
        lead(day) OVER (PARTITION BY customer_id, joined_at ORDER BY day) AS until_day
    FROM boundary
),

stretch AS (
    SELECT
        cut.customer_id,
        cut.joined_at,
        membership.segment,
        membership.tenure_band,
        cut.from_day,
        cut.until_day
    FROM membership
    INNER JOIN cut
        ON cut.customer_id = membership.customer_id
        AND cut.joined_at = membership.joined_at
        AND cut.from_day >= membership.from_day
        AND cut.from_day < membership.until_day
),

-- Which journeys is kept as bits of two numbers, which cost little to sum over all memberships.
numbered AS (
    SELECT
        journey,
        CASE WHEN place <= 62 THEN CAST(1 AS BIGINT) << (place - 1) ELSE 0 END AS low,
        CASE
            WHEN place <= 62 THEN 0
            WHEN place <= 124 THEN CAST(1 AS BIGINT) << (place - 63)
            ELSE CAST('journey_joint_risk takes 124 journeys, and this is one more: ' || journey AS BIGINT)
        END AS high
    FROM (
        SELECT journey, CAST(row_number() OVER (ORDER BY journey) AS BIGINT) AS place
        FROM dim_journey
    ) AS placed
),

bits AS (
    SELECT
        stretch.customer_id,
        stretch.joined_at,
        stretch.segment,
        stretch.tenure_band,
        stretch.from_day,
        stretch.until_day,
        coalesce(sum(numbered.low) FILTER (WHERE state.is_exposed), 0) AS exposed_low,
        coalesce(sum(numbered.high) FILTER (WHERE state.is_exposed), 0) AS exposed_high,
        coalesce(sum(numbered.low) FILTER (WHERE NOT state.is_exposed), 0) AS not_eligible_low,
        coalesce(sum(numbered.high) FILTER (WHERE NOT state.is_exposed), 0) AS not_eligible_high
    FROM stretch
    LEFT JOIN state
        ON state.customer_id = stretch.customer_id
        AND state.joined_at = stretch.joined_at
        AND state.from_day <= stretch.from_day
        AND state.until_day > stretch.from_day
    LEFT JOIN numbered ON numbered.journey = state.journey
    GROUP BY
        stretch.customer_id,
        stretch.joined_at,
        stretch.segment,
        stretch.tenure_band,
        stretch.from_day,
        stretch.until_day
),

leaving AS (
    SELECT
        customer_id,
        joined_at,
        date_trunc('day', max(left_at)) + INTERVAL '1 day' AS left_until
    FROM customer_version
    WHERE left_by IN ('notice', 'churn')
    GROUP BY customer_id, joined_at
),

cell AS (
    SELECT
        bits.segment,
        bits.tenure_band,
        month.month,
        bits.exposed_low,
        bits.exposed_high,
        bits.not_eligible_low,
        bits.not_eligible_high,
        sum(
            CAST(least(bits.until_day, month.next_month) AS BIGINT)
                - CAST(greatest(bits.from_day, month.month) AS BIGINT)
        ) / 86400000000 AS person_days,
        count(leaving.customer_id) FILTER (WHERE bits.until_day <= month.next_month) AS churned
    FROM (
        SELECT month, next_month
        FROM counted_month
        WHERE month >= $interval_start
    ) AS month
    INNER JOIN (
        leaving
        RIGHT JOIN bits
            ON bits.customer_id = leaving.customer_id
            AND bits.joined_at = leaving.joined_at
            AND bits.until_day = leaving.left_until
    ) ON bits.from_day < month.next_month AND bits.until_day > month.month
    GROUP BY
        bits.segment,
        bits.tenure_band,
        month.month,
        bits.exposed_low,
        bits.exposed_high,
        bits.not_eligible_low,
        bits.not_eligible_high
)

SELECT
    cell.segment,
    cell.tenure_band,
    cell.month,
    coalesce(
        string_agg(numbered.journey, ',' ORDER BY numbered.journey)
            FILTER (WHERE cell.exposed_low & numbered.low <> 0 OR cell.exposed_high & numbered.high <> 0),
        ''
    ) AS exposed,
    coalesce(
        string_agg(numbered.journey, ',' ORDER BY numbered.journey)
            FILTER (WHERE cell.not_eligible_low & numbered.low <> 0 OR cell.not_eligible_high & numbered.high <> 0),
        ''
    ) AS not_eligible,
    cell.person_days,
    cell.churned
FROM numbered
CROSS JOIN cell
GROUP BY
    cell.segment,
    cell.tenure_band,
    cell.month,
    cell.exposed_low,
    cell.exposed_high,
    cell.not_eligible_low,
    cell.not_eligible_high,
    cell.person_days,
    cell.churned
