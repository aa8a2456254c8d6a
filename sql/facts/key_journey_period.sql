-- One row: a month or a quarter of which days count (SEMANTICS 5). From: counted_month, counted_days. Key: period_kind,
-- period_start.
-- A period is published from the first of its days that counts. is_running says that its last day does not count yet,
-- days_counted < days that it is counted in part.
WITH period AS (
    SELECT
        kind.period_kind,
        counted_month.months - counted_month.months % kind.length AS first_month,
        kind.length
    FROM counted_month
    CROSS JOIN (VALUES ('month', 1), ('quarter', 3)) AS kind (period_kind, length)
    GROUP BY kind.period_kind, counted_month.months - counted_month.months % kind.length, kind.length
),

bounded AS (
    SELECT
        period_kind,
        arrow_cast(
            make_date(first_month / 12, first_month % 12 + 1, 1), 'Timestamp(Microsecond, Some("UTC"))'
        ) AS period_start,
        arrow_cast(
            make_date((first_month + length) / 12, (first_month + length) % 12 + 1, 1),
            'Timestamp(Microsecond, Some("UTC"))'
        ) AS period_end
    FROM period
)

SELECT
    period_kind,
    CASE period_kind
        WHEN 'quarter' THEN to_char(period_start, '%Y') || '-Q' || CAST(date_part('quarter', period_start) AS VARCHAR)
        ELSE to_char(period_start, '%Y-%m')
    END AS period,
    period_start,
    period_end,
    period_end > counted_days.until_day AS is_running,
    greatest(period_start, counted_days.first_day) AS first_day,
    least(period_end, counted_days.until_day) - INTERVAL '1 day' AS last_day,
    (CAST(period_end AS BIGINT) - CAST(period_start AS BIGINT)) / 86400000000 AS days,
    (
        CAST(least(period_end, counted_days.until_day) AS BIGINT)
            - CAST(greatest(period_start, counted_days.first_day) AS BIGINT)
    ) / 86400000000 AS days_counted
FROM bounded
CROSS JOIN counted_days
ORDER BY period_kind, period_start
