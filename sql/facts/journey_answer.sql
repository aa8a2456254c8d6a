-- One row: a survey answer about a journey as a whole, with the instance it belongs to (SEMANTICS 3).
-- From: survey_answers (kind journey), fct_journey_touchpoint, journey_definitions.
-- Key: answer_id. journey_id is null where no instance was found; unplaced_answers counts those by reason.
WITH answer AS (
    SELECT
        answer_id,
        customer_id,
        journey AS asked_journey,
        coalesce(asked_at, answered_at) AS asked_at,
        answered_at,
        score,
        expected_score
    FROM survey_answers
    WHERE kind = 'journey' AND answered_at >= $interval_start
),

-- An instance's latest member at or before the question. Both limits bear on single members, so a touchpoint that
-- comes after the question can never move an answer that was placed before it.
candidate AS (
    SELECT
        answer.answer_id,
        member.journey,
        member.journey_id,
        member.started_at,
        max(member.occurred_at) AS latest_member_at
    FROM answer
    INNER JOIN fct_journey_touchpoint AS member
        ON member.customer_id = answer.customer_id
        AND member.occurred_at <= answer.asked_at
        AND member.occurred_at >= answer.answered_at - INTERVAL '30 days'
        AND member.occurred_at >= $interval_start - INTERVAL '30 days'
        AND (answer.asked_journey IS NULL OR answer.asked_journey = member.journey)
    GROUP BY answer.answer_id, member.journey, member.journey_id, member.started_at
),

ranked AS (
    SELECT
        answer_id,
        journey,
        journey_id,
        latest_member_at,
        row_number() OVER (
            PARTITION BY answer_id
            ORDER BY latest_member_at DESC, started_at DESC, journey_id
        ) AS preference
    FROM candidate
)

SELECT
    answer.answer_id,
    answer.customer_id,
    answer.asked_journey,
    answer.asked_at,
    answer.answered_at,
    ranked.journey,
    ranked.journey_id,
    ranked.latest_member_at,
    answer.score,
    answer.expected_score,
    CASE
        WHEN ranked.journey_id IS NOT NULL THEN NULL
        WHEN answer.asked_journey IS NOT NULL AND definition.journey IS NULL THEN 'journey_not_defined'
        ELSE 'no_instance_in_30_days'
    END AS unplaced_reason
FROM answer
LEFT JOIN ranked ON ranked.answer_id = answer.answer_id AND ranked.preference = 1
LEFT JOIN journey_definitions AS definition ON definition.journey = answer.asked_journey
