-- One row: a household's first or last day in a campaign, as a touchpoint. From: campaigns, campaign_descriptions.
-- Key: touchpoint_id. Campaigns have only dates, which are read as their first instants: a household is in a campaign
-- from the campaign's first day to the end of its last.
SELECT
    'campaign-' || CAST(campaigns.campaign_id AS VARCHAR) || '-' || CAST(campaigns.household_id AS VARCHAR)
        || '-received' AS touchpoint_id,
    campaigns.household_id AS customer_id,
    campaign_descriptions.start_date AS occurred_at,
    'mail' AS channel,
    'campaign_received' AS event,
    'campaign' AS topic,
    'marketing' AS function,
    'campaigns' AS source,
    campaigns.campaign_id
FROM campaigns
INNER JOIN campaign_descriptions ON campaign_descriptions.campaign_id = campaigns.campaign_id

UNION ALL

SELECT
    'campaign-' || CAST(campaigns.campaign_id AS VARCHAR) || '-' || CAST(campaigns.household_id AS VARCHAR)
        || '-closed',
    campaigns.household_id,
    campaign_descriptions.end_date + INTERVAL '1 day',
    'mail',
    'campaign_closed',
    'campaign',
    'marketing',
    'campaigns',
    campaigns.campaign_id
FROM campaigns
INNER JOIN campaign_descriptions ON campaign_descriptions.campaign_id = campaigns.campaign_id
WHERE campaign_descriptions.end_date + INTERVAL '1 day' < $as_of
