-- One row: what became of a spell active at a landmark in the outcome window. From: landmark, customers.
-- Key: landmark, customer_id, joined_at. Null outcomes where the landmark has not matured.
WITH outcome AS (
    SELECT
        landmark.landmark,
        landmark.is_matured,
        customers.customer_id,
        customers.joined_at,
        customers.churned_at < landmark.outcome_until AS churned,
        customers.churned_at < least(landmark.outcome_from + INTERVAL '7 days', landmark.outcome_until)
            AS churned_early,
        customers.lost_at < landmark.outcome_until AS lost,
        -- Until churn, or else until lost from sight, at most to the end of the window.
        CASE
            WHEN customers.churned_at < landmark.outcome_until THEN customers.churned_at
            ELSE least(coalesce(customers.lost_at, landmark.outcome_until), landmark.outcome_until)
        END AS followed_until,
        landmark.outcome_from
    FROM customers
    INNER JOIN landmark
        ON customers.joined_at < landmark.landmark
        AND (customers.churned_at IS NULL OR customers.churned_at >= landmark.outcome_from)
        AND (customers.lost_at IS NULL OR customers.lost_at >= landmark.outcome_from)
)

SELECT
    landmark,
    customer_id,
    joined_at,
    CASE WHEN is_matured THEN coalesce(churned, FALSE) END AS churned,
    CASE WHEN is_matured THEN coalesce(churned_early, FALSE) END AS churned_early,
    CASE WHEN is_matured THEN coalesce(lost, FALSE) AND NOT coalesce(churned, FALSE) END AS censored,
    CASE WHEN is_matured THEN (CAST(followed_until AS BIGINT) - CAST(outcome_from AS BIGINT)) / 1e6 END AS followed_s
FROM outcome
