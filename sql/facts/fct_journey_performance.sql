-- One row: how a journey performed in a segment ('all' for the total) and a period (SEMANTICS 4).
-- From: fct_journey, dim_customer (segment at the start of the instance), experience_goals (seed).
-- Key: journey, segment, period_kind, period_start.
-- An instance belongs to the period of its started_at. Sums of floats are decimals, so their order does not matter.
WITH instance AS (
    SELECT
        fct_journey.*,
        coalesce(spell.segment, 'unknown') AS segment,
        date_trunc('month', fct_journey.started_at) AS month_start,
        date_trunc('quarter', fct_journey.started_at) AS quarter_start,
        -- Members' scores back from their mean, so that the period's mean weighs each answer once.
        CAST(fct_journey.touchpoint_satisfaction * fct_journey.touchpoint_responses AS DECIMAL(38, 18))
            AS touchpoint_score_sum,
        CAST(fct_journey.journey_satisfaction * fct_journey.journey_responses AS DECIMAL(38, 18)) AS journey_score_sum
    FROM fct_journey
    LEFT JOIN dim_customer AS spell
        ON spell.customer_id = fct_journey.customer_id
        AND (spell.valid_from IS NULL OR fct_journey.started_at >= spell.valid_from)
        AND (spell.valid_until IS NULL OR fct_journey.started_at < spell.valid_until)
),

total AS (
    SELECT
        journey,
        coalesce(segment, 'all') AS segment,
        CASE WHEN month_start IS NULL THEN 'quarter' ELSE 'month' END AS period_kind,
        coalesce(month_start, quarter_start) AS period_start,
        CASE WHEN month_start IS NULL
            THEN quarter_start + INTERVAL '3 months'
            ELSE month_start + INTERVAL '1 month'
        END AS period_end,
        count(*) AS instances,
        count(DISTINCT customer_id) AS customers,
        count(*) FILTER (WHERE status = 'completed') AS completed,
        count(*) FILTER (WHERE status = 'abandoned') AS abandoned,
        count(*) FILTER (WHERE status = 'expired') AS expired,
        count(*) FILTER (WHERE status = 'restarted') AS restarted,
        count(*) FILTER (WHERE status = 'open') AS still_open,
        array_sort(array_agg(duration_s) FILTER (WHERE status = 'completed')) AS durations,
        sum(touchpoints) AS touchpoints,
        sum(contacts) AS contacts,
        sum(channels) AS channels,
        sum(channel_switches) AS channel_switches,
        sum(handoffs) AS handoffs,
        sum(repeat_contacts) AS repeat_contacts,
        sum(unresolved) AS unresolved,
        count(cost) AS costed_instances,
        CAST(sum(CAST(cost AS DECIMAL(38, 18))) AS DOUBLE) AS cost,
        sum(touchpoint_responses) AS touchpoint_responses,
        CAST(sum(touchpoint_score_sum) AS DOUBLE) AS touchpoint_score_sum,
        sum(journey_responses) AS journey_responses,
        CAST(sum(journey_score_sum) AS DOUBLE) AS journey_score_sum,
        count(all_satisfied) AS touchpoint_answered_instances,
        count(*) FILTER (WHERE all_satisfied) AS all_satisfied_instances,
        count(journey_satisfaction) AS journey_answered_instances,
        count(*) FILTER (WHERE journey_satisfaction >= $satisfied) AS journey_satisfied_instances,
        count(satisfaction_points) AS satisfaction_change_instances,
        CAST(sum(CAST(satisfaction_start AS DECIMAL(38, 18))) FILTER (WHERE satisfaction_points IS NOT NULL) AS DOUBLE)
            AS satisfaction_start_sum,
        CAST(sum(CAST(satisfaction_end AS DECIMAL(38, 18))) FILTER (WHERE satisfaction_points IS NOT NULL) AS DOUBLE)
            AS satisfaction_end_sum,
        count(*) FILTER (WHERE NOT is_multichannel) AS single_channel_instances,
        count(*) FILTER (WHERE NOT is_multichannel AND status = 'completed') AS single_channel_completed,
        coalesce(sum(journey_responses) FILTER (WHERE NOT is_multichannel), 0) AS single_channel_journey_responses,
        CAST(sum(journey_score_sum) FILTER (WHERE NOT is_multichannel) AS DOUBLE) AS single_channel_journey_score_sum,
        count(*) FILTER (WHERE is_multichannel) AS multi_channel_instances,
        count(*) FILTER (WHERE is_multichannel AND status = 'completed') AS multi_channel_completed,
        coalesce(sum(journey_responses) FILTER (WHERE is_multichannel), 0) AS multi_channel_journey_responses,
        CAST(sum(journey_score_sum) FILTER (WHERE is_multichannel) AS DOUBLE) AS multi_channel_journey_score_sum
    FROM instance
    GROUP BY GROUPING SETS (
        (journey, segment, month_start),
        (journey, month_start),
        (journey, segment, quarter_start),
        (journey, quarter_start)
    )
),

