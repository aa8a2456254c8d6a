-- One row: how many survey answers found no touchpoint or no instance, by kind, named journey and reason.
-- From: survey_answers, journey_answer, relationship_answer, touchpoints. Key: kind, asked_journey, reason.
-- A relationship answer outside every closed instance is no defect: it speaks for the whole relation, not for a
-- journey.
WITH transaction_answer AS (
    SELECT
        answer.kind,
        'any' AS asked_journey,
        CASE WHEN answer.touchpoint_id IS NULL THEN 'no_touchpoint_named' ELSE 'touchpoint_not_found' END AS reason
    FROM survey_answers AS answer
    LEFT JOIN touchpoints ON touchpoints.touchpoint_id = answer.touchpoint_id
    WHERE answer.kind = 'transaction' AND touchpoints.touchpoint_id IS NULL
),

journey_wide_answer AS (
    SELECT 'journey' AS kind, coalesce(asked_journey, 'any') AS asked_journey, unplaced_reason AS reason
    FROM journey_answer
    WHERE journey_id IS NULL
),

relationship_wide_answer AS (
    SELECT answer.kind, 'any' AS asked_journey, 'outside_closed_instances' AS reason
    FROM survey_answers AS answer
    LEFT ANTI JOIN relationship_answer ON relationship_answer.answer_id = answer.answer_id
    WHERE answer.kind = 'relationship'
),

unplaced AS (
    SELECT kind, asked_journey, reason FROM transaction_answer
    UNION ALL
    SELECT kind, asked_journey, reason FROM journey_wide_answer
    UNION ALL
    SELECT kind, asked_journey, reason FROM relationship_wide_answer
)

SELECT kind, asked_journey, reason, count(*) AS answers
FROM unplaced
GROUP BY kind, asked_journey, reason
ORDER BY kind, asked_journey, reason
