-- One row: how many customers were exposed to a journey on an eligible day of a month or quarter, each once, in a segment
-- ('all' for all of them).
-- From: exposed_stretch. Key: period_kind, period_start, journey, segment.
--
-- A stretch adds its customer to the periods that it touches and none of the customer's stretches before it has touched.
WITH stretch AS (
    SELECT journey, segment, customer_id, from_day, until_day - INTERVAL '1 day' AS last_day
    FROM exposed_stretch

    UNION ALL

    SELECT journey, 'all' AS segment, customer_id, from_day, until_day - INTERVAL '1 day' AS last_day
    FROM exposed_stretch
),

numbered AS (
    SELECT
        journey,
        segment,
        customer_id,
        from_day,
        CAST(date_part('year', from_day) * 12 + date_part('month', from_day) - 1 AS BIGINT) AS first_month,
        CAST(date_part('year', last_day) * 12 + date_part('month', last_day) - 1 AS BIGINT) AS last_month
    FROM stretch
),

followed AS (
    SELECT
        journey,
        segment,
        first_month,
        last_month,
        max(last_month) OVER (
            PARTITION BY journey, segment, customer_id ORDER BY from_day
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS earlier_month
    FROM numbered
),

new AS (
    SELECT
        kind.period_kind,
        kind.length,
        followed.journey,
        followed.segment,
        greatest(followed.first_month / kind.length, coalesce(followed.earlier_month / kind.length + 1, 0))
            AS first_period,
        followed.last_month / kind.length AS last_period
    FROM followed
    CROSS JOIN (VALUES ('month', 1), ('quarter', 3)) AS kind (period_kind, length)
),

counted AS (
    SELECT period_kind, length, journey, segment, first_period, last_period, count(*) AS customers
    FROM new
    WHERE first_period <= last_period
    GROUP BY period_kind, length, journey, segment, first_period, last_period
),

touched AS (
    SELECT
        period_kind,
        length,
        journey,
        segment,
        customers,
        unnest(generate_series(first_period, last_period)) AS period
    FROM counted
)

SELECT
    period_kind,
    arrow_cast(
        make_date(period * length / 12, period * length % 12 + 1, 1), 'Timestamp(Microsecond, Some("UTC"))'
    ) AS period_start,
    journey,
    segment,
    CAST(sum(customers) AS BIGINT) AS exposed_customers
FROM touched
GROUP BY period_kind, length, period, journey, segment
ORDER BY period_kind, period_start, journey, segment