-- A rate of completion is only fair once nothing of the period can still complete.
matured AS (
    SELECT
        total.*,
        still_open = 0 AND period_end <= $as_of AS is_matured,
        coalesce(array_length(durations), 0) AS durations_known
    FROM total
),

measured AS (
    SELECT
        journey,
        segment,
        period_kind,
        period_start,
        period_end,
        CASE period_kind
            WHEN 'month' THEN to_char(period_start, '%Y-%m')
            ELSE to_char(period_start, '%Y') || '-Q' || CAST(date_part('quarter', period_start) AS VARCHAR)
        END AS period,
        instances,
        customers,
        completed,
        abandoned,
        expired,
        restarted,
        still_open AS open,
        CAST(still_open AS DOUBLE) / instances AS open_share,
        CASE WHEN is_matured THEN 'ok' ELSE 'not_matured' END AS completion_status,
        CASE
            WHEN period_end > $as_of THEN 'the period is not over'
            WHEN still_open > 0 THEN CAST(still_open AS VARCHAR) || ' of ' || CAST(instances AS VARCHAR)
                || ' instances are still open'
        END AS completion_reason,
        CASE WHEN is_matured THEN CAST(completed AS DOUBLE) / instances END AS completion_rate,
        CASE WHEN is_matured THEN wilson(completed, instances, $confidence)['lower'] END AS completion_rate_lower,
        CASE WHEN is_matured THEN wilson(completed, instances, $confidence)['upper'] END AS completion_rate_upper,
        -- Exact percentiles with linear interpolation at (n − 1)·p; percentile_cont rounds the weight to 1e-6.
        durations[CAST(floor((durations_known - 1) * 0.5) AS BIGINT) + 1]
            + (durations[CAST(ceil((durations_known - 1) * 0.5) AS BIGINT) + 1]
                - durations[CAST(floor((durations_known - 1) * 0.5) AS BIGINT) + 1])
            * ((durations_known - 1) * 0.5 - floor((durations_known - 1) * 0.5)) AS duration_p50_s,
        durations[CAST(floor((durations_known - 1) * 0.9) AS BIGINT) + 1]
            + (durations[CAST(ceil((durations_known - 1) * 0.9) AS BIGINT) + 1]
                - durations[CAST(floor((durations_known - 1) * 0.9) AS BIGINT) + 1])
            * ((durations_known - 1) * 0.9 - floor((durations_known - 1) * 0.9)) AS duration_p90_s,
        touchpoints,
        CAST(touchpoints AS DOUBLE) / instances AS touchpoints_per_instance,
        contacts,
        CAST(contacts AS DOUBLE) / instances AS contacts_per_instance,
        CAST(channels AS DOUBLE) / instances AS channels_per_instance,
        channel_switches,
        CAST(channel_switches AS DOUBLE) / instances AS channel_switches_per_instance,
        handoffs,
        CAST(handoffs AS DOUBLE) / instances AS handoffs_per_instance,
        repeat_contacts,
        CAST(repeat_contacts AS DOUBLE) / nullif(contacts, 0) AS repeat_contact_rate,
        unresolved,
        costed_instances,
        cost,
        cost / nullif(costed_instances, 0) AS cost_per_instance,
        touchpoint_responses,
        touchpoint_score_sum / nullif(touchpoint_responses, 0) AS touchpoint_satisfaction,
        journey_responses,
        journey_score_sum / nullif(journey_responses, 0) AS journey_satisfaction,
        touchpoint_score_sum / nullif(touchpoint_responses, 0) - journey_score_sum / nullif(journey_responses, 0)
            AS satisfaction_gap,
        touchpoint_answered_instances,
        all_satisfied_instances,
        CAST(all_satisfied_instances AS DOUBLE) / nullif(touchpoint_answered_instances, 0) AS all_satisfied_share,
        journey_answered_instances,
        journey_satisfied_instances,
        CAST(journey_satisfied_instances AS DOUBLE) / nullif(journey_answered_instances, 0) AS journey_satisfied_share,
        satisfaction_change_instances,
        satisfaction_start_sum / nullif(satisfaction_change_instances, 0) AS satisfaction_start,
        satisfaction_end_sum / nullif(satisfaction_change_instances, 0) AS satisfaction_end,
        (satisfaction_end_sum - satisfaction_start_sum) / nullif(satisfaction_change_instances, 0)
            AS satisfaction_points,
        CASE WHEN satisfaction_start_sum <> 0 THEN satisfaction_end_sum / satisfaction_start_sum - 1 END
            AS satisfaction_change,
        single_channel_instances,
        CASE WHEN is_matured THEN CAST(single_channel_completed AS DOUBLE) / nullif(single_channel_instances, 0) END
            AS single_channel_completion_rate,
        single_channel_journey_responses,
        single_channel_journey_score_sum / nullif(single_channel_journey_responses, 0)
            AS single_channel_journey_satisfaction,
        multi_channel_instances,
        CASE WHEN is_matured THEN CAST(multi_channel_completed AS DOUBLE) / nullif(multi_channel_instances, 0) END
            AS multi_channel_completion_rate,
        multi_channel_journey_responses,
        multi_channel_journey_score_sum / nullif(multi_channel_journey_responses, 0)
            AS multi_channel_journey_satisfaction
    FROM matured
),

