-- One row: a calendar day (UTC) from the year of the pipeline's start to the year of $as_of. Key: date_day.
WITH day AS (
    SELECT unnest(generate_series(
        CAST(date_trunc('year', $start) AS DATE),
        CAST(date_trunc('year', $as_of) + INTERVAL '1 year' - INTERVAL '1 day' AS DATE),
        INTERVAL '1 day'
    )) AS date_day
)

SELECT
    CAST(date_day AS DATE) AS date_day,
    CAST(date_part('year', date_day) AS BIGINT) AS year,
    to_char(date_day, '%Y') || '-Q' || CAST(date_part('quarter', date_day) AS VARCHAR) AS quarter,
    CAST(date_trunc('quarter', date_day) AS DATE) AS quarter_start,
    to_char(date_day, '%Y-%m') AS month,
    CAST(date_trunc('month', date_day) AS DATE) AS month_start,
    to_char(date_day, '%G-W%V') AS iso_week,
    CAST(date_part('isodow', date_day) AS BIGINT) AS day_of_week,
    to_char(date_day, '%A') AS day_name,
    date_part('isodow', date_day) >= 6 AS is_weekend
FROM day
ORDER BY date_day
