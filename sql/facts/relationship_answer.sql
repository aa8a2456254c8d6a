-- One row: a relationship answer given inside a closed instance, for each such instance (SEMANTICS 3).
-- From: survey_answers (kind relationship), fct_journey_touchpoint.
-- Key: answer_id, journey_id. Journeys overlap, so one answer may speak for several instances.
WITH answer AS (
    SELECT answer_id, customer_id, answered_at, score
    FROM survey_answers
    WHERE kind = 'relationship'
),

instance AS (
    SELECT customer_id, journey, journey_id, started_at, last_at
    FROM fct_journey_touchpoint
    WHERE step = 1 AND status <> 'open'
),

inside AS (
    SELECT
        answer.answer_id,
        instance.customer_id,
        instance.journey,
        instance.journey_id,
        instance.last_at,
        answer.answered_at,
        answer.score,
        CAST(answer.answered_at AS BIGINT) - CAST(instance.started_at AS BIGINT) AS elapsed_us,
        CAST(instance.last_at AS BIGINT) - CAST(instance.started_at AS BIGINT) AS length_us
    FROM answer
    INNER JOIN instance
        ON instance.customer_id = answer.customer_id
        AND answer.answered_at >= instance.started_at
        AND answer.answered_at <= instance.last_at
)

SELECT
    answer_id,
    customer_id,
    journey,
    journey_id,
    last_at,
    answered_at,
    score,
    -- Thirds in whole microseconds: no division, so an answer exactly on a limit falls the same way every time.
    -- An instance of a single moment has no beginning and no end to compare.
    CASE WHEN length_us > 0 THEN CAST(elapsed_us AS DOUBLE) / length_us END AS elapsed_share,
    length_us > 0 AND 3 * elapsed_us < length_us AS is_first_third,
    length_us > 0 AND 3 * elapsed_us >= 2 * length_us AS is_last_third
FROM inside
