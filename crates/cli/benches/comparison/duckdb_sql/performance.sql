-- One row: a journey in a segment ('all' for the total) and a period (SEMANTICS 4). From: fct_journey, customer.
-- Key: journey, segment, period_kind, period_start.
WITH instance AS (
    SELECT
        fct_journey.*,
        coalesce(customer.segment, 'unknown') AS segment,
        date_trunc('month', make_timestamp(epoch_us(started_at)))::DATE AS month,
        date_trunc('quarter', make_timestamp(epoch_us(started_at)))::DATE AS quarter
    FROM fct_journey
    JOIN customer USING (customer_id)
)

SELECT
    journey,
    CASE WHEN grouping(segment) = 1 THEN 'all' ELSE segment END AS segment,
    CASE WHEN grouping(month) = 0 THEN 'month' WHEN grouping(quarter) = 0 THEN 'quarter' ELSE 'all' END AS period_kind,
    coalesce(month, quarter) AS period_start,
    count(*) AS instances,
    count(*) FILTER (status = 'completed') AS completed,
    count(*) FILTER (status = 'abandoned') AS abandoned,
    count(*) FILTER (status = 'expired') AS expired,
    count(*) FILTER (status = 'restarted') AS restarted,
    count(*) FILTER (status = 'open') AS open,
    CASE WHEN open = 0 THEN completed / instances END AS completion_rate,
    quantile_cont(duration_s, 0.5) FILTER (status = 'completed') AS duration_p50_s,
    quantile_cont(duration_s, 0.9) FILTER (status = 'completed') AS duration_p90_s,
    avg(touchpoints) AS touchpoints_per_instance,
    avg(channels) AS channels_per_instance,
    avg(channel_switches) AS channel_switches_per_instance,
    avg(functions) AS functions_per_instance,
    avg(handoffs) AS handoffs_per_instance,
    avg(contacts) AS contacts_per_instance,
    sum(repeat_contacts) / nullif(sum(contacts), 0) AS repeat_contact_rate,
    avg(unresolved) AS unresolved_per_instance,
    avg(cost) AS cost_per_instance,
    sum(touchpoint_satisfaction * touchpoint_responses) / nullif(sum(touchpoint_responses), 0)
        AS touchpoint_satisfaction,
    avg(all_satisfied::INTEGER) AS all_satisfied_share,
    count(*) FILTER (NOT is_multichannel) AS single_channel_instances,
    CASE WHEN open = 0 THEN count(*) FILTER (NOT is_multichannel AND status = 'completed')
        / nullif(count(*) FILTER (NOT is_multichannel), 0) END AS single_channel_completion_rate,
    count(*) FILTER (is_multichannel) AS multi_channel_instances,
    CASE WHEN open = 0 THEN count(*) FILTER (is_multichannel AND status = 'completed')
        / nullif(count(*) FILTER (is_multichannel), 0) END AS multi_channel_completion_rate
FROM instance
GROUP BY GROUPING SETS (
    (journey, segment, month), (journey, segment, quarter), (journey, segment),
    (journey, month), (journey, quarter), (journey)
)
