-- One row: a coupon redeemed, as a touchpoint. From: coupon_redemptions. Key: touchpoint_id. A redemption has only a
-- date, which is read as its first instant, so it stands just before the basket it was for.
SELECT
    'redemption-' || CAST(campaign_id AS VARCHAR) || '-' || CAST(household_id AS VARCHAR) || '-'
        || CAST(coupon_upc AS VARCHAR) || '-' || to_char(redemption_date, '%Y%m%d') AS touchpoint_id,
    household_id AS customer_id,
    redemption_date AS occurred_at,
    'store' AS channel,
    'coupon_redeemed' AS event,
    'campaign' AS topic,
    'marketing' AS function,
    'coupon_redemptions' AS source,
    campaign_id
FROM coupon_redemptions
