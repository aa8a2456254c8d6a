-- One row: an exposed spell whose customer answered about a journey before the landmark, with the mean scores given.
-- From: key_journey_customer, journey_answer, fct_journey_touchpoint, landmark, survey_answers.
-- Key: landmark, journey, customer_id, joined_at. Only instances that started in the exposure window, only answers before t0.
WITH started AS (
    SELECT landmark.landmark, landmark.exposure_from, member.journey, member.journey_id, member.customer_id
    FROM fct_journey_touchpoint AS member
    INNER JOIN landmark
        ON member.started_at >= landmark.exposure_from
        AND member.started_at < landmark.landmark
        AND member.known_at < landmark.landmark
    WHERE member.step = 1
),

journey_score AS (
    SELECT
        started.landmark,
        started.journey,
        started.customer_id,
        count(answer.score) AS journey_responses,
        CAST(sum(CAST(answer.score AS DECIMAL(38, 18))) AS DOUBLE) / count(answer.score) AS journey_satisfaction
    FROM started
    INNER JOIN journey_answer AS answer
        ON answer.journey_id = started.journey_id
        AND answer.answered_at < started.landmark
    GROUP BY started.landmark, started.journey, started.customer_id
),

-- A touchpoint's score counts from its answer on, where a survey says when that was; of several answers the latest
-- one is the touchpoint's.
touchpoint_answer AS (
    SELECT touchpoint_id, customer_id, max(answered_at) AS answered_at
    FROM survey_answers
    WHERE kind = 'transaction' AND touchpoint_id IS NOT NULL
    GROUP BY touchpoint_id, customer_id
),

scored_member AS (
    SELECT
        member.journey_id,
        member.satisfaction,
        greatest(member.known_at, coalesce(touchpoint_answer.answered_at, member.known_at)) AS known_at
    FROM fct_journey_touchpoint AS member
    LEFT JOIN touchpoint_answer
        ON touchpoint_answer.touchpoint_id = member.touchpoint_id
        AND touchpoint_answer.customer_id = member.customer_id
    WHERE member.satisfaction IS NOT NULL
),

touchpoint_score AS (
    SELECT
        started.landmark,
        started.journey,
        started.customer_id,
        count(*) AS touchpoint_responses,
        CAST(sum(CAST(member.satisfaction AS DECIMAL(38, 18))) AS DOUBLE) / count(*) AS touchpoint_satisfaction
    FROM started
    INNER JOIN scored_member AS member
        ON member.journey_id = started.journey_id
        AND member.known_at < started.landmark
    GROUP BY started.landmark, started.journey, started.customer_id
)

SELECT
    customer.landmark,
    customer.journey,
    customer.customer_id,
    customer.joined_at,
    customer.segment,
    customer.tenure_band,
    customer.churned,
    coalesce(journey_score.journey_responses, 0) AS journey_responses,
    journey_score.journey_satisfaction,
    coalesce(touchpoint_score.touchpoint_responses, 0) AS touchpoint_responses,
    touchpoint_score.touchpoint_satisfaction
FROM key_journey_customer AS customer
LEFT JOIN journey_score
    ON journey_score.landmark = customer.landmark
    AND journey_score.journey = customer.journey
    AND journey_score.customer_id = customer.customer_id
LEFT JOIN touchpoint_score
    ON touchpoint_score.landmark = customer.landmark
    AND touchpoint_score.journey = customer.journey
    AND touchpoint_score.customer_id = customer.customer_id
WHERE customer.exposure = 'exposed'
    AND customer.is_counted
    AND (journey_score.journey_satisfaction IS NOT NULL OR touchpoint_score.touchpoint_satisfaction IS NOT NULL)
