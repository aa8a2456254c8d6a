-- One row: the latest landmark that has matured, with its windows in microseconds (SEMANTICS 5). None where there is
-- none yet. The same rule as in sql/facts/landmark.sql, which a pipeline without key journeys does not have.
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
    CAST(landmark AS BIGINT) AS landmark,
    CAST(landmark - $exposure_window AS BIGINT) AS exposure_from,
    CAST(landmark + $churn_gap AS BIGINT) AS outcome_from,
    CAST(landmark + $churn_gap + $churn_horizon AS BIGINT) AS outcome_until
FROM boundary
WHERE landmark - $exposure_window >= $start
    AND landmark + $churn_gap + $churn_horizon <= $as_of - $churn_reporting_delay
ORDER BY landmark DESC
LIMIT 1
