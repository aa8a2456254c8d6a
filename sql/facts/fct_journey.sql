-- One row: a journey instance with every measure of SEMANTICS 3.
-- From: journey_instance (keys, and the measures that touchpoints make), journey_answer, relationship_answer.
-- Key: journey_id.
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
    instance.*,
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
