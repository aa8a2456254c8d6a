-- One row: a membership spell in the stretch [valid_from, valid_until) in which its attributes hold (SEMANTICS 1).
-- From: customers. Key: customer_id, joined_at, valid_from. A spell's first known attributes hold from joining on; what
-- ended the spell is the same in all its rows, whichever of the source's rows tells it.
SELECT
    customers.* EXCLUDE (valid_from, churned_at, lost_at),
    min(churned_at) OVER (PARTITION BY customer_id, joined_at) AS churned_at,
    min(lost_at) OVER (PARTITION BY customer_id, joined_at) AS lost_at,
    CASE
        WHEN row_number() OVER (PARTITION BY customer_id, joined_at ORDER BY valid_from) = 1 THEN joined_at
        ELSE valid_from
    END AS valid_from,
    lead(valid_from) OVER (PARTITION BY customer_id, joined_at ORDER BY valid_from) AS valid_until
FROM customers
