-- One row: a landmark, the first instant after a quarter, with its windows. From: $start, $as_of. Key: landmark.
-- Who was on a journey is settled before the landmark, who left is counted after it, so that nothing is explained by
-- what came later. The example's data ends at $data_until; for data that goes on, write $as_of in its place.
WITH quarter AS (
    SELECT unnest(generate_series(date_trunc('quarter', $start), least($as_of, $data_until), INTERVAL '3 months'))
        AS landmark
)

SELECT
    landmark,
    to_char(landmark - INTERVAL '1 day', '%Y') || '-Q'
        || CAST(date_part('quarter', landmark - INTERVAL '1 day') AS VARCHAR) AS landmark_period,
    landmark - $exposure_window AS exposure_from,
    landmark AS outcome_from,
    landmark + $churn_horizon AS outcome_until,
    landmark + $churn_horizon <= least($as_of, $data_until) AS is_matured
FROM quarter
WHERE landmark - $exposure_window >= $start
ORDER BY landmark
