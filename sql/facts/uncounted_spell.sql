-- One row: how many membership spells have no day at risk although they began, by reason (SEMANTICS 5).
-- From: customer_version. Key: reason.
WITH spell AS (
    SELECT
        customer_id,
        joined_at,
        max(left_at) AS left_at
    FROM customer_version
    GROUP BY customer_id, joined_at
),

reasoned AS (
    SELECT
        CASE
            WHEN left_at < joined_at THEN 'left before joining'
            WHEN date_trunc('day', joined_at + INTERVAL '1 day' - INTERVAL '1 microsecond')
                > date_trunc('day', left_at) THEN 'joined and left within a day'
        END AS reason
    FROM spell
)

SELECT reason, count(*) AS spells
FROM reasoned
WHERE reason IS NOT NULL
GROUP BY reason
ORDER BY reason
