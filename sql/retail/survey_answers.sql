-- One row: a customer's answer to a survey. There are none: nobody asked these households. From: nothing. Key:
-- answer_id. Empty, so that the facts stand, with nulls where satisfaction would be.
SELECT
    CAST(NULL AS VARCHAR) AS answer_id,
    CAST(NULL AS VARCHAR) AS customer_id,
    CAST(NULL AS VARCHAR) AS kind,
    CAST(NULL AS VARCHAR) AS journey,
    CAST(NULL AS VARCHAR) AS touchpoint_id,
    arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS asked_at,
    arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS answered_at,
    CAST(NULL AS DOUBLE) AS score,
    CAST(NULL AS DOUBLE) AS expected_score
WHERE FALSE
