-- One row: a step from one kind of touchpoint to the next inside a journey, over all its instances.
-- From: fct_journey_touchpoint. Key: journey, from_event, from_channel, to_event, to_channel.
-- The last member of an instance leads to its status: to_event '(completed)', …, to_channel '(end)'. So the steps out
-- of a touchpoint always add up to the steps into it, plus the instances that start there.
WITH step AS (
    SELECT
        journey,
        journey_id,
        status,
        event AS from_event,
        channel AS from_channel,
        occurred_at,
        lead(journey_id) OVER journey_order AS next_journey_id,
        lead(event) OVER journey_order AS next_event,
        lead(channel) OVER journey_order AS next_channel,
        lead(occurred_at) OVER journey_order AS next_occurred_at
    FROM fct_journey_touchpoint
    WINDOW journey_order AS (PARTITION BY customer_id ORDER BY journey, journey_id, step)
),

transition AS (
    SELECT
        journey,
        journey_id,
        status,
        from_event,
        from_channel,
        CASE WHEN next_journey_id = journey_id THEN next_event ELSE '(' || status || ')' END AS to_event,
        CASE WHEN next_journey_id = journey_id THEN next_channel ELSE '(end)' END AS to_channel,
        coalesce(next_journey_id <> journey_id, TRUE) AS is_end,
        CASE WHEN next_journey_id = journey_id
            THEN (CAST(next_occurred_at AS BIGINT) - CAST(occurred_at AS BIGINT)) / 1e6
        END AS seconds_between
    FROM step
),

counted AS (
    SELECT
        journey,
        from_event,
        from_channel,
        to_event,
        to_channel,
        bool_or(is_end) AS is_end,
        count(*) AS transitions,
        count(DISTINCT journey_id) AS instances,
        count(*) FILTER (WHERE status <> 'open') AS closed_transitions,
        count(*) FILTER (WHERE status = 'completed') AS completed_transitions,
        count(*) FILTER (WHERE status IN ('abandoned', 'expired')) AS failed_transitions,
        median(seconds_between) AS median_seconds_between
    FROM transition
    GROUP BY journey, from_event, from_channel, to_event, to_channel
)

SELECT
    journey,
    from_event,
    from_channel,
    to_event,
    to_channel,
    is_end,
    transitions,
    CAST(sum(transitions) OVER (PARTITION BY journey, from_event, from_channel) AS BIGINT) AS transitions_from,
    CAST(transitions AS DOUBLE) / sum(transitions) OVER (PARTITION BY journey, from_event, from_channel)
        AS share_of_transitions_from,
    instances,
    closed_transitions,
    completed_transitions,
    CAST(completed_transitions AS DOUBLE) / nullif(closed_transitions, 0) AS completed_share,
    failed_transitions,
    CAST(failed_transitions AS DOUBLE) / nullif(closed_transitions, 0) AS failed_share,
    median_seconds_between
FROM counted
ORDER BY journey, from_event, from_channel, to_event, to_channel
