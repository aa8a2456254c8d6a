-- One row: a journey instance with every measure of SEMANTICS 3.
-- From: fct_journey_touchpoint (its declared order: customer_id, journey, journey_id, step), journey_answer,
-- relationship_answer. Key: journey_id.
--
-- The windows follow the matcher's order customer by customer, and the first GROUP BY instance by instance: both
-- stream, and float sums run in step order, so the same members give the same bits on any number of threads.
-- (A window for each instance would say the same at five times the cost: instances are many and short.)
-- Answers come in no order; their sums are decimals.
WITH step AS (
    SELECT
        customer_id,
        journey,
        journey_id,
        step,
        started_at,
        last_at,
        ended_at,
        status,
        channel,
        "function",
        satisfaction,
        resolved,
        cost,
        channel IN ('phone', 'chat', 'field', 'store') AS is_contact,
        lag(journey_id) OVER journey_order AS previous_journey_id,
        lag(channel) OVER journey_order AS previous_channel,
        -- The department before, and its instance, skipping members that no department handled.
        lag(CASE WHEN "function" IS NOT NULL THEN journey_id END) IGNORE NULLS OVER journey_order
            AS previous_function_journey_id,
        lag("function") IGNORE NULLS OVER journey_order AS previous_function
    FROM fct_journey_touchpoint
    WINDOW journey_order AS (PARTITION BY customer_id ORDER BY journey, journey_id, step)
),

instance AS (
    SELECT
        customer_id,
        journey,
        journey_id,
        -- The same in every row of an instance.
        max(started_at) AS started_at,
        max(last_at) AS last_at,
        max(ended_at) AS ended_at,
        max(status) AS status,
        count(*) AS touchpoints,
        count(DISTINCT channel) AS channels,
        count(*) FILTER (WHERE previous_journey_id = journey_id AND channel <> previous_channel) AS channel_switches,
        count(DISTINCT "function") AS functions,
        count(*) FILTER (WHERE previous_function_journey_id = journey_id AND "function" <> previous_function)
            AS handoffs,
        count(*) FILTER (WHERE is_contact) AS contacts,
        first_value(channel ORDER BY step) AS first_channel,
        last_value(channel ORDER BY step) AS last_channel,
        count(*) FILTER (WHERE NOT resolved) AS unresolved,
        sum(cost) AS cost,
        avg(satisfaction) AS touchpoint_satisfaction,
        count(satisfaction) AS touchpoint_responses,
        min(satisfaction) AS worst_touchpoint_satisfaction,
        bool_and(satisfaction >= $satisfied) AS all_satisfied
    FROM step
    GROUP BY customer_id, journey, journey_id
),

-- Contacts beside the latest earlier one on their topic. Only these rows need an order of their own.
contact AS (
    SELECT
        customer_id,
        journey_id,
        topic,
        occurred_at,
        lag(journey_id) OVER topic_order AS previous_journey_id,
        lag(topic) OVER topic_order AS previous_topic,
        lag(occurred_at) OVER topic_order AS previous_occurred_at
    FROM fct_journey_touchpoint
    WHERE channel IN ('phone', 'chat', 'field', 'store') AND topic IS NOT NULL
    WINDOW topic_order AS (PARTITION BY customer_id ORDER BY journey, journey_id, topic, step)
),

repetition AS (
    SELECT customer_id, journey_id, count(*) AS repeat_contacts
    FROM contact
    WHERE previous_journey_id = journey_id
        AND previous_topic = topic
        AND previous_occurred_at >= occurred_at - INTERVAL '7 days'
    GROUP BY customer_id, journey_id
),

journey_score AS (
    SELECT
        customer_id,
        journey_id,
        count(score) AS journey_responses,
        CAST(sum(CAST(score AS DECIMAL(38, 18))) AS DOUBLE) / count(score) AS journey_satisfaction
    FROM journey_answer
    WHERE journey_id IS NOT NULL
    GROUP BY customer_id, journey_id
),

relationship_score AS (
    SELECT
        customer_id,
        journey_id,
        CAST(sum(CAST(score AS DECIMAL(38, 18))) FILTER (WHERE is_first_third) AS DOUBLE)
            / nullif(count(score) FILTER (WHERE is_first_third), 0) AS satisfaction_start,
        CAST(sum(CAST(score AS DECIMAL(38, 18))) FILTER (WHERE is_last_third) AS DOUBLE)
            / nullif(count(score) FILTER (WHERE is_last_third), 0) AS satisfaction_end
    FROM relationship_answer
    GROUP BY customer_id, journey_id
)

SELECT
    instance.journey_id,
    instance.journey,
    instance.customer_id,
    instance.started_at,
    instance.last_at,
    instance.ended_at,
    instance.status,
    (CAST(instance.last_at AS BIGINT) - CAST(instance.started_at AS BIGINT)) / 1e6 AS duration_s,
    instance.touchpoints,
    instance.channels,
    instance.channels > 1 AS is_multichannel,
    instance.channel_switches,
    instance.functions,
    instance.handoffs,
    instance.contacts,
    coalesce(repetition.repeat_contacts, 0) AS repeat_contacts,
    instance.first_channel,
    instance.last_channel,
    instance.unresolved,
    instance.cost,
    instance.touchpoint_satisfaction,
    instance.touchpoint_responses,
    instance.worst_touchpoint_satisfaction,
    instance.all_satisfied,
    journey_score.journey_satisfaction,
    coalesce(journey_score.journey_responses, 0) AS journey_responses,
    instance.touchpoint_satisfaction - journey_score.journey_satisfaction AS satisfaction_gap,
    relationship_score.satisfaction_start,
    relationship_score.satisfaction_end,
    relationship_score.satisfaction_end - relationship_score.satisfaction_start AS satisfaction_points,
    CASE WHEN relationship_score.satisfaction_start <> 0
        THEN relationship_score.satisfaction_end / relationship_score.satisfaction_start - 1
    END AS satisfaction_change
FROM instance
LEFT JOIN repetition
    ON repetition.customer_id = instance.customer_id AND repetition.journey_id = instance.journey_id
LEFT JOIN journey_score
    ON journey_score.customer_id = instance.customer_id AND journey_score.journey_id = instance.journey_id
LEFT JOIN relationship_score
    ON relationship_score.customer_id = instance.customer_id AND relationship_score.journey_id = instance.journey_id
