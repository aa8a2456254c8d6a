-- One row: a landmark t0, the first instant after a quarter, with its windows (SEMANTICS 5).
-- From: $start, $as_of, counted_days. Key: landmark. None whose exposure window begins before $start.
WITH quarter AS (
    SELECT unnest(generate_series(
        CAST(date_part('year', $start) * 4 + date_part('quarter', $start) - 1 AS BIGINT),
        CAST(date_part('year', $as_of) * 4 + date_part('quarter', $as_of) - 1 AS BIGINT)
    )) AS quarters
),

boundary AS (
    SELECT
        arrow_cast(make_date(quarters / 4, quarters % 4 * 3 + 1, 1), 'Timestamp(Microsecond, Some("UTC"))') AS landmark
    FROM quarter
)

SELECT
    boundary.landmark,
    -- The quarter that ends at the landmark: 2026-Q3.
    to_char(boundary.landmark - INTERVAL '1 day', '%Y') || '-Q'
        || CAST(date_part('quarter', boundary.landmark - INTERVAL '1 day') AS VARCHAR) AS landmark_period,
    boundary.landmark - $exposure_horizon AS exposure_from,
    boundary.landmark + $outcome_horizon AS outcome_until,
    -- Who is there on the day of the landmark is known once that day counts.
    boundary.landmark >= counted_days.first_day AND boundary.landmark < counted_days.until_day AS is_counted,
    -- What happened in the window is only complete through as_of less the time the source system takes to learn of it.
    boundary.landmark + $outcome_horizon <= $as_of - $churn_reporting_delay AS is_matured
FROM boundary
CROSS JOIN counted_days
WHERE boundary.landmark - $exposure_horizon >= $start AND boundary.landmark <= $as_of
ORDER BY boundary.landmark
