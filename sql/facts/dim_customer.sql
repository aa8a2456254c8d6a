-- One row: a membership spell of a customer. From: customers. Key: customer_id, joined_at.
-- [valid_from, valid_until) covers all time without gap or overlap for each customer, so a join on an event's time
-- finds exactly one spell: the one running, else the last one before, and for what came before the first spell, the
-- first.
WITH spell AS (
    SELECT
        customers.*,
        CAST(row_number() OVER (PARTITION BY customer_id ORDER BY joined_at) AS BIGINT) AS spell,
        lead(joined_at) OVER (PARTITION BY customer_id ORDER BY joined_at) AS next_joined_at,
        least(coalesce(churned_at, lost_at), coalesce(lost_at, churned_at)) AS left_at
    FROM customers
)

SELECT
    spell.* EXCLUDE (next_joined_at, left_at),
    left_at,
    CASE
        WHEN left_at IS NULL THEN 'active'
        WHEN left_at = churned_at THEN 'churned'
        ELSE 'lost'
    END AS membership,
    (CAST(coalesce(left_at, $as_of) AS BIGINT) - CAST(joined_at AS BIGINT)) / 86400e6 AS tenure_days,
    CASE WHEN spell > 1 THEN joined_at END AS valid_from,
    next_joined_at AS valid_until
FROM spell
