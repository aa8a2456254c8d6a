-- One row: how a journey performed in a segment ('all' for the total) and a period: a month, a quarter or the whole log.
-- From: fct_journey, customers. Key: journey, segment, period. A rate of completion only once nothing of the period is
-- open; percentiles are exact, with linear interpolation at (n − 1)·p.
WITH instance AS (
    SELECT
        fct_journey.*,
        coalesce(customers.segment, 'unknown') AS segment,
        CAST(date_trunc('month', fct_journey.started_at) AS DATE) AS month,
        CAST(date_trunc('quarter', fct_journey.started_at) AS DATE) AS quarter
    FROM customers
    INNER JOIN fct_journey ON fct_journey.customer_id = customers.customer_id
),

total AS (
    SELECT
        journey,
        coalesce(segment, 'all') AS segment,
        CASE WHEN month IS NOT NULL THEN 'month' WHEN quarter IS NOT NULL THEN 'quarter' ELSE 'all' END AS period_kind,
        coalesce(month, quarter) AS period_start,
        count(*) AS instances,
        count(*) FILTER (WHERE status = 'completed') AS completed,
        count(*) FILTER (WHERE status = 'abandoned') AS abandoned,
        count(*) FILTER (WHERE status = 'expired') AS expired,
        count(*) FILTER (WHERE status = 'restarted') AS restarted,
        count(*) FILTER (WHERE status = 'open') AS still_open,
        array_sort(array_agg(duration_s) FILTER (WHERE status = 'completed')) AS durations,
        avg(touchpoints) AS touchpoints_per_instance,
        avg(channels) AS channels_per_instance,
        avg(channel_switches) AS channel_switches_per_instance,
        avg(functions) AS functions_per_instance,
        avg(handoffs) AS handoffs_per_instance,
        avg(contacts) AS contacts_per_instance,
        CAST(sum(repeat_contacts) AS DOUBLE) / nullif(sum(contacts), 0) AS repeat_contact_rate,
        avg(unresolved) AS unresolved_per_instance,
        avg(cost) AS cost_per_instance,
        sum(touchpoint_satisfaction * touchpoint_responses) / nullif(sum(touchpoint_responses), 0)
            AS touchpoint_satisfaction,
        avg(CAST(all_satisfied AS INT)) AS all_satisfied_share,
        count(*) FILTER (WHERE NOT is_multichannel) AS single_channel_instances,
        count(*) FILTER (WHERE NOT is_multichannel AND status = 'completed') AS single_channel_completed,
        count(*) FILTER (WHERE is_multichannel) AS multi_channel_instances,
        count(*) FILTER (WHERE is_multichannel AND status = 'completed') AS multi_channel_completed
    FROM instance
    GROUP BY GROUPING SETS (
        (journey, segment, month), (journey, segment, quarter), (journey, segment),
        (journey, month), (journey, quarter), (journey)
    )
),

placed AS (
    SELECT
        total.*,
        (array_length(durations) - 1) * 0.5 AS p50_at,
        (array_length(durations) - 1) * 0.9 AS p90_at
    FROM total
)

SELECT
    journey,
    segment,
    period_kind || coalesce(' ' || CAST(period_start AS VARCHAR), '') AS period,
    period_kind,
    period_start,
    instances,
    completed,
    abandoned,
    expired,
    restarted,
    still_open AS open,
    CASE WHEN still_open = 0 THEN CAST(completed AS DOUBLE) / instances END AS completion_rate,
    durations[CAST(floor(p50_at) AS BIGINT) + 1]
        + (durations[CAST(ceil(p50_at) AS BIGINT) + 1] - durations[CAST(floor(p50_at) AS BIGINT) + 1])
        * (p50_at - floor(p50_at)) AS duration_p50_s,
    durations[CAST(floor(p90_at) AS BIGINT) + 1]
        + (durations[CAST(ceil(p90_at) AS BIGINT) + 1] - durations[CAST(floor(p90_at) AS BIGINT) + 1])
        * (p90_at - floor(p90_at)) AS duration_p90_s,
    touchpoints_per_instance,
    channels_per_instance,
    channel_switches_per_instance,
    functions_per_instance,
    handoffs_per_instance,
    contacts_per_instance,
    repeat_contact_rate,
    unresolved_per_instance,
    cost_per_instance,
    touchpoint_satisfaction,
    all_satisfied_share,
    single_channel_instances,
    CASE WHEN still_open = 0 THEN CAST(single_channel_completed AS DOUBLE) / nullif(single_channel_instances, 0) END
        AS single_channel_completion_rate,
    multi_channel_instances,
    CASE WHEN still_open = 0 THEN CAST(multi_channel_completed AS DOUBLE) / nullif(multi_channel_instances, 0) END
        AS multi_channel_completion_rate
FROM placed
