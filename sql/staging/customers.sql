-- One row: a membership spell of a customer from valid_from on, the day since which its attributes hold.
-- From: the source customer_register. Key: customer_id, joined_at, valid_from.
-- Notice, churn and loss at or after $as_of are not known yet. Why a customer left is left out: nothing known only afterwards
-- may serve as an attribute of a customer who is still there.
SELECT
    customer_id,
    joined_at,
    CASE WHEN notice_at < $as_of THEN notice_at END AS notice_at,
    CASE WHEN churned_at < $as_of THEN churned_at END AS churned_at,
    CASE WHEN lost_at < $as_of THEN lost_at END AS lost_at,
    valid_from,
    coalesce(segment, 'unknown') AS segment,
    region,
    acquisition_channel,
    birth_year
FROM customer_register
