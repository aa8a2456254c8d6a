-- One row: a purchase of a customer, a subscription taken out. From: subscriptions. Key: purchase_id.
-- The first one of a spell is bought on joining; at a landmark it lies in the past, so whatever comes in an outcome
-- window is a repurchase.
SELECT
    subscription_id AS purchase_id,
    customer_id,
    started_at AS purchased_at
FROM subscriptions
