-- One row: how a journey performed in a segment ('all' for the total) and a period: a month, a quarter or the whole log.
-- From: fct_journey, customers. Key: journey, segment, period. A rate of completion only once nothing of the period is
-- open; percentiles are exact, with linear interpolation at (n − 1)·p.
-- The 3 million instances are grouped once, by month and segment; every total is put together from those groups.
WITH instance AS (
    SELECT
        fct_journey.*,
        coalesce(customers.segment, 'unknown') AS segment,
        CAST(date_trunc('month', fct_journey.started_at) AS DATE) AS month
    FROM customers
    INNER JOIN fct_journey ON fct_journey.customer_id = customers.customer_id
),

finest AS (
    SELECT
        journey,
        segment,
        month,
        CAST(date_trunc('quarter', month) AS DATE) AS quarter,
        count(*) AS instances,
        count(*) FILTER (WHERE status = 'completed') AS completed,
        count(*) FILTER (WHERE status = 'abandoned') AS abandoned,
        count(*) FILTER (WHERE status = 'expired') AS expired,
        count(*) FILTER (WHERE status = 'restarted') AS restarted,
        count(*) FILTER (WHERE status = 'open') AS still_open,
        array_agg(duration_s) FILTER (WHERE status = 'completed') AS durations,
        sum(touchpoints) AS touchpoints,
        sum(channels) AS channels,
        sum(channel_switches) AS channel_switches,
        sum(functions) AS functions,
        sum(handoffs) AS handoffs,
        sum(contacts) AS contacts,
        sum(repeat_contacts) AS repeat_contacts,
        sum(unresolved) AS unresolved,
        sum(cost) AS cost,
        count(cost) AS with_cost,
        sum(touchpoint_satisfaction * touchpoint_responses) AS satisfaction,
        sum(touchpoint_responses) AS responses,
        count(*) FILTER (WHERE all_satisfied) AS all_satisfied,
        count(all_satisfied) AS answered,
        count(*) FILTER (WHERE NOT is_multichannel) AS single_channel_instances,
        count(*) FILTER (WHERE NOT is_multichannel AND status = 'completed') AS single_channel_completed
    FROM instance
    GROUP BY journey, segment, month
),

total AS (
    SELECT
        journey,
        coalesce(segment, 'all') AS segment,
        CASE WHEN month IS NOT NULL THEN 'month' WHEN quarter IS NOT NULL THEN 'quarter' ELSE 'all' END AS period_kind,
        coalesce(month, quarter) AS period_start,
        sum(instances) AS instances,
        sum(completed) AS completed,
        sum(abandoned) AS abandoned,
        sum(expired) AS expired,
        sum(restarted) AS restarted,
        sum(still_open) AS still_open,
        array_sort(flatten(array_agg(durations) FILTER (WHERE durations IS NOT NULL))) AS durations,
        CAST(sum(touchpoints) AS DOUBLE) / sum(instances) AS touchpoints_per_instance,
        CAST(sum(channels) AS DOUBLE) / sum(instances) AS channels_per_instance,
        CAST(sum(channel_switches) AS DOUBLE) / sum(instances) AS channel_switches_per_instance,
        CAST(sum(functions) AS DOUBLE) / sum(instances) AS functions_per_instance,
        CAST(sum(handoffs) AS DOUBLE) / sum(instances) AS handoffs_per_instance,
        CAST(sum(contacts) AS DOUBLE) / sum(instances) AS contacts_per_instance,
        CAST(sum(repeat_contacts) AS DOUBLE) / nullif(sum(contacts), 0) AS repeat_contact_rate,
        CAST(sum(unresolved) AS DOUBLE) / sum(instances) AS unresolved_per_instance,
        sum(cost) / nullif(sum(with_cost), 0) AS cost_per_instance,
        sum(satisfaction) / nullif(sum(responses), 0) AS touchpoint_satisfaction,
        CAST(sum(all_satisfied) AS DOUBLE) / nullif(sum(answered), 0) AS all_satisfied_share,
        sum(single_channel_instances) AS single_channel_instances,
        sum(single_channel_completed) AS single_channel_completed,
        sum(instances) - sum(single_channel_instances) AS multi_channel_instances,
        sum(completed) - sum(single_channel_completed) AS multi_channel_completed
    FROM finest
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
