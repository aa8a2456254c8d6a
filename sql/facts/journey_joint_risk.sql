-- One row: person-days, and spells that left, of a stratum (segment, tenure band and month) in one state of all journeys
-- at once (SEMANTICS 5).
-- From: membership_stretch, eligible_stretch, exposed_stretch, dim_journey, counted_month. Key: segment, tenure_band,
-- month, exposed, not_eligible.
-- exposed and not_eligible name journeys in order, separated by commas; a journey in neither list is unexposed. A run
-- rebuilds whole months, from $interval_start on.

-- Which journeys is kept as bits of two numbers. Only of a journey with limits is anybody not eligible.
WITH journey AS (
    SELECT
        journey,
        coalesce(eligible, eligible_from, eligible_until) IS NOT NULL AS has_limits,
        CASE WHEN place <= 62 THEN CAST(1 AS BIGINT) << (place - 1) ELSE 0 END AS low,
        CASE
            WHEN place <= 62 THEN 0
            WHEN place <= 124 THEN CAST(1 AS BIGINT) << (place - 63)
            ELSE CAST('journey_joint_risk takes 124 journeys, and this is one more: ' || journey AS BIGINT)
        END AS high
    FROM (
        SELECT
            journey,
            eligible,
            eligible_from,
            eligible_until,
            CAST(row_number() OVER (ORDER BY journey) AS BIGINT) AS place
        FROM dim_journey
    ) AS placed
),

stratum AS (
    SELECT segment, tenure_band, CAST(row_number() OVER (ORDER BY segment, tenure_band) AS BIGINT) AS stratum
    FROM (SELECT DISTINCT segment, tenure_band FROM membership_stretch) AS found
),

membership AS (
    SELECT
        stretch.customer_id,
        stretch.joined_at,
        stratum.stratum,
        greatest(stretch.from_day, $interval_start) AS from_day,
        stretch.until_day,
        CASE WHEN stretch.left_by IN ('notice', 'churn') AND stretch.left_at < stretch.until_day THEN 1 ELSE 0 END
            AS leavers
    FROM stratum
    INNER JOIN membership_stretch AS stretch
        ON stretch.segment = stratum.segment
        AND stretch.tenure_band = stratum.tenure_band
    WHERE stretch.until_day > $interval_start
),

state AS (
    SELECT
        exposed.customer_id,
        exposed.joined_at,
        greatest(exposed.from_day, $interval_start) AS from_day,
        exposed.until_day,
        journey.low AS exposed_low,
        journey.high AS exposed_high,
        CAST(0 AS BIGINT) AS eligible_low,
        CAST(0 AS BIGINT) AS eligible_high
    FROM journey
    INNER JOIN exposed_stretch AS exposed ON exposed.journey = journey.journey
    WHERE exposed.until_day > $interval_start

    UNION ALL

    SELECT
        eligible.customer_id,
        eligible.joined_at,
        greatest(eligible.from_day, $interval_start) AS from_day,
        eligible.until_day,
        CAST(0 AS BIGINT) AS exposed_low,
        CAST(0 AS BIGINT) AS exposed_high,
        journey.low AS eligible_low,
        journey.high AS eligible_high
    FROM journey
    INNER JOIN eligible_stretch AS eligible ON eligible.journey = journey.journey
    WHERE journey.has_limits AND eligible.until_day > $interval_start
),

-- What begins on a day is added, what ended with the day before is taken away.
change AS (
    SELECT
        customer_id,
        joined_at,
        from_day AS day,
        stratum,
        0 AS leavers,
        0 AS exposed_low,
        0 AS exposed_high,
        0 AS eligible_low,
        0 AS eligible_high
    FROM membership

    UNION ALL

    SELECT
        customer_id,
        joined_at,
        until_day AS day,
        -stratum AS stratum,
        leavers,
        0 AS exposed_low,
        0 AS exposed_high,
        0 AS eligible_low,
        0 AS eligible_high
    FROM membership

    UNION ALL

    SELECT
        customer_id,
        joined_at,
        from_day AS day,
        0 AS stratum,
        0 AS leavers,
        exposed_low,
        exposed_high,
        eligible_low,
        eligible_high
    FROM state

    UNION ALL

    SELECT
        customer_id,
        joined_at,
        until_day AS day,
        0 AS stratum,
        0 AS leavers,
        -exposed_low AS exposed_low,
        -exposed_high AS exposed_high,
        -eligible_low AS eligible_low,
        -eligible_high AS eligible_high
    FROM state
),

