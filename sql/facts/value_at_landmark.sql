-- One row: what a spell at risk at a landmark was billed before it and in the outcome window, and whether its customer
-- bought again then. From: spell_at_landmark, landmark, billing, purchases. Key: landmark, customer_id, joined_at.
-- The window before is as long as the outcome window and ends at the landmark. A customer who leaves is billed less and
-- buys less: that is part of the outcome.
WITH billed AS (
    SELECT
        landmark.landmark,
        billing.customer_id,
        count(*) FILTER (WHERE billing.billed_at < landmark.landmark) AS bills_before,
        sum(CAST(billing.amount AS DECIMAL(38, 18))) FILTER (WHERE billing.billed_at < landmark.landmark)
            AS revenue_before,
        sum(CAST(billing.amount AS DECIMAL(38, 18))) FILTER (WHERE billing.billed_at >= landmark.landmark)
            AS revenue_after
    FROM billing
    INNER JOIN landmark
        ON billing.billed_at >= landmark.landmark - $outcome_horizon
        AND billing.billed_at < landmark.outcome_until
    GROUP BY landmark.landmark, billing.customer_id
),

bought AS (
    SELECT landmark.landmark, purchases.customer_id, count(*) AS purchases
    FROM purchases
    INNER JOIN landmark
        ON purchases.purchased_at >= landmark.landmark
        AND purchases.purchased_at < landmark.outcome_until
    GROUP BY landmark.landmark, purchases.customer_id
),

-- The joins hold their first relation in memory and let the second stream by.
billed_spell AS (
    SELECT
        spell.landmark,
        spell.customer_id,
        spell.joined_at,
        spell.censored,
        coalesce(billed.bills_before, 0) AS bills_before,
        CAST(coalesce(billed.revenue_before, 0) AS DOUBLE) AS revenue_before,
        CAST(coalesce(billed.revenue_after, 0) AS DOUBLE) AS revenue_after
    FROM billed
    RIGHT JOIN spell_at_landmark AS spell
        ON spell.landmark = billed.landmark AND spell.customer_id = billed.customer_id
)

SELECT
    spell.landmark,
    spell.customer_id,
    spell.joined_at,
    spell.censored,
    spell.revenue_after,
    -- Whose revenue can be compared with that of before: a spell as old as the window before.
    spell.joined_at <= spell.landmark - $outcome_horizon AS can_change,
    spell.revenue_after - spell.revenue_before AS revenue_change,
    -- Whose revenue can drop: billed at least twice in the window before, by a spell as old as that window. Where bills
    -- come once a year, one window with a bill and one without say nothing.
    spell.bills_before >= 2 AND spell.joined_at <= spell.landmark - $outcome_horizon AND spell.revenue_before > 0
        AS can_drop,
    spell.revenue_after < (1 - $revenue_drop) * spell.revenue_before AS revenue_dropped,
    coalesce(bought.purchases, 0) > 0 AS repurchased
FROM bought
RIGHT JOIN billed_spell AS spell
    ON spell.landmark = bought.landmark AND spell.customer_id = bought.customer_id
