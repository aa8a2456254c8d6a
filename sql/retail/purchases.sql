-- One row: a purchase of a household, a basket. From: baskets. Key: purchase_id.
SELECT
    basket_id AS purchase_id,
    customer_id,
    occurred_at AS purchased_at
FROM baskets