goal AS (
    SELECT
        journey,
        max(target) FILTER (WHERE measure = 'completion_rate') AS completion_rate_target,
        max(target) FILTER (WHERE measure = 'duration_p50_s') AS duration_p50_s_target,
        max(target) FILTER (WHERE measure = 'repeat_contact_rate') AS repeat_contact_rate_target,
        max(target) FILTER (WHERE measure = 'journey_satisfaction') AS journey_satisfaction_target
    FROM experience_goals
    GROUP BY journey
)

SELECT
    now.journey,
    now.segment,
    now.period_kind,
    now.period_start,
    now.period_end,
    now.period,
    now.instances,
    now.customers,
    now.completed,
    now.abandoned,
    now.expired,
    now.restarted,
    now.open,
    now.open_share,
    now.completion_status,
    now.completion_reason,
    now.completion_rate,
    now.completion_rate_lower,
    now.completion_rate_upper,
    goal.completion_rate_target,
    now.completion_rate / nullif(goal.completion_rate_target, 0) AS completion_rate_attainment,
    now.duration_p50_s,
    goal.duration_p50_s_target,
    -- The less time the better: twice the target is half attained.
    goal.duration_p50_s_target / nullif(now.duration_p50_s, 0) AS duration_p50_s_attainment,
    now.duration_p90_s,
    now.touchpoints,
    now.touchpoints_per_instance,
    now.contacts,
    now.contacts_per_instance,
    now.channels_per_instance,
    now.channel_switches,
    now.channel_switches_per_instance,
    now.handoffs,
    now.handoffs_per_instance,
    now.repeat_contacts,
    now.repeat_contact_rate,
    goal.repeat_contact_rate_target,
    goal.repeat_contact_rate_target / nullif(now.repeat_contact_rate, 0) AS repeat_contact_rate_attainment,
    now.unresolved,
    now.costed_instances,
    now.cost,
    now.cost_per_instance,
    now.touchpoint_responses,
    now.touchpoint_satisfaction,
    now.journey_responses,
    now.journey_satisfaction,
    goal.journey_satisfaction_target,
    now.journey_satisfaction / nullif(goal.journey_satisfaction_target, 0) AS journey_satisfaction_attainment,
    now.satisfaction_gap,
    now.touchpoint_answered_instances,
    now.all_satisfied_instances,
    now.all_satisfied_share,
    now.journey_answered_instances,
    now.journey_satisfied_instances,
    now.journey_satisfied_share,
    now.satisfaction_change_instances,
    now.satisfaction_start,
    now.satisfaction_end,
    now.satisfaction_points,
    now.satisfaction_change,
    now.single_channel_instances,
    now.single_channel_completion_rate,
    now.single_channel_journey_responses,
    now.single_channel_journey_satisfaction,
    now.multi_channel_instances,
    now.multi_channel_completion_rate,
    now.multi_channel_journey_responses,
    now.multi_channel_journey_satisfaction,
    before.instances AS instances_before,
    CAST(now.instances AS DOUBLE) / before.instances - 1 AS instances_change,
    now.completion_rate - before.completion_rate AS completion_rate_change,
    now.duration_p50_s / nullif(before.duration_p50_s, 0) - 1 AS duration_p50_s_change,
    now.repeat_contact_rate - before.repeat_contact_rate AS repeat_contact_rate_change,
    now.cost_per_instance / nullif(before.cost_per_instance, 0) - 1 AS cost_per_instance_change,
    now.touchpoint_satisfaction - before.touchpoint_satisfaction AS touchpoint_satisfaction_change,
    now.journey_satisfaction - before.journey_satisfaction AS journey_satisfaction_change
FROM measured AS now
LEFT JOIN measured AS before
    ON before.journey = now.journey
    AND before.segment = now.segment
    AND before.period_kind = now.period_kind
    AND before.period_end = now.period_start
LEFT JOIN goal ON goal.journey = now.journey
ORDER BY now.journey, now.segment, now.period_kind, now.period_start
