-- One row: a customer's answer about one touchpoint. From: survey_answers (kind transaction). Key: answer_id.
-- Whoever is asked twice about a touchpoint gives its satisfaction by the latest answer, so each row says until when it
-- is the latest: answered_again_at, null for the last. Of answers of one instant the smallest answer_id is the latest.
SELECT
    answer_id,
    touchpoint_id,
    customer_id,
    answered_at,
    lead(answered_at) OVER (
        PARTITION BY touchpoint_id, customer_id
        ORDER BY answered_at, answer_id DESC
    ) AS answered_again_at,
    score
FROM survey_answers
WHERE kind = 'transaction'
    AND touchpoint_id IS NOT NULL
    AND score IS NOT NULL
