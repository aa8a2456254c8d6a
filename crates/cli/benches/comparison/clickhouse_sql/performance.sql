-- One row: a journey in a segment ('all' for the total) and a period (SEMANTICS 4). From: fct_journey, customer.
-- Key: journey, segment, period_kind, period_start.
WITH instance AS (
    SELECT
        fct_journey.*, customer.segment AS segment,
        toDate32(toStartOfMonth(started_at)) AS month,
        toDate32(toStartOfQuarter(started_at)) AS quarter
    FROM fct_journey
    INNER JOIN customer ON customer.customer_id = fct_journey.customer_id
)

SELECT
    instance.journey AS journey,
    if(grouping(instance.segment) = 1, 'all', toString(instance.segment)) AS segment,
    multiIf(grouping(month) = 0, 'month', grouping(quarter) = 0, 'quarter', 'all') AS period_kind,
    multiIf(grouping(month) = 0, toNullable(month), grouping(quarter) = 0, toNullable(quarter), NULL) AS period_start,
    toInt64(count()) AS instances,
    toInt64(countIf(status = 'completed')) AS completed,
    toInt64(countIf(status = 'abandoned')) AS abandoned,
    toInt64(countIf(status = 'expired')) AS expired,
    toInt64(countIf(status = 'restarted')) AS restarted,
    toInt64(countIf(status = 'open')) AS open,
    if(open = 0, completed / instances, NULL) AS completion_rate,
    if(completed > 0, quantilesExactInclusiveIf(0.5, 0.9)(assumeNotNull(duration_s), status = 'completed')[1], NULL)
        AS duration_p50_s,
    if(completed > 0, quantilesExactInclusiveIf(0.5, 0.9)(assumeNotNull(duration_s), status = 'completed')[2], NULL)
        AS duration_p90_s,
    avg(touchpoints) AS touchpoints_per_instance,
    avg(channels) AS channels_per_instance,
    avg(channel_switches) AS channel_switches_per_instance,
    avg(functions) AS functions_per_instance,
    avg(handoffs) AS handoffs_per_instance,
    avg(contacts) AS contacts_per_instance,
    sum(repeat_contacts) / nullIf(sum(contacts), 0) AS repeat_contact_rate,
    avg(unresolved) AS unresolved_per_instance,
    avg(instance.cost) AS cost_per_instance,
    sum(instance.touchpoint_satisfaction * touchpoint_responses) / nullIf(sum(touchpoint_responses), 0)
        AS touchpoint_satisfaction,
    avg(all_satisfied) AS all_satisfied_share,
    toInt64(countIf(NOT is_multichannel)) AS single_channel_instances,
    if(open = 0, countIf(NOT is_multichannel AND status = 'completed') / nullIf(single_channel_instances, 0), NULL)
        AS single_channel_completion_rate,
    toInt64(countIf(is_multichannel)) AS multi_channel_instances,
    if(open = 0, countIf(is_multichannel AND status = 'completed') / nullIf(multi_channel_instances, 0), NULL)
        AS multi_channel_completion_rate
FROM instance
GROUP BY GROUPING SETS (
    (instance.journey, instance.segment, month), (instance.journey, instance.segment, quarter),
    (instance.journey, instance.segment),
    (instance.journey, month), (instance.journey, quarter), (instance.journey)
)
