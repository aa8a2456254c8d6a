-- One row: how many survey answers found no touchpoint or no instance, by kind, named journey and reason.
-- From: survey_answers, touchpoint_answer, journey_answer, relationship_answer, touchpoints. Key: kind, asked_journey,
-- reason. Every transaction answer is either the satisfaction of a touchpoint or counted here.
-- A relationship answer outside every closed instance is no defect: it speaks for the whole relation, not for a
-- journey.
WITH transaction_answer AS (
    SELECT
        answer.kind,
        'any' AS asked_journey,
        CASE
            WHEN answer.touchpoint_id IS NULL THEN 'no_touchpoint_named'
            WHEN answer.score IS NULL THEN 'no_score'
            WHEN touchpoints.touchpoint_id IS NULL THEN 'touchpoint_not_found'
            WHEN touchpoints.customer_id <> answer.customer_id THEN 'touchpoint_of_another_customer'
            WHEN answer.answered_at > touchpoints.occurred_at + INTERVAL '30 days'
                THEN 'answered_after_30_days'
            WHEN placed.answered_again_at <= touchpoints.occurred_at + INTERVAL '30 days'
                THEN 'answered_again_later'
        END AS reason
    FROM survey_answers AS answer
    LEFT JOIN touchpoint_answer AS placed ON placed.answer_id = answer.answer_id
    LEFT JOIN touchpoints ON touchpoints.touchpoint_id = answer.touchpoint_id
    WHERE answer.kind = 'transaction'
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
    SELECT kind, asked_journey, reason FROM transaction_answer WHERE reason IS NOT NULL
    UNION ALL
    SELECT kind, asked_journey, reason FROM journey_wide_answer
    UNION ALL
    SELECT kind, asked_journey, reason FROM relationship_wide_answer
)

SELECT kind, asked_journey, reason, count(*) AS answers
FROM unplaced
GROUP BY kind, asked_journey, reason
ORDER BY kind, asked_journey, reason
