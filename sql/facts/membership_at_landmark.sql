-- One row: a membership spell active at a landmark, as it was known then, with the attributes of then.
-- From: landmark, customer_version.
-- Key: landmark, customer_id, joined_at. `eligible` conditions of journeys are held against these rows, so nothing that
-- happens after the landmark may be a column here; churn is in outcome_at_landmark.
SELECT
    landmark.landmark,
    customer.* EXCLUDE (notice_at, churned_at, lost_at, left_at, left_by, valid_until),
    (CAST(landmark.landmark AS BIGINT) - CAST(customer.joined_at AS BIGINT)) / 86400e6 AS tenure_days,
    CASE
        WHEN customer.joined_at > landmark.landmark - INTERVAL '30 days' THEN '[0, 30)'
        WHEN customer.joined_at > landmark.landmark - INTERVAL '90 days' THEN '[30, 90)'
        WHEN customer.joined_at > landmark.landmark - INTERVAL '365 days' THEN '[90, 365)'
        WHEN customer.joined_at > landmark.landmark - INTERVAL '1095 days' THEN '[365, 1095)'
        ELSE '[1095, inf)'
    END AS tenure_band
FROM customer_version AS customer
INNER JOIN landmark
    ON customer.joined_at < landmark.landmark
    AND customer.valid_from < landmark.landmark
    AND (customer.valid_until IS NULL OR customer.valid_until >= landmark.landmark)
    AND (customer.churned_at IS NULL OR customer.churned_at >= landmark.outcome_from)
    AND (customer.lost_at IS NULL OR customer.lost_at >= landmark.outcome_from)
