-- One row: a membership spell in the stretch [valid_from, valid_until) in which its attributes hold (SEMANTICS 1).
-- From: customers. Key: customer_id, joined_at, valid_from.
-- Before a spell's first valid_from nobody knew its attributes: a row of its own, with segment 'unknown' and nothing in
-- the others. What ended the spell is the same in all its rows, whichever of the source's rows tells it.
WITH spell AS (
    SELECT
        customer_id,
        joined_at,
        min(notice_at) AS notice_at,
        min(churned_at) AS churned_at,
        min(lost_at) AS lost_at,
        min(coalesce(valid_from, joined_at)) AS known_from
    FROM customers
    GROUP BY customer_id, joined_at
),

stretch AS (
    SELECT
        customer_id,
        joined_at,
        coalesce(valid_from, joined_at) AS attributes_from,
        greatest(valid_from, joined_at) AS valid_from,
        lead(valid_from) OVER (PARTITION BY customer_id, joined_at ORDER BY coalesce(valid_from, joined_at))
            AS valid_until
    FROM customers

    UNION ALL

    SELECT
        customer_id,
        joined_at,
        NULL AS attributes_from,
        joined_at AS valid_from,
        known_from AS valid_until
    FROM spell
    WHERE known_from > joined_at
),

attributes AS (
    SELECT
        customers.* EXCLUDE (valid_from, notice_at, churned_at, lost_at),
        coalesce(valid_from, joined_at) AS attributes_from
    FROM customers
),

version AS (
    SELECT
        stretch.customer_id,
        stretch.joined_at,
        coalesce(attributes.segment, 'unknown') AS segment,
        attributes.* EXCLUDE (customer_id, joined_at, segment, attributes_from),
        spell.notice_at,
        spell.churned_at,
        spell.lost_at,
        least(spell.notice_at, spell.churned_at, spell.lost_at) AS left_at,
        stretch.valid_from,
        stretch.valid_until
    FROM stretch
    INNER JOIN spell ON spell.customer_id = stretch.customer_id AND spell.joined_at = stretch.joined_at
    LEFT JOIN attributes
        ON attributes.customer_id = stretch.customer_id
        AND attributes.joined_at = stretch.joined_at
        AND attributes.attributes_from = stretch.attributes_from
    -- What held before joining only is of no spell.
    WHERE stretch.valid_until IS NULL OR stretch.valid_until > stretch.joined_at
)

SELECT
    version.* EXCLUDE (valid_from, valid_until),
    -- Leaving goes before loss at one instant (SEMANTICS 5).
    CASE
        WHEN left_at = notice_at THEN 'notice'
        WHEN left_at = churned_at THEN 'churn'
        WHEN left_at = lost_at THEN 'loss'
    END AS left_by,
    valid_from,
    valid_until
FROM version
