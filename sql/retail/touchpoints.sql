-- One row: a touchpoint, an interaction of a household with the grocer (SEMANTICS 1). From: baskets,
-- department_trials, campaigns, campaign_descriptions, coupon_redemptions. Key: touchpoint_id, prefixed by its source.
-- Baskets have the till's time; campaigns and redemptions only a date, which is read as its first instant, so a
-- redemption stands just before the basket it was for. A household is in a campaign from the campaign's first day to
-- the end of its last. Everything is known when it happens (known_at). Nobody was asked anything: satisfaction is null.
SELECT
    'basket-' || basket_id AS touchpoint_id,
    customer_id,
    occurred_at,
    occurred_at AS known_at,
    'store' AS channel,
    'basket_bought' AS event,
    CAST(NULL AS VARCHAR) AS topic,
    'store-operations' AS function,
    CAST(NULL AS DOUBLE) AS satisfaction,
    CAST(NULL AS BOOLEAN) AS resolved,
    CAST(NULL AS DOUBLE) AS duration_s,
    discount AS cost,
    'transactions' AS source,
    amount,
    store_id,
    days_since_previous,
    basket_of_spell,
    basket_of_spell = 1 AS is_first_of_spell,
    days_since_previous IS NULL AS is_first_of_household,
    is_first_in_store,
    CAST(NULL AS BIGINT) AS campaign_id,
    CAST(NULL AS VARCHAR) AS department
FROM baskets

UNION ALL

SELECT
    'department-' || department || '-' || basket_id,
    customer_id,
    occurred_at,
    occurred_at AS known_at,
    'store',
    CASE WHEN nth = 1 THEN 'department_tried' ELSE 'department_bought_again' END,
    'department',
    'category-management',
    NULL, NULL, NULL, NULL,
    'transactions',
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    department
FROM department_trials

UNION ALL

SELECT
    'campaign-' || CAST(campaigns.campaign_id AS VARCHAR) || '-' || CAST(campaigns.household_id AS VARCHAR)
        || '-received',
    CAST(campaigns.household_id AS VARCHAR),
    campaign_descriptions.start_date,
    campaign_descriptions.start_date AS known_at,
    'mail',
    'campaign_received',
    'campaign',
    'marketing',
    NULL, NULL, NULL, NULL,
    'campaigns',
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    campaigns.campaign_id,
    NULL
FROM campaigns
INNER JOIN campaign_descriptions ON campaign_descriptions.campaign_id = campaigns.campaign_id

UNION ALL

SELECT
    'campaign-' || CAST(campaigns.campaign_id AS VARCHAR) || '-' || CAST(campaigns.household_id AS VARCHAR)
        || '-closed',
    CAST(campaigns.household_id AS VARCHAR),
    campaign_descriptions.end_date + INTERVAL '1 day',
    campaign_descriptions.end_date + INTERVAL '1 day' AS known_at,
    'mail',
    'campaign_closed',
    'campaign',
    'marketing',
    NULL, NULL, NULL, NULL,
    'campaigns',
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    campaigns.campaign_id,
    NULL
FROM campaigns
INNER JOIN campaign_descriptions ON campaign_descriptions.campaign_id = campaigns.campaign_id
WHERE campaign_descriptions.end_date + INTERVAL '1 day' < $as_of

UNION ALL

SELECT
    'redemption-' || CAST(campaign_id AS VARCHAR) || '-' || CAST(household_id AS VARCHAR) || '-'
        || CAST(coupon_upc AS VARCHAR) || '-' || to_char(redemption_date, '%Y%m%d'),
    CAST(household_id AS VARCHAR),
    redemption_date,
    redemption_date AS known_at,
    'store',
    'coupon_redeemed',
    'campaign',
    'marketing',
    NULL, NULL, NULL, NULL,
    'coupon_redemptions',
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    campaign_id,
    NULL
FROM coupon_redemptions
