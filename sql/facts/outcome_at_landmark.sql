-- One row: what became of a spell active at a landmark in the outcome window. From: landmark, customer_version.
-- Key: landmark, customer_id, joined_at. Null outcomes where the landmark has not matured.
WITH outcome AS (
    SELECT
        landmark.landmark,
        landmark.is_matured,
        customer.customer_id,
        customer.joined_at,
        customer.churned_at < landmark.outcome_until AS churned,
        customer.churned_at < least(landmark.outcome_from + INTERVAL '7 days', landmark.outcome_until)
            AS churned_early,
        customer.lost_at < landmark.outcome_until AS lost,
        -- Until churn, or else until lost from sight, at most to the end of the window.
        CASE
            WHEN customer.churned_at < landmark.outcome_until THEN customer.churned_at
            ELSE least(coalesce(customer.lost_at, landmark.outcome_until), landmark.outcome_until)
        END AS followed_until,
        landmark.outcome_from
    FROM customer_version AS customer
    INNER JOIN landmark
        ON customer.joined_at < landmark.landmark
        AND (customer.churned_at IS NULL OR customer.churned_at >= landmark.outcome_from)
        AND (customer.lost_at IS NULL OR customer.lost_at >= landmark.outcome_from)
    -- The end of a spell is the same in all its rows; the last one stands for them.
    WHERE customer.valid_until IS NULL
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
