-- One row: a login, which ties a web visitor to a customer. From: web_events. Key: visitor_id, linked_at.
-- It claims the visitor's events after the login before it and up to itself, at most $identity_lookback back
-- (SEMANTICS 1): occurred_at >= claims_from, > previous_login_at and <= linked_at. The claims of a visitor never
-- overlap, so an event finds one customer or none.
SELECT
    visitor_id,
    customer_id,
    linked_at,
    linked_at - $identity_lookback AS claims_from,
    coalesce(
        lag(linked_at) OVER (PARTITION BY visitor_id ORDER BY linked_at, event_id),
        linked_at - $identity_lookback - INTERVAL '1 second'
    ) AS previous_login_at
FROM (
    SELECT visitor_id, customer_id, occurred_at AS linked_at, event_id
    FROM web_events
    WHERE action = 'login' AND customer_id IS NOT NULL
) AS login
