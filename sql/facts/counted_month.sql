-- One row: a month of which days count (SEMANTICS 5), from its first instant to that of the next. From: counted_days.
-- Key: month.
WITH number AS (
    SELECT unnest(generate_series(
        CAST(date_part('year', first_day) * 12 + date_part('month', first_day) - 1 AS BIGINT),
        CAST(date_part('year', last_day) * 12 + date_part('month', last_day) - 1 AS BIGINT)
    )) AS months
    FROM (
        SELECT first_day, until_day - INTERVAL '1 day' AS last_day
        FROM counted_days
        WHERE first_day < until_day
    ) AS counted
)

SELECT
    months,
    arrow_cast(make_date(months / 12, months % 12 + 1, 1), 'Timestamp(Microsecond, Some("UTC"))') AS month,
    arrow_cast(
        make_date((months + 1) / 12, (months + 1) % 12 + 1, 1), 'Timestamp(Microsecond, Some("UTC"))'
    ) AS next_month
FROM number
