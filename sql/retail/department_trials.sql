-- One row: the first or second basket of a household with goods of a department, where the first came at least
-- $known_after after the household was first seen. From: transactions, products, baskets. Key: customer_id, department,
-- nth. Stock counters and bookkeeping departments are left out: nobody tries 'COUPON/MISC ITEMS'.
WITH department_basket AS (
    SELECT DISTINCT
        CAST(transactions.basket_id AS VARCHAR) AS basket_id,
        products.department
    FROM transactions
    INNER JOIN products ON products.product_id = transactions.product_id
    WHERE products.department IN (
        'PRODUCE', 'MEAT', 'MEAT-PCKGD', 'DELI', 'PASTRY', 'NUTRITION', 'SEAFOOD', 'SEAFOOD-PCKGD', 'COSMETICS',
        'FLORAL', 'SALAD BAR', 'GARDEN CENTER', 'SPIRITS', 'CHEF SHOPPE', 'FUEL', 'RESTAURANT', 'DRUG GM', 'GROCERY'
    )
),

numbered AS (
    SELECT
        baskets.customer_id,
        department_basket.department,
        baskets.basket_id,
        baskets.occurred_at,
        baskets.known_since,
        row_number() OVER department_order AS nth,
        min(baskets.occurred_at) OVER (PARTITION BY baskets.customer_id, department_basket.department) AS first_at
    FROM department_basket
    INNER JOIN baskets ON baskets.basket_id = department_basket.basket_id
    WINDOW department_order AS (
        PARTITION BY baskets.customer_id, department_basket.department ORDER BY baskets.occurred_at, baskets.basket_id
    )
)

SELECT customer_id, department, nth, basket_id, occurred_at
FROM numbered
WHERE nth <= 2 AND first_at >= known_since + $known_after
