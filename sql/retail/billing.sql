-- One row: a basket as a bill. From: baskets. Key: invoice_id. The source names no currency; it is a grocer of the US.
SELECT
    basket_id AS invoice_id,
    customer_id,
    occurred_at AS billed_at,
    amount
FROM baskets
