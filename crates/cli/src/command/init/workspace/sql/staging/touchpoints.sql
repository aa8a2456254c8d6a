-- One row: an interaction, in the columns that journeys are matched on. From: contacts. Key: touchpoint_id.
-- Any further column may be added here and used in a journey's conditions. What this company does not know is left out:
-- whether a contact solved it (resolved), what it cost to serve (cost), how long it took (duration_s).
SELECT
    contact_id AS touchpoint_id,
    customer_id,
    at AS occurred_at,
    channel,
    event,
    topic,
    department AS function,
    (CAST(score AS DOUBLE) - 1) / 4 AS satisfaction   -- a score of 1 to 5 becomes 0 to 1
FROM contacts
