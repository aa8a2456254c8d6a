-- One row: what was billed on the days on which the billed customer was eligible for a journey and exposed to it, by
-- stratum (segment, tenure band and month).
-- From: billing, exposed_stretch. Key: journey, segment, tenure_band, month.
-- A bill of a customer with two memberships on that day belongs to the later one, so none is counted twice.
WITH bill AS (
    SELECT
        exposed.journey,
        exposed.segment,
        exposed.tenure_band,
        billing.invoice_id,
        date_trunc('month', billing.billed_at) AS month,
        billing.amount,
        row_number() OVER (PARTITION BY exposed.journey, billing.invoice_id ORDER BY exposed.joined_at DESC) AS place
    FROM exposed_stretch AS exposed
    INNER JOIN billing
        ON billing.customer_id = exposed.customer_id
        AND billing.billed_at >= exposed.from_day
        AND billing.billed_at < exposed.until_day
)

SELECT
    journey,
    segment,
    tenure_band,
    month,
    sum(CAST(amount AS DECIMAL(38, 18))) AS billed
FROM bill
WHERE place = 1
GROUP BY journey, segment, tenure_band, month
ORDER BY journey, segment, tenure_band, month
