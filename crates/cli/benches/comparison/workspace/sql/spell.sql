-- One row: a membership at a landmark at which it is active, and what became of it (SEMANTICS 5).
-- From: landmark, customers. Key: landmark, customer_id.
SELECT
    landmark.landmark,
    landmark.is_matured,
    customers.customer_id,
    coalesce(customers.segment, 'unknown') AS segment,
    CASE
        WHEN customers.joined_at > landmark.landmark - INTERVAL '30 days' THEN '[0, 30)'
        WHEN customers.joined_at > landmark.landmark - INTERVAL '90 days' THEN '[30, 90)'
        WHEN customers.joined_at > landmark.landmark - INTERVAL '365 days' THEN '[90, 365)'
        WHEN customers.joined_at > landmark.landmark - INTERVAL '1095 days' THEN '[365, 1095)'
        ELSE '[1095, inf)'
    END AS tenure_band,
    CASE
        WHEN landmark.is_matured AND customers.churned_at < landmark.outcome_until THEN 'churned'
        WHEN landmark.is_matured AND customers.lost_at < landmark.outcome_until THEN 'censored'
        ELSE 'stayed'
    END AS outcome
FROM landmark
INNER JOIN customers
    ON customers.joined_at < landmark.landmark
    AND (customers.churned_at IS NULL OR customers.churned_at >= landmark.landmark)
    AND (customers.lost_at IS NULL OR customers.lost_at >= landmark.landmark)
