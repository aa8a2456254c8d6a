-- One row: a journey in a quarter. From: fct_journey. Key: journey, segment, period_kind, period_start.
-- A rate is only told once every journey of the quarter is over, and always stands beside its denominator.
WITH counted AS (
    SELECT
        journey,
        date_trunc('quarter', started_at) AS period_start,
        count(*) AS instances,
        count(*) FILTER (WHERE status = 'completed') AS completed,
        count(*) FILTER (WHERE status = 'abandoned') AS abandoned,
        count(*) FILTER (WHERE status = 'expired') AS expired,
        count(*) FILTER (WHERE status = 'restarted') AS restarted,
        count(*) FILTER (WHERE status = 'open') AS open,
        median(duration_s) FILTER (WHERE status = 'completed') AS duration_p50_s,
        sum(contacts) AS contacts,
        CAST(sum(contacts) AS DOUBLE) / count(*) AS contacts_per_instance,
        CAST(sum(handoffs) AS DOUBLE) / count(*) AS handoffs_per_instance,
        CAST(sum(repeat_contacts) AS DOUBLE) / nullif(sum(contacts), 0) AS repeat_contact_rate,
        sum(touchpoint_responses) AS touchpoint_responses,
        sum(touchpoint_satisfaction * touchpoint_responses) / nullif(sum(touchpoint_responses), 0)
            AS touchpoint_satisfaction
    FROM fct_journey
    GROUP BY journey, date_trunc('quarter', started_at)
)

SELECT
    counted.*,
    'all' AS segment,
    'quarter' AS period_kind,
    to_char(period_start, '%Y') || '-Q' || CAST(date_part('quarter', period_start) AS VARCHAR) AS period,
    CASE WHEN open = 0 THEN 'ok' ELSE 'not_matured' END AS completion_status,
    CASE WHEN open > 0 THEN CAST(open AS VARCHAR) || ' are still open' END AS completion_reason,
    CASE WHEN open = 0 THEN wilson(completed, instances, $confidence)['estimate'] END AS completion_rate,
    CASE WHEN open = 0 THEN wilson(completed, instances, $confidence)['lower'] END AS completion_rate_lower,
    CASE WHEN open = 0 THEN wilson(completed, instances, $confidence)['upper'] END AS completion_rate_upper
FROM counted
ORDER BY journey, period_start
