-- One row: a household's first or second basket with goods of a department that is new to it, as a touchpoint.
-- From: department_trials. Key: touchpoint_id.
SELECT
    'department-' || department || '-' || basket_id AS touchpoint_id,
    customer_id,
    occurred_at,
    'store' AS channel,
    CASE WHEN nth = 1 THEN 'department_tried' ELSE 'department_bought_again' END AS event,
    'department' AS topic,
    'category-management' AS function,
    'transactions' AS source,
    department
FROM department_trials
