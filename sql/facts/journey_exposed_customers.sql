-- One row: how many customers were exposed to a journey on an eligible day of a month or quarter, each once, in a segment
-- ('all' for all of them).
-- From: exposed_stretch. Key: period_kind, period_start, journey, segment.
--
-- A stretch adds its customer to the periods that it touches and none of the customer's stretches before it has touched:
-- for its segment those in the segment, for all segments any.
WITH numbered AS (
    SELECT
        journey,
        segment,
        customer_id,
        from_day,
        CAST(date_part('year', from_day) * 12 + date_part('month', from_day) - 1 AS BIGINT) AS first_month,
        CAST(date_part('year', last_day) * 12 + date_part('month', last_day) - 1 AS BIGINT) AS last_month
    FROM (
        SELECT journey, segment, customer_id, from_day, until_day - INTERVAL '1 day' AS last_day
        FROM exposed_stretch
    ) AS stretch
),

followed AS (
    SELECT
        journey,
        segment,
        first_month,
        last_month,
        max(last_month) OVER (
            PARTITION BY customer_id, journey, segment ORDER BY from_day
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS earlier_month_in_segment,
        max(last_month) OVER (
            PARTITION BY customer_id, journey ORDER BY from_day
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS earlier_month
    FROM numbered
),

alike AS (
    SELECT
        journey,
        segment,
        first_month,
        last_month,
        earlier_month_in_segment,
        earlier_month,
        count(*) AS customers
    FROM followed
    GROUP BY journey, segment, first_month, last_month, earlier_month_in_segment, earlier_month
),

placed AS (
    SELECT
        kind.period_kind,
        kind.length,
        alike.journey,
        CASE WHEN scope.is_total THEN 'all' ELSE alike.segment END AS segment,
        alike.first_month,
        alike.last_month,
        CASE WHEN scope.is_total THEN alike.earlier_month ELSE alike.earlier_month_in_segment END AS earlier_month,
        alike.customers
    FROM (VALUES ('month', 1), ('quarter', 3)) AS kind (period_kind, length)
    CROSS JOIN (VALUES (TRUE), (FALSE)) AS scope (is_total)
    CROSS JOIN alike
),

-- In numbers of the calendar: months since year 0, quarters since year 0.
new AS (
    SELECT
        period_kind,
        length,
        journey,
        segment,
        greatest(first_month / length, earlier_month / length + 1) AS first_period,
        last_month / length AS last_period,
        customers
    FROM placed
),

counted AS (
    SELECT period_kind, length, journey, segment, first_period, last_period, sum(customers) AS customers
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
