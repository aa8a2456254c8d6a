-- One row: a membership spell active at a landmark, as it was known then. From: landmark, customers.
-- Key: landmark, customer_id, joined_at. `eligible` conditions of journeys are held against these rows, so nothing that
-- happens after the landmark may be a column here; churn is in outcome_at_landmark.
SELECT
    landmark.landmark,
    customers.* EXCLUDE (churned_at, lost_at),
    (CAST(landmark.landmark AS BIGINT) - CAST(customers.joined_at AS BIGINT)) / 86400e6 AS tenure_days,
    CASE
        WHEN customers.joined_at > landmark.landmark - INTERVAL '30 days' THEN '[0, 30)'
        WHEN customers.joined_at > landmark.landmark - INTERVAL '90 days' THEN '[30, 90)'
        WHEN customers.joined_at > landmark.landmark - INTERVAL '365 days' THEN '[90, 365)'
        WHEN customers.joined_at > landmark.landmark - INTERVAL '1095 days' THEN '[365, 1095)'
        ELSE '[1095, inf)'
    END AS tenure_band
FROM customers
INNER JOIN landmark
    ON customers.joined_at < landmark.landmark
    AND (customers.churned_at IS NULL OR customers.churned_at >= landmark.outcome_from)
    AND (customers.lost_at IS NULL OR customers.lost_at >= landmark.outcome_from)
