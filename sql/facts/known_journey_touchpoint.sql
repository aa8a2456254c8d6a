-- One row: a touchpoint of a known instance (SEMANTICS 5). From: fct_journey_touchpoint. Key: journey_id, step.
SELECT
    customer_id,
    journey,
    journey_id,
    step,
    touchpoint_id,
    occurred_at,
    known_at,
    channel,
    topic,
    resolved,
    status,
    started_at,
    last_at,
    ended_at
FROM fct_journey_touchpoint
