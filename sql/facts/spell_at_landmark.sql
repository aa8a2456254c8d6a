-- One row: a membership spell at risk of leaving on the day of a landmark, and what became of it in the outcome window.
-- From: landmark, customer_version. Key: landmark, customer_id, joined_at.
-- churned is null until the landmark has matured, and for whom was lost from sight in the window before leaving.
WITH outcome AS (
    SELECT
        landmark.landmark,
        landmark.outcome_until,
        landmark.is_matured,
        customer.customer_id,
        customer.joined_at,
        coalesce(customer.left_at < landmark.outcome_until, FALSE) AS has_left,
        customer.left_by,
        least(customer.left_at, landmark.outcome_until) AS followed_until
    FROM customer_version AS customer
    INNER JOIN landmark
        ON customer.joined_at <= landmark.landmark
        AND (customer.left_at IS NULL OR customer.left_at >= landmark.landmark)
    -- How a spell ended is the same in all its rows; the last one stands for them.
    WHERE customer.valid_until IS NULL AND landmark.is_counted
)

SELECT
    landmark,
    customer_id,
    joined_at,
    CASE WHEN is_matured AND NOT (has_left AND left_by = 'loss') THEN has_left END AS churned,
    CASE WHEN is_matured THEN coalesce(has_left AND left_by = 'loss', FALSE) END AS censored,
    CASE WHEN is_matured THEN (CAST(followed_until AS BIGINT) - CAST(landmark AS BIGINT)) / 86400e6 END AS followed_days
FROM outcome
