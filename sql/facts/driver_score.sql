-- One row: a responder's mean score of the touchpoints of one event, or of all events that have no score of their own.
-- From: journey_responder, score_at_landmark. Key: landmark, journey, customer_id, joined_at, scored_event.
-- The events that most responders answered about have a score of their own: at least $minimum_event_answers answered,
-- and no more scores than one for each $churners_a_score responders who left (or stayed, if they are fewer), so that the
-- models of fct_journey_drivers can bear them. The touchpoints of the other events share one score.
WITH responder AS (
    SELECT
        landmark,
        journey,
        customer_id,
        joined_at,
        count(*) FILTER (WHERE churned) OVER (PARTITION BY landmark, journey) AS churners,
        count(*) FILTER (WHERE NOT churned) OVER (PARTITION BY landmark, journey) AS stayers
    FROM journey_responder
    WHERE churned IS NOT NULL AND touchpoint_responses > 0
),

counted AS (
    SELECT
        responder.landmark,
        responder.journey,
        responder.customer_id,
        responder.joined_at,
        score.event,
        score.responses,
        score.satisfaction,
        greatest(1, least(responder.churners, responder.stayers) / $churners_a_score) AS most_scores,
        count(*) OVER (PARTITION BY responder.landmark, responder.journey, score.event) AS customers
    FROM responder
    INNER JOIN score_at_landmark AS score
        ON score.landmark = responder.landmark
        AND score.journey = responder.journey
        AND score.customer_id = responder.customer_id
        AND score.kind = 'touchpoint'
),

ranked AS (
    SELECT
        counted.*,
        dense_rank() OVER (PARTITION BY landmark, journey ORDER BY customers DESC, event) AS place,
        min(customers) OVER (PARTITION BY landmark, journey) AS fewest_customers
    FROM counted
),

placed AS (
    SELECT ranked.*, max(place) OVER (PARTITION BY landmark, journey) AS events
    FROM ranked
),

named AS (
    SELECT
        landmark,
        journey,
        customer_id,
        joined_at,
        responses,
        satisfaction,
        CASE
            -- Every event can have its own.
            WHEN events <= most_scores AND fewest_customers >= $minimum_event_answers THEN event
            -- One score is for the others.
            WHEN place < most_scores AND customers >= $minimum_event_answers THEN event
            WHEN most_scores = 1 OR max(customers) OVER (PARTITION BY landmark, journey) < $minimum_event_answers
                THEN 'all touchpoints'
            ELSE 'other touchpoints'
        END AS scored_event
    FROM placed
)

SELECT
    landmark,
    journey,
    customer_id,
    joined_at,
    scored_event,
    CAST(sum(responses) AS BIGINT) AS responses,
    -- A decimal sum, so the order of the rows does not matter.
    CAST(sum(CAST(satisfaction * responses AS DECIMAL(38, 18))) AS DOUBLE) / sum(responses) AS satisfaction
FROM named
GROUP BY landmark, journey, customer_id, joined_at, scored_event
