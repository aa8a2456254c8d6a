-- One row: what eligible_stretch holds, with who leaves on the stretch's last day. From: eligible_stretch. Key: journey,
-- customer_id, joined_at, from_day.
-- A spell leaves on the day in which left_at lies, the last on which it is at risk (SEMANTICS 5). left_by is null where
-- the spell goes on, in another stretch, without being eligible, or beyond the days that count.
SELECT
    journey,
    customer_id,
    joined_at,
    segment,
    tenure_band,
    from_day,
    until_day,
    CASE WHEN left_at < until_day THEN left_by END AS left_by
FROM eligible_stretch