change_of_day AS (
    SELECT
        customer_id,
        joined_at,
        day,
        sum(stratum) AS stratum,
        sum(leavers) AS leavers,
        sum(exposed_low) AS exposed_low,
        sum(exposed_high) AS exposed_high,
        sum(eligible_low) AS eligible_low,
        sum(eligible_high) AS eligible_high
    FROM change
    GROUP BY customer_id, joined_at, day
),

-- From one change to the next nothing changes. Without a stratum the spell is not at risk. A spell's changes add up to
-- nothing, so sums go on from one spell to the next as if each began anew: a partition for each spell would cost more
-- than all the sums.
stretch AS (
    SELECT
        day AS from_day,
        lead(day) OVER in_turn AS until_day,
        lead(leavers) OVER in_turn AS leavers,
        sum(stratum) OVER in_turn AS stratum,
        sum(exposed_low) OVER in_turn AS exposed_low,
        sum(exposed_high) OVER in_turn AS exposed_high,
        sum(eligible_low) OVER in_turn AS eligible_low,
        sum(eligible_high) OVER in_turn AS eligible_high
    FROM change_of_day
    WINDOW in_turn AS (
        PARTITION BY date_trunc('month', joined_at) ORDER BY customer_id, joined_at, day
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
),

cell AS (
    SELECT
        stretch.stratum,
        month.month,
        stretch.exposed_low,
        stretch.exposed_high,
        stretch.eligible_low,
        stretch.eligible_high,
        sum(
            CAST(least(stretch.until_day, month.next_month) AS BIGINT)
                - CAST(greatest(stretch.from_day, month.month) AS BIGINT)
        ) / 86400000000 AS person_days,
        coalesce(sum(stretch.leavers) FILTER (WHERE stretch.until_day <= month.next_month), 0) AS churned
    FROM (
        SELECT month, next_month
        FROM counted_month
        WHERE month >= $interval_start
    ) AS month
    INNER JOIN stretch ON stretch.from_day < month.next_month AND stretch.until_day > month.month
    WHERE stretch.stratum > 0
    GROUP BY
        stretch.stratum,
        month.month,
        stretch.exposed_low,
        stretch.exposed_high,
        stretch.eligible_low,
        stretch.eligible_high
),

-- There are many cells and few states: the journeys are named once for each state.
cells_of_state AS (
    SELECT
        exposed_low,
        exposed_high,
        eligible_low,
        eligible_high,
        array_agg(named_struct('stratum', stratum, 'month', month, 'person_days', person_days, 'churned', churned))
            AS cells
    FROM cell
    GROUP BY exposed_low, exposed_high, eligible_low, eligible_high
),

named AS (
    SELECT
        coalesce(
            string_agg(journey.journey, ',' ORDER BY journey.journey)
                FILTER (WHERE exposed_low & journey.low <> 0 OR exposed_high & journey.high <> 0),
            ''
        ) AS exposed,
        coalesce(
            string_agg(journey.journey, ',' ORDER BY journey.journey)
                FILTER (WHERE has_limits AND eligible_low & journey.low = 0 AND eligible_high & journey.high = 0),
            ''
        ) AS not_eligible,
        first_value(cells) AS cells
    FROM journey
    CROSS JOIN cells_of_state
    GROUP BY exposed_low, exposed_high, eligible_low, eligible_high
),

named_cell AS (
    SELECT exposed, not_eligible, unnest(cells) AS cell
    FROM named
)

SELECT
    stratum.segment,
    stratum.tenure_band,
    named_cell.cell['month'] AS month,
    named_cell.exposed,
    named_cell.not_eligible,
    named_cell.cell['person_days'] AS person_days,
    named_cell.cell['churned'] AS churned
FROM stratum
INNER JOIN named_cell ON named_cell.cell['stratum'] = stratum.stratum
