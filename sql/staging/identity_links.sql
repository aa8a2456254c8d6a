-- One row: a login, which ties a web visitor to a customer. From: web_events. Key: visitor_id, linked_at.
-- It claims the visitor's events after the login before it and up to itself, at most $identity_lookback back
-- (SEMANTICS 1): occurred_at >= claims_from, > previous_login_at and <= linked_at. The claims of a visitor never
-- overlap, so an event finds one customer or none.
-- Visitors are many and log in once or twice: a window over all whose ids end alike costs less than one for each.
SELECT
    visitor_id,
    customer_id,
    linked_at,
    linked_at - $identity_lookback AS claims_from,
    CASE WHEN visitor_before = visitor_id THEN login_before
        ELSE linked_at - $identity_lookback - INTERVAL '1 second'
    END AS previous_login_at
FROM (
    SELECT
        visitor_id,
        customer_id,
        occurred_at AS linked_at,
        lag(visitor_id) OVER visitor_order AS visitor_before,
        lag(occurred_at) OVER visitor_order AS login_before
    FROM web_events
    WHERE action = 'login' AND customer_id IS NOT NULL
    WINDOW visitor_order AS (PARTITION BY right(visitor_id, 2) ORDER BY visitor_id, occurred_at, event_id)
) AS login
