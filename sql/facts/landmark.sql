-- One row: a landmark t0, the first instant after a quarter (or after $landmark_months months), with its windows.
-- From: $start, $as_of. Key: landmark. None whose exposure window begins before $start (SEMANTICS 5).
WITH month AS (
    SELECT unnest(generate_series(
        CAST(date_part('year', $start) * 12 + date_part('month', $start) - 1 AS BIGINT),
        CAST(date_part('year', $as_of) * 12 + date_part('month', $as_of) - 1 AS BIGINT)
    )) AS months
),

boundary AS (
    SELECT
        arrow_cast(make_date(months / 12, months % 12 + 1, 1), 'Timestamp(Microsecond, Some("UTC"))') AS landmark
    FROM month
    WHERE months % $landmark_months = 0
)

SELECT
    landmark,
    -- The period that ends at the landmark: 2026-Q3, or 2026-07 where landmarks are not a quarter apart.
    CASE WHEN $landmark_months = 3
        THEN to_char(landmark - INTERVAL '1 day', '%Y') || '-Q'
            || CAST(date_part('quarter', landmark - INTERVAL '1 day') AS VARCHAR)
        ELSE to_char(landmark - INTERVAL '1 day', '%Y-%m')
    END AS landmark_period,
    landmark - $exposure_window AS exposure_from,
    landmark + $churn_gap AS outcome_from,
    landmark + $churn_gap + $churn_horizon AS outcome_until,
    -- Churn is only complete through as_of less the time the source system takes to learn of it.
    landmark + $churn_gap + $churn_horizon <= $as_of - $churn_reporting_delay AS is_matured
FROM boundary
WHERE landmark - $exposure_window >= $start AND landmark <= $as_of
ORDER BY landmark
