-- One row: a web event that belongs to no customer, because its visitor does not log in within $identity_lookback.
-- From: web_events, identity_links. Key: event_id. Such events stay out of journeys; here they are counted
-- (SEMANTICS 1).
SELECT
    event.event_id,
    event.visitor_id,
    event.occurred_at,
    event.device AS channel,
    event.action AS event,
    event.topic
FROM web_events AS event
LEFT ANTI JOIN identity_links AS link
    ON link.visitor_id = event.visitor_id
    AND event.occurred_at >= link.claims_from
    AND event.occurred_at > link.previous_login_at
    AND event.occurred_at <= link.linked_at
