-- One row: a basket, with what the household had bought before it. From: transactions. Key: basket_id.
-- The windows look back only, so a row never changes when later baskets arrive. Sums are decimals, so the order of the
-- lines does not matter. Prices are what the household paid; discounts what the retailer gave away for it.
WITH basket AS (
    SELECT
        CAST(basket_id AS VARCHAR) AS basket_id,
        CAST(household_id AS VARCHAR) AS customer_id,
        min(transaction_timestamp) AS occurred_at,
        min(store_id) AS store_id,
        count(*) AS lines,
        CAST(sum(CAST(sales_value AS DECIMAL(18, 2))) AS DOUBLE) AS amount,
        CAST(sum(CAST(retail_disc + coupon_match_disc AS DECIMAL(18, 2))) AS DOUBLE) AS discount
    FROM transactions
    GROUP BY basket_id, household_id
),

sequence AS (
    SELECT
        basket.*,
        lag(occurred_at) OVER (PARTITION BY customer_id ORDER BY occurred_at, basket_id) AS previous_at,
        first_value(occurred_at) OVER (PARTITION BY customer_id ORDER BY occurred_at, basket_id) AS known_since,
        row_number() OVER (PARTITION BY customer_id, store_id ORDER BY occurred_at, basket_id) AS basket_in_store
    FROM basket
),

spell AS (
    SELECT
        sequence.*,
        -- $lapse without a basket ends a spell, so the next basket opens another.
        count(*) FILTER (WHERE previous_at IS NULL OR occurred_at >= previous_at + $lapse)
            OVER (PARTITION BY customer_id ORDER BY occurred_at, basket_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS spell
    FROM sequence
)

SELECT
    basket_id,
    customer_id,
    occurred_at,
    store_id,
    lines,
    amount,
    discount,
    known_since,
    (CAST(occurred_at AS BIGINT) - CAST(previous_at AS BIGINT)) / 86400e6 AS days_since_previous,
    spell,
    row_number() OVER (PARTITION BY customer_id, spell ORDER BY occurred_at, basket_id) AS basket_of_spell,
    -- Everything is new to us in the first weeks of the data; only after $known_after is it new to the household.
    basket_in_store = 1 AND occurred_at >= known_since + $known_after AS is_first_in_store
FROM spell
