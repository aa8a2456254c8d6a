-- One row: the mean score that a customer had given by a landmark of a journey as a whole, or of the touchpoints of one
-- event in the same instances. From: landmark, journey_answer, fct_journey_touchpoint, survey_answers.
-- Key: landmark, journey, customer_id, kind, event. kind is journey (event '') or touchpoint.
-- An instance counts at a landmark when one of its touchpoints became known in the exposure window and an answer about
-- it as a whole was given before the landmark. So both kinds speak of the same instances, and of what was known then.
WITH answer AS (
    SELECT journey_id, answered_at, score
    FROM journey_answer
    WHERE journey_id IS NOT NULL AND score IS NOT NULL
),

-- Of the instances somebody answered about, which are few.
member AS (
    SELECT journey, journey_id, customer_id, touchpoint_id, event, known_at, satisfaction
    FROM fct_journey_touchpoint
    WHERE journey_id IN (SELECT journey_id FROM answer)
),

recent AS (
    SELECT landmark.landmark, member.journey, member.journey_id, member.customer_id
    FROM member
    INNER JOIN landmark
        ON member.known_at >= landmark.exposure_from
        AND member.known_at < landmark.landmark
    GROUP BY landmark.landmark, member.journey, member.journey_id, member.customer_id
),

answered AS (
    SELECT
        recent.landmark,
        recent.journey,
        recent.journey_id,
        recent.customer_id,
        count(*) AS responses,
        sum(CAST(answer.score AS DECIMAL(38, 18))) AS score
    FROM recent
    INNER JOIN answer ON answer.journey_id = recent.journey_id AND answer.answered_at < recent.landmark
    GROUP BY recent.landmark, recent.journey, recent.journey_id, recent.customer_id
),

-- A touchpoint's score counts from its answer on, where a survey says when that was; of several answers the latest
-- one is the touchpoint's.
touchpoint_answer AS (
    SELECT touchpoint_id, customer_id, max(answered_at) AS answered_at
    FROM survey_answers
    WHERE kind = 'transaction' AND touchpoint_id IS NOT NULL
    GROUP BY touchpoint_id, customer_id
),

scored AS (
    SELECT
        member.journey_id,
        member.event,
        member.satisfaction,
        greatest(member.known_at, coalesce(touchpoint_answer.answered_at, member.known_at)) AS known_at
    FROM member
    LEFT JOIN touchpoint_answer
        ON touchpoint_answer.touchpoint_id = member.touchpoint_id
        AND touchpoint_answer.customer_id = member.customer_id
    WHERE member.satisfaction IS NOT NULL
)

SELECT
    landmark,
    journey,
    customer_id,
    'journey' AS kind,
    '' AS event,
    CAST(sum(responses) AS BIGINT) AS responses,
    CAST(sum(score) AS DOUBLE) / sum(responses) AS satisfaction
FROM answered
GROUP BY landmark, journey, customer_id

UNION ALL

SELECT
    answered.landmark,
    answered.journey,
    answered.customer_id,
    'touchpoint' AS kind,
    scored.event,
    count(*) AS responses,
    CAST(sum(CAST(scored.satisfaction AS DECIMAL(38, 18))) AS DOUBLE) / count(*) AS satisfaction
FROM answered
INNER JOIN scored ON scored.journey_id = answered.journey_id AND scored.known_at < answered.landmark
GROUP BY answered.landmark, answered.journey, answered.customer_id, scored.event
