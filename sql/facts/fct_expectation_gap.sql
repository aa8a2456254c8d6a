-- One row: what customers expected beside what they experienced, by kind of survey, journey and quarter (SEMANTICS 6).
-- From: survey_answers, journey_answer. Key: kind, journey, period_start. journey is 'any' where the answer belongs to
-- none. Only answers that give both scores; gap = expected − experienced, above 0 the customer was let down.
WITH answer AS (
    SELECT
        answer.kind,
        coalesce(journey_answer.journey, answer.journey, 'any') AS journey,
        date_trunc('quarter', answer.answered_at) AS period_start,
        CAST(answer.expected_score AS DECIMAL(38, 18)) AS expected_score,
        CAST(answer.score AS DECIMAL(38, 18)) AS score
    FROM survey_answers AS answer
    LEFT JOIN journey_answer ON journey_answer.answer_id = answer.answer_id
    WHERE answer.expected_score IS NOT NULL AND answer.score IS NOT NULL
)

SELECT
    kind,
    journey,
    period_start,
    period_start + INTERVAL '3 months' AS period_end,
    to_char(period_start, '%Y') || '-Q' || CAST(date_part('quarter', period_start) AS VARCHAR) AS period,
    count(*) AS responses,
    CAST(sum(expected_score) AS DOUBLE) / count(*) AS expected_satisfaction,
    CAST(sum(score) AS DOUBLE) / count(*) AS experienced_satisfaction,
    CAST(sum(expected_score - score) AS DOUBLE) / count(*) AS expectation_gap,
    count(*) FILTER (WHERE score < expected_score) AS let_down,
    CAST(count(*) FILTER (WHERE score < expected_score) AS DOUBLE) / count(*) AS let_down_share
FROM answer
GROUP BY kind, journey, period_start
ORDER BY kind, journey, period_start
