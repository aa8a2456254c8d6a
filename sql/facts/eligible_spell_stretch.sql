-- One row: what eligible_stretch holds, with who leaves on the stretch's last day. From: eligible_stretch,
-- customer_version.
-- Key: journey, customer_id, joined_at, from_day. left_by is null where the spell goes on, or goes on in another
-- stretch. A spell leaves on the day in which left_at lies, and this is the last on which it is at risk (SEMANTICS 5).
WITH leaving AS (
    SELECT
        customer_id,
        joined_at,
        max(date_trunc('day', left_at)) + INTERVAL '1 day' AS left_until,
        max(left_by) AS left_by
    FROM customer_version
    WHERE left_at IS NOT NULL
    GROUP BY customer_id, joined_at
)

SELECT
    stretch.journey,
    stretch.customer_id,
    stretch.joined_at,
    stretch.segment,
    stretch.tenure_band,
    stretch.from_day,
    stretch.until_day,
    leaving.left_by
FROM leaving
RIGHT JOIN eligible_stretch AS stretch
    ON stretch.customer_id = leaving.customer_id
    AND stretch.joined_at = leaving.joined_at
    AND stretch.until_day = leaving.left_until
