-- One row: a membership spell of a customer, once for each stretch in which its attributes hold.
-- From: customer_version. Key: customer_id, spell, version.
-- [valid_from, valid_until) covers all time without gap or overlap for each customer, so a join on an event's time
-- finds exactly one row: the spell running then with its attributes of then, else the last one before, and for what
-- came before the first spell, the first. A customer who gave notice has left when the notice came in.
WITH spell AS (
    SELECT
        customer_version.* EXCLUDE (left_at, left_by, valid_from, valid_until),
        left_at,
        left_by,
        valid_from AS version_from,
        CAST(dense_rank() OVER (PARTITION BY customer_id ORDER BY joined_at) AS BIGINT) AS spell,
        CAST(row_number() OVER (PARTITION BY customer_id, joined_at ORDER BY valid_from) AS BIGINT) AS version,
        row_number() OVER (PARTITION BY customer_id ORDER BY joined_at, valid_from) AS place,
        lead(valid_from) OVER (PARTITION BY customer_id ORDER BY joined_at, valid_from) AS valid_until
    FROM customer_version
)

SELECT
    spell.* EXCLUDE (version_from, place, valid_until, left_at, left_by),
    left_at,
    left_by,
    CASE
        WHEN left_at IS NULL THEN 'active'
        WHEN left_by = 'loss' THEN 'lost'
        ELSE 'churned'
    END AS membership,
    (CAST(coalesce(left_at, $as_of) AS BIGINT) - CAST(joined_at AS BIGINT)) / 86400e6 AS tenure_days,
    CASE WHEN place > 1 THEN version_from END AS valid_from,
    valid_until
FROM spell
