-- One row: a customer with members of a journey in a landmark's exposure window. From: landmark,
-- fct_journey_touchpoint.
-- Key: landmark, journey, customer_id. exposed: an instance started in the window; carried_over: members but no start,
-- so neither exposed nor unexposed. Only members known before the landmark count: a web event whose visitor logs in
-- later was nobody's then. Where such an event is an instance's first member, those after it are carried_over.
SELECT
    landmark.landmark,
    member.journey,
    member.customer_id,
    CASE WHEN count(*) FILTER (WHERE member.step = 1) > 0 THEN 'exposed' ELSE 'carried_over' END AS exposure,
    count(*) FILTER (WHERE member.step = 1) AS instances,
    min(CASE WHEN member.step = 1 THEN member.started_at END) AS first_started_at
FROM fct_journey_touchpoint AS member
INNER JOIN landmark
    ON member.occurred_at >= landmark.exposure_from
    AND member.occurred_at < landmark.landmark
    AND member.known_at < landmark.landmark
GROUP BY landmark.landmark, member.journey, member.customer_id
