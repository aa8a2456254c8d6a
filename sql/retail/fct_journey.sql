-- One row: a journey instance with every measure of SEMANTICS 3.
-- As sql/facts/fct_journey.sql, with the columns that tell a household's instances apart: store, department, campaign.
-- From: journey_instance (the measures that touchpoints make), journey_answer, relationship_answer. Key: journey_id.
--
-- Answers come in no order; their sums are decimals. An increment makes instances again whose last touchpoint is no
-- older than $interval_start.
WITH journey_score AS (
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
    WHERE last_at >= $interval_start
    GROUP BY customer_id, journey_id
)

SELECT
    instance.journey_id,
    instance.journey,
    instance.customer_id,
    instance.store_id,
    instance.department,
    instance.campaign_id,
    instance.started_at,
    instance.last_at,
    instance.ended_at,
    instance.status,
    instance.duration_s,
    instance.touchpoints,
    instance.channels,
    instance.is_multichannel,
    instance.channel_switches,
    instance.functions,
    instance.handoffs,
    instance.contacts,
    instance.repeat_contacts,
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
FROM journey_instance AS instance
LEFT JOIN journey_score
    ON journey_score.customer_id = instance.customer_id AND journey_score.journey_id = instance.journey_id
LEFT JOIN relationship_score
    ON relationship_score.customer_id = instance.customer_id AND relationship_score.journey_id = instance.journey_id
