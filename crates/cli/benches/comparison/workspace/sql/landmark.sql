-- One row: a landmark, the first instant after a quarter, with its windows (SEMANTICS 5). From: $start, $as_of.
-- Key: landmark.
WITH quarter AS (
    SELECT unnest(generate_series(date_trunc('quarter', $start), $as_of, INTERVAL '3 months')) AS landmark
)

SELECT
    landmark,
    landmark - $exposure_window AS exposure_from,
    landmark + $churn_horizon AS outcome_until,
    landmark + $churn_horizon <= $as_of AS is_matured
FROM quarter
WHERE landmark - $exposure_window >= $start
