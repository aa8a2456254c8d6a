-- One row: a touchpoint. From: touchpoint_log. Key: touchpoint_id.
SELECT touchpoint_id, customer_id, occurred_at, channel, event, topic, "function", satisfaction, resolved, duration_s, cost
FROM touchpoint_log
