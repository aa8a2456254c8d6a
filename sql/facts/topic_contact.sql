-- One row: a contact about a topic, or a ticket opened again, with what was just before it (SEMANTICS 6).
-- From: touchpoints. Key: touchpoint_id.
-- A contact is a touchpoint on one of the $assisted_channels. It is a repeat when the same customer had a contact on the topic in
-- the 7 days before, whatever the journey; else it is a first contact, and the touchpoint just before it is upstream.
WITH touchpoint AS (
    SELECT
        touchpoint_id,
        customer_id,
        occurred_at,
        event,
        topic,
        cost,
        coalesce(channel IN ($assisted_channels), FALSE) AS is_contact,
        lag(event) OVER customer_order AS previous_event,
        lag(channel) OVER customer_order AS previous_channel
    FROM touchpoints
    WINDOW customer_order AS (PARTITION BY customer_id ORDER BY occurred_at, touchpoint_id)
)

-- Within a customer, contacts on a topic follow each other: one partition a customer costs less than one for each topic.
SELECT
    touchpoint_id,
    customer_id,
    occurred_at,
    event,
    topic,
    cost,
    is_contact,
    is_contact AND coalesce(
        lag(topic) OVER topic_order = topic
        AND lag(is_contact) OVER topic_order
        AND lag(occurred_at) OVER topic_order >= occurred_at - INTERVAL '7 days',
        FALSE
    ) AS is_repeat,
    coalesce(previous_event, '(none)') AS upstream_event,
    coalesce(previous_channel, '(none)') AS upstream_channel
FROM touchpoint
WHERE topic IS NOT NULL AND (is_contact OR event = 'ticket_reopened')
WINDOW topic_order AS (PARTITION BY customer_id ORDER BY topic, is_contact, occurred_at, touchpoint_id)
