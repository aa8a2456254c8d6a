-- One row: satisfaction at a position along a journey, by step (1, 2, … 20 and later) or by tenth of the time elapsed.
-- From: fct_journey_touchpoint, relationship_answer. Key: journey, position_kind, position.
-- Tenths are of closed instances with a length: [0, 0.1) is 1, the last moment is 10. Relationship answers have no
-- step.
WITH touchpoint_answer AS (
    SELECT
        journey,
        journey_id,
        step,
        satisfaction AS score,
        CASE WHEN status <> 'open' THEN
            10 * (CAST(occurred_at AS BIGINT) - CAST(started_at AS BIGINT))
            / nullif(CAST(last_at AS BIGINT) - CAST(started_at AS BIGINT), 0)
        END AS tenths_elapsed
    FROM fct_journey_touchpoint
    WHERE satisfaction IS NOT NULL
),

answer AS (
    SELECT journey, journey_id, 'step' AS position_kind, least(step, 20) AS position, 'touchpoint' AS kind, score
    FROM touchpoint_answer
    UNION ALL
    SELECT journey, journey_id, 'tenth' AS position_kind, least(tenths_elapsed + 1, 10) AS position,
        'touchpoint' AS kind, score
    FROM touchpoint_answer
    WHERE tenths_elapsed IS NOT NULL
    UNION ALL
    SELECT journey, journey_id, 'tenth' AS position_kind,
        least(CAST(floor(elapsed_share * 10) AS BIGINT) + 1, 10) AS position, 'relationship' AS kind, score
    FROM relationship_answer
    WHERE elapsed_share IS NOT NULL AND score IS NOT NULL
)

SELECT
    journey,
    position_kind,
    position,
    count(DISTINCT journey_id) AS instances,
    count(*) FILTER (WHERE kind = 'touchpoint') AS touchpoint_responses,
    CAST(sum(CAST(score AS DECIMAL(38, 18))) FILTER (WHERE kind = 'touchpoint') AS DOUBLE)
        / nullif(count(*) FILTER (WHERE kind = 'touchpoint'), 0) AS touchpoint_satisfaction,
    count(*) FILTER (WHERE kind = 'touchpoint' AND score >= $satisfied) AS touchpoint_satisfied,
    CAST(count(*) FILTER (WHERE kind = 'touchpoint' AND score >= $satisfied) AS DOUBLE)
        / nullif(count(*) FILTER (WHERE kind = 'touchpoint'), 0) AS touchpoint_satisfied_share,
    count(*) FILTER (WHERE kind = 'relationship') AS relationship_responses,
    CAST(sum(CAST(score AS DECIMAL(38, 18))) FILTER (WHERE kind = 'relationship') AS DOUBLE)
        / nullif(count(*) FILTER (WHERE kind = 'relationship'), 0) AS relationship_satisfaction
FROM answer
GROUP BY journey, position_kind, position
ORDER BY journey, position_kind, position
