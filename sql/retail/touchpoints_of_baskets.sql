-- One row: a basket as a touchpoint, an interaction of a household with the grocer (SEMANTICS 1). From: baskets. Key:
-- touchpoint_id. It has the till's time and is known when it happens.
SELECT
    'basket-' || basket_id AS touchpoint_id,
    customer_id,
    occurred_at,
    'store' AS channel,
    'basket_bought' AS event,
    'store-operations' AS function,
    discount AS cost,
    'transactions' AS source,
    amount,
    store_id,
    days_since_previous,
    basket_of_spell,
    basket_of_spell = 1 AS is_first_of_spell,
    days_since_previous IS NULL AS is_first_of_household,
    is_first_in_store
FROM baskets
