-- One row: how many customers were exposed to a journey on an eligible day of a month or quarter, each once, in a segment
-- ('all' for all of them).
-- From: exposed_stretch. Key: period_kind, period_start, journey, segment.
-- Months are numbered by the calendar, from year 0 on.
WITH numbered AS (
    SELECT
        journey,
        segment,
        customer_id,
        CAST(date_part('year', from_day) * 12 + date_part('month', from_day) - 1 AS BIGINT) AS first_month,
        CAST(date_part('year', last_day) * 12 + date_part('month', last_day) - 1 AS BIGINT) AS last_month
    FROM (
        SELECT journey, segment, customer_id, from_day, until_day - INTERVAL '1 day' AS last_day
        FROM exposed_stretch
    ) AS stretch
),

of_year AS (
    SELECT
        journey,
        segment,
        customer_id,
        first_month,
        last_month,
        unnest(generate_series(first_month / 12, last_month / 12)) AS year
    FROM numbered
),

-- Of each year, the months in which a customer was exposed are twelve bits, so that each counts once. Without a segment:
-- in any of them.
customer AS (
    SELECT
        journey,
        segment,
        year,
        bit_or(
            (CAST(1 AS BIGINT) << (least(last_month - 12 * year, 11) + 1))
            - (CAST(1 AS BIGINT) << greatest(first_month - 12 * year, 0))
        ) AS months
    FROM of_year
    GROUP BY GROUPING SETS ((customer_id, journey, segment, year), (customer_id, journey, year))
),

alike AS (
    SELECT journey, coalesce(segment, 'all') AS segment, year, months, count(*) AS customers
    FROM customer
    GROUP BY journey, segment, year, months
),

period AS (
    SELECT kind.period_kind, place.month, ((CAST(1 AS BIGINT) << kind.length) - 1) << place.month AS months
    FROM (VALUES ('month', 1), ('quarter', 3)) AS kind (period_kind, length)
    CROSS JOIN (SELECT unnest(generate_series(0, 11)) AS month) AS place
    WHERE place.month % kind.length = 0
)

SELECT
    period.period_kind,
    arrow_cast(make_date(alike.year, period.month + 1, 1), 'Timestamp(Microsecond, Some("UTC"))') AS period_start,
    alike.journey,
    alike.segment,
    CAST(sum(alike.customers) AS BIGINT) AS exposed_customers
FROM period
INNER JOIN alike ON alike.months & period.months <> 0
GROUP BY period.period_kind, period.month, alike.year, alike.journey, alike.segment
ORDER BY period_kind, period_start, journey, segment
