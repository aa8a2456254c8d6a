-- One row: what an employee says about a journey from within a department. From: employee_feedback. Key: feedback_id.
-- The score is scaled to 0..1, beside which customers' scores of the same journey can be laid.
SELECT
    feedback_id,
    department AS function,
    journey,
    submitted_at,
    (score - scale_min) / (scale_max - scale_min) AS score,
    theme
FROM employee_feedback
