-- One row: a customer's membership. From: register. Key: customer_id, joined_at.
-- A company that hears of a leaving before it happens (somebody gives notice), loses customers from sight for other
-- reasons (they move away), or knows since when an attribute holds, gives its columns here; this one does not.
SELECT
    customer_id,
    joined_at,
    arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS notice_at,
    churned_at,
    arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS lost_at,
    joined_at AS valid_from,
    segment
FROM register
