-- One row: a customer's membership. From: register. Key: customer_id, joined_at.
-- A company that hears of a leaving before it happens (notice_at), loses customers from sight for other reasons
-- (lost_at), or knows since when an attribute holds (valid_from), gives these columns too; this one does not.
SELECT
    customer_id,
    joined_at,
    churned_at,
    segment
FROM register
