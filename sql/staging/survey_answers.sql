-- One row: a customer's answer to a survey. From: surveys. Key: answer_id. Scores of every scale become 0..1.
-- touchpoint_id is set where the survey asked about one touchpoint, as sql/staging/touchpoints.sql names it: surveys
-- about tickets ask after the closing, those about invoices after the bill. What names another source finds no
-- touchpoint and is counted in unplaced_answers.
SELECT
    survey_id AS answer_id,
    customer_id,
    kind,
    journey,
    CASE touchpoint_source
        WHEN 'tickets' THEN 'ticket-' || touchpoint_ref || '-closed'
        WHEN 'calls' THEN 'call-' || touchpoint_ref
        WHEN 'visits' THEN 'visit-' || touchpoint_ref
        WHEN 'messages' THEN 'message-' || touchpoint_ref
        WHEN 'web_events' THEN 'web-' || touchpoint_ref
        WHEN 'invoices' THEN 'invoice-' || touchpoint_ref || '-issued'
        ELSE touchpoint_source || '-' || touchpoint_ref
    END AS touchpoint_id,
    asked_at,
    answered_at,
    (score - scale_min) / (scale_max - scale_min) AS score,
    (expected_score - scale_min) / (scale_max - scale_min) AS expected_score
FROM surveys
