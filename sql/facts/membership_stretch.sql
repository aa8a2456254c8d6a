-- One row: a membership spell in a stretch of whole days [from_day, until_day) of one tenure band and the same
-- attributes, among the days that count (SEMANTICS 5).
-- From: customer_version, counted_days. Key: customer_id, joined_at, from_day.
-- The spell is at risk on the days t with joined_at <= t that it has not left before, so from the first midnight at or
-- after joining through the day on which it leaves. What is true of day t is what was true at its first instant.
-- A stretch holds the instant at which its spell leaves where left_at < until_day. Conditions of journeys on who could
-- have been on them are held against these rows; those that name left_at or left_by are refused.
-- The columns are not listed (`version.* EXCLUDE`, `SELECT *`), so that all other columns of a company's customers pass
-- through, whatever they are: those conditions may name them.
WITH tenure AS (
    SELECT *, 86400000000 * days AS since, 86400000000 * until_days AS until
    FROM (
        VALUES
            ('[0, 30)', 0, 30, INTERVAL '0 days', INTERVAL '30 days'),
            ('[30, 90)', 30, 90, INTERVAL '30 days', INTERVAL '90 days'),
            ('[90, 180)', 90, 180, INTERVAL '90 days', INTERVAL '180 days'),
            ('[180, 365)', 180, 365, INTERVAL '180 days', INTERVAL '365 days'),
            ('[365, 1095)', 365, 1095, INTERVAL '365 days', INTERVAL '1095 days'),
            ('[1095, inf)', 1095, NULL, INTERVAL '1095 days', NULL)
    ) AS band (tenure_band, days, until_days, since_joining, until_since_joining)
),

bounded AS (
    SELECT
        version.* EXCLUDE (notice_at, churned_at, lost_at, valid_from, valid_until),
        greatest(
            counted_days.first_day,
            date_trunc('day', version.valid_from + INTERVAL '1 day' - INTERVAL '1 microsecond')
        ) AS from_day,
        least(
            counted_days.until_day,
            date_trunc('day', version.valid_until + INTERVAL '1 day' - INTERVAL '1 microsecond'),
            date_trunc('day', version.left_at) + INTERVAL '1 day'
        ) AS until_day
    FROM customer_version AS version
    CROSS JOIN counted_days
),

-- Which bands a row reaches is found in microseconds, since calendar arithmetic for all six is dear.
stretch AS (
    SELECT
        bounded.* EXCLUDE (from_day, until_day),
        tenure.tenure_band,
        greatest(
            bounded.from_day,
            date_trunc(
                'day', bounded.joined_at + tenure.since_joining + INTERVAL '1 day' - INTERVAL '1 microsecond'
            )
        ) AS from_day,
        least(
            bounded.until_day,
            date_trunc(
                'day', bounded.joined_at + tenure.until_since_joining + INTERVAL '1 day' - INTERVAL '1 microsecond'
            )
        ) AS until_day
    FROM tenure
    INNER JOIN bounded
        ON CAST(bounded.joined_at AS BIGINT) + tenure.since < CAST(bounded.until_day AS BIGINT)
        AND (tenure.until IS NULL OR CAST(bounded.joined_at AS BIGINT) + tenure.until > CAST(bounded.from_day AS BIGINT))
    WHERE bounded.from_day < bounded.until_day
)

SELECT * FROM stretch WHERE from_day < until_day
