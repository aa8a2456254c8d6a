-- One row: a month or a quarter of which days count (SEMANTICS 5). From: counted_days. Key: period_kind, period_start.
-- A period is published from the first day that counts; is_running says that its last day does not count yet, and
-- days_counted < days that it is counted in part.
WITH month AS (
    SELECT
        unnest(generate_series(
            CAST(date_part('year', first_day) * 12 + date_part('month', first_day) - 1 AS BIGINT),
            CAST(date_part('year', until_day) * 12 + date_part('month', until_day) - 1 AS BIGINT)
        )) AS months,
        first_day,
        until_day
    FROM counted_days
    WHERE first_day < until_day
),

kind AS (
    SELECT * FROM (VALUES ('month', 1), ('quarter', 3)) AS kinds (period_kind, length)
),

period AS (
    SELECT DISTINCT
        kind.period_kind,
        arrow_cast(
            make_date(
                (month.months - month.months % kind.length) / 12,
                (month.months - month.months % kind.length) % 12 + 1,
                1
            ),
            'Timestamp(Microsecond, Some("UTC"))'
        ) AS period_start,
        arrow_cast(
            make_date(
                (month.months - month.months % kind.length + kind.length) / 12,
                (month.months - month.months % kind.length + kind.length) % 12 + 1,
                1
            ),
            'Timestamp(Microsecond, Some("UTC"))'
        ) AS period_end,
        month.first_day AS first_counted,
        month.until_day AS until_counted
    FROM month
    CROSS JOIN kind
)

SELECT
    period_kind,
    CASE period_kind
        WHEN 'quarter' THEN to_char(period_start, '%Y') || '-Q' || CAST(date_part('quarter', period_start) AS VARCHAR)
        ELSE to_char(period_start, '%Y-%m')
    END AS period,
    period_start,
    period_end,
    period_end > until_counted AS is_running,
    greatest(period_start, first_counted) AS first_day,
    least(period_end, until_counted) - INTERVAL '1 day' AS last_day,
    (CAST(period_end AS BIGINT) - CAST(period_start AS BIGINT)) / 86400000000 AS days,
    (
        CAST(least(period_end, until_counted) AS BIGINT) - CAST(greatest(period_start, first_counted) AS BIGINT)
    ) / 86400000000 AS days_counted
FROM period
WHERE period_start < until_counted AND period_end > first_counted
ORDER BY period_kind, period_start
