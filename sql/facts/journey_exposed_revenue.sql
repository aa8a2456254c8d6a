-- One row: what was billed on the days on which the billed customer was eligible for a journey and exposed to it, by
-- stratum (segment, tenure band and month).
-- From: billing, exposed_stretch. Key: journey, segment, tenure_band, month.
-- A bill of a customer with two memberships on that day belongs to the later one, so none is counted twice. Few customers
-- have had two memberships: only for them it is decided bill by bill.
WITH with_several AS (
    SELECT customer_id
    FROM exposed_stretch
    GROUP BY customer_id
    HAVING min(joined_at) < max(joined_at)
),

bill_of_one AS (
    SELECT
        exposed.journey,
        exposed.segment,
        exposed.tenure_band,
        date_trunc('month', billing.billed_at) AS month,
        billing.amount
    FROM (
        SELECT exposed_stretch.*
        FROM exposed_stretch
        LEFT ANTI JOIN with_several ON with_several.customer_id = exposed_stretch.customer_id
    ) AS exposed
    INNER JOIN billing
        ON billing.customer_id = exposed.customer_id
        AND billing.billed_at >= exposed.from_day
        AND billing.billed_at < exposed.until_day
),

bill_of_several AS (
    SELECT
        exposed.journey,
        exposed.segment,
        exposed.tenure_band,
        date_trunc('month', billing.billed_at) AS month,
        billing.amount,
        row_number() OVER (PARTITION BY exposed.journey, billing.invoice_id ORDER BY exposed.joined_at DESC) AS place
    FROM (
        SELECT exposed_stretch.*
        FROM exposed_stretch
        LEFT SEMI JOIN with_several ON with_several.customer_id = exposed_stretch.customer_id
    ) AS exposed
    INNER JOIN billing
        ON billing.customer_id = exposed.customer_id
        AND billing.billed_at >= exposed.from_day
        AND billing.billed_at < exposed.until_day
),

bill AS (
    SELECT journey, segment, tenure_band, month, amount
    FROM bill_of_one

    UNION ALL

    SELECT journey, segment, tenure_band, month, amount
    FROM bill_of_several
    WHERE place = 1
)

SELECT
    journey,
    segment,
    tenure_band,
    month,
    sum(CAST(amount AS DECIMAL(38, 18))) AS billed
FROM bill
GROUP BY journey, segment, tenure_band, month
ORDER BY journey, segment, tenure_band, month
