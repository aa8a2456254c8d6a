-- One row: an interaction, in the columns that journeys are matched on. From: contacts. Key: touchpoint_id.
-- Any further column may be added here and used in a journey's conditions.
SELECT
    contact_id AS touchpoint_id,
    customer_id,
    at AS occurred_at,
    at AS known_at,                                   -- a web event may become known only by a later login
    channel,
    event,
    topic,
    department AS function,
    (CAST(score AS DOUBLE) - 1) / 4 AS satisfaction,  -- a score of 1 to 5 becomes 0 to 1
    CAST(NULL AS BOOLEAN) AS resolved,                -- not known here: whether it was solved,
    CAST(NULL AS DOUBLE) AS cost                      -- and what it cost to serve
FROM contacts
