-- One row: how a journey performed in a segment ('all' for the total) and a period (SEMANTICS 4).
-- From: journey_period (what its instances add up to), experience_goals (seed).
-- Key: journey, segment, period_kind, period_start.
-- Counts by status are of all instances, everything else of the measured ones: all of them in a mature period, else
-- those that started so early that they are over by now (journey_period).
--
-- A change has the interval of the difference, in which both periods are uncertain: completion by Newcombe (1998),
-- means by Welch (1947), medians by the order statistics of each (MOVER, Zou and Donner 2008). An instance is the unit:
-- its answers, and its contacts, are no independent trials, so the variance of their mean is that of a ratio of two
-- sums over instances (Cochran 1977, Sampling Techniques, section 2.11).
WITH estimated AS (
    SELECT
        journey_period.*,
        CAST(measured_completed AS DOUBLE) / measured_instances AS completion_rate,
        wilson(measured_completed, measured_instances, $confidence) AS completion_interval,
        CAST(repeat_contacts AS DOUBLE) / nullif(contacts, 0) AS repeat_contact_rate,
        cost / nullif(costed_instances, 0) AS cost_per_instance,
        touchpoint_scores / nullif(touchpoint_responses, 0) AS touchpoint_satisfaction,
        journey_scores / nullif(journey_responses, 0) AS journey_satisfaction,
        -- The mean of few differences says nothing of a journey.
        CASE WHEN gap_instances >= $minimum_answers
            THEN (gap_touchpoint_scores - gap_journey_scores) / gap_instances
        END AS satisfaction_gap
    FROM journey_period
),

spread AS (
    SELECT
        estimated.*,
        -- Sample variances of what an instance adds to a mean, as welch_difference takes them. Means of floats are rounded:
        -- a trillionth of the mean is added, so that equal values in both periods are no change.
        greatest(
            repeat_contact_squares - 2 * repeat_contact_rate * repeat_contact_products
                + repeat_contact_rate * repeat_contact_rate * contact_squares,
            0
        ) / nullif(CAST(contacts AS DOUBLE) * contacts, 0)
            * contact_instances * contact_instances / nullif(contact_instances - 1, 0) AS repeat_contact_variance,
        greatest(cost_squares - cost * cost_per_instance, 0) / nullif(costed_instances - 1, 0)
            + power(1e-12 * cost_per_instance, 2) AS cost_variance,
        greatest(
            touchpoint_score_squares - 2 * touchpoint_satisfaction * touchpoint_score_products
                + touchpoint_satisfaction * touchpoint_satisfaction * touchpoint_response_squares,
            0
        ) / nullif(CAST(touchpoint_responses AS DOUBLE) * touchpoint_responses, 0)
            * touchpoint_answered_instances * touchpoint_answered_instances
            / nullif(touchpoint_answered_instances - 1, 0)
            + power(1e-12 * touchpoint_satisfaction, 2) AS touchpoint_variance,
        greatest(
            journey_score_squares - 2 * journey_satisfaction * journey_score_products
                + journey_satisfaction * journey_satisfaction * journey_response_squares,
            0
        ) / nullif(CAST(journey_responses AS DOUBLE) * journey_responses, 0)
            * journey_answered_instances * journey_answered_instances
            / nullif(journey_answered_instances - 1, 0)
            + power(1e-12 * journey_satisfaction, 2) AS journey_variance,
        greatest(gap_squares - satisfaction_gap * satisfaction_gap * gap_instances, 0)
            / nullif(gap_instances - 1, 0) AS gap_variance
    FROM estimated
),

measured AS (
    SELECT
        spread.*,
        welch_difference(satisfaction_gap, gap_variance, gap_instances, 0, 0, gap_instances, $confidence)
            AS gap_interval
    FROM spread
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
),

compared AS (
    SELECT
        now.*,
        before.instances AS instances_before,
        -- A period that is not over has fewer instances than it will have.
        CASE WHEN now.period_end <= $as_of THEN CAST(now.instances AS DOUBLE) / before.instances - 1 END
            AS instances_change,
        risk_difference(
            now.measured_completed,
            now.measured_instances - now.measured_completed,
            before.measured_completed,
            before.measured_instances - before.measured_completed,
            $confidence
        ) AS completion_change,
        before.duration_p50_s AS duration_p50_s_before,
        sqrt(power(now.duration_p50_s - now.duration_p50_s_lower, 2)
            + power(before.duration_p50_s_upper - before.duration_p50_s, 2)) AS duration_reach_down,
        sqrt(power(now.duration_p50_s_upper - now.duration_p50_s, 2)
            + power(before.duration_p50_s - before.duration_p50_s_lower, 2)) AS duration_reach_up,
        welch_difference(
            now.repeat_contact_rate, now.repeat_contact_variance, now.contact_instances,
            before.repeat_contact_rate, before.repeat_contact_variance, before.contact_instances, $confidence
        ) AS repeat_contact_change,
        before.cost_per_instance AS cost_per_instance_before,
        welch_difference(
            now.cost_per_instance, now.cost_variance, now.costed_instances,
            before.cost_per_instance, before.cost_variance, before.costed_instances, $confidence
        ) AS cost_change,
        welch_difference(
            now.touchpoint_satisfaction, now.touchpoint_variance, now.touchpoint_answered_instances,
            before.touchpoint_satisfaction, before.touchpoint_variance, before.touchpoint_answered_instances,
            $confidence
        ) AS touchpoint_change,
        welch_difference(
            now.journey_satisfaction, now.journey_variance, now.journey_answered_instances,
            before.journey_satisfaction, before.journey_variance, before.journey_answered_instances, $confidence
        ) AS journey_change
    FROM measured AS now
    LEFT JOIN measured AS before
        ON before.journey = now.journey
        AND before.segment = now.segment
        AND before.period_kind = now.period_kind
        AND before.period_end = now.period_start
)

SELECT
    now.journey,
    now.segment,
    now.period_kind,
    now.period_start,
    now.period_end,
    CASE now.period_kind
        WHEN 'month' THEN to_char(now.period_start, '%Y-%m')
        ELSE to_char(now.period_start, '%Y') || '-Q' || CAST(date_part('quarter', now.period_start) AS VARCHAR)
    END AS period,
    now.instances,
    now.customers,
    now.completed,
    now.abandoned,
    now.expired,
    now.restarted,
    now.still_open AS open,
    CAST(now.still_open AS DOUBLE) / now.instances AS open_share,
    now.maturity,
    now.maturity_reason,
    coalesce(now.measured_instances, 0) AS measured_instances,
    now.measured_until,
    coalesce(now.measured_completed, 0) AS measured_completed,
    now.completion_rate,
    now.completion_interval['lower'] AS completion_rate_lower,
    now.completion_interval['upper'] AS completion_rate_upper,
    goal.completion_rate_target,
    now.completion_rate / nullif(goal.completion_rate_target, 0) AS completion_rate_attainment,
    now.duration_p50_s,
    now.duration_p50_s_lower,
    now.duration_p50_s_upper,
    goal.duration_p50_s_target,
    -- The less time the better: twice the target is half attained.
    goal.duration_p50_s_target / nullif(now.duration_p50_s, 0) AS duration_p50_s_attainment,
    now.duration_p90_s,
    now.touchpoints,
    CAST(now.touchpoints AS DOUBLE) / now.measured_instances AS touchpoints_per_instance,
    now.contacts,
    CAST(now.contacts AS DOUBLE) / now.measured_instances AS contacts_per_instance,
    CAST(now.channels AS DOUBLE) / now.measured_instances AS channels_per_instance,
    now.channel_switches,
    CAST(now.channel_switches AS DOUBLE) / now.measured_instances AS channel_switches_per_instance,
    now.handoffs,
    CAST(now.handoffs AS DOUBLE) / now.measured_instances AS handoffs_per_instance,
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
    now.gap_instances,
    CASE WHEN now.satisfaction_gap IS NOT NULL THEN now.gap_touchpoint_scores / now.gap_instances END
        AS gap_touchpoint_satisfaction,
    CASE WHEN now.satisfaction_gap IS NOT NULL THEN now.gap_journey_scores / now.gap_instances END
        AS gap_journey_satisfaction,
    now.satisfaction_gap,
    now.gap_interval['lower'] AS satisfaction_gap_lower,
    now.gap_interval['upper'] AS satisfaction_gap_upper,
    now.touchpoint_answered_instances,
    now.all_satisfied_instances,
    CAST(now.all_satisfied_instances AS DOUBLE) / nullif(now.touchpoint_answered_instances, 0) AS all_satisfied_share,
    now.journey_answered_instances,
    now.journey_satisfied_instances,
    CAST(now.journey_satisfied_instances AS DOUBLE) / nullif(now.journey_answered_instances, 0)
        AS journey_satisfied_share,
    now.satisfaction_change_instances,
    now.satisfaction_start_scores / nullif(now.satisfaction_change_instances, 0) AS satisfaction_start,
    now.satisfaction_end_scores / nullif(now.satisfaction_change_instances, 0) AS satisfaction_end,
    (now.satisfaction_end_scores - now.satisfaction_start_scores) / nullif(now.satisfaction_change_instances, 0)
        AS satisfaction_points,
    now.satisfaction_end_scores / nullif(now.satisfaction_start_scores, 0) - 1 AS satisfaction_change,
    now.single_channel_instances,
    CAST(now.single_channel_completed AS DOUBLE) / nullif(now.single_channel_instances, 0)
        AS single_channel_completion_rate,
    now.single_channel_journey_responses,
    now.single_channel_journey_scores / nullif(now.single_channel_journey_responses, 0)
        AS single_channel_journey_satisfaction,
    now.multi_channel_instances,
    CAST(now.multi_channel_completed AS DOUBLE) / nullif(now.multi_channel_instances, 0)
        AS multi_channel_completion_rate,
    now.multi_channel_journey_responses,
    now.multi_channel_journey_scores / nullif(now.multi_channel_journey_responses, 0)
        AS multi_channel_journey_satisfaction,
    now.instances_before,
    now.instances_change,
    now.completion_change['estimate'] AS completion_rate_change,
    now.completion_change['lower'] AS completion_rate_change_lower,
    now.completion_change['upper'] AS completion_rate_change_upper,
    CASE
        WHEN now.completion_change['estimate'] IS NULL THEN 'no_comparison'
        WHEN now.completion_change['lower'] > 0 THEN 'better'
        WHEN now.completion_change['upper'] < 0 THEN 'worse'
        ELSE 'no_change_seen'
    END AS completion_trend,
    -- Relative to the period before, whose figure only sets the scale of the limits.
    now.duration_p50_s / nullif(now.duration_p50_s_before, 0) - 1 AS duration_p50_s_change,
    (now.duration_p50_s - now.duration_p50_s_before - now.duration_reach_down) / nullif(now.duration_p50_s_before, 0)
        AS duration_p50_s_change_lower,
    (now.duration_p50_s - now.duration_p50_s_before + now.duration_reach_up) / nullif(now.duration_p50_s_before, 0)
        AS duration_p50_s_change_upper,
    now.repeat_contact_change['estimate'] AS repeat_contact_rate_change,
    now.repeat_contact_change['lower'] AS repeat_contact_rate_change_lower,
    now.repeat_contact_change['upper'] AS repeat_contact_rate_change_upper,
    now.cost_change['estimate'] / nullif(now.cost_per_instance_before, 0) AS cost_per_instance_change,
    now.cost_change['lower'] / nullif(now.cost_per_instance_before, 0) AS cost_per_instance_change_lower,
    now.cost_change['upper'] / nullif(now.cost_per_instance_before, 0) AS cost_per_instance_change_upper,
    now.touchpoint_change['estimate'] AS touchpoint_satisfaction_change,
    now.touchpoint_change['lower'] AS touchpoint_satisfaction_change_lower,
    now.touchpoint_change['upper'] AS touchpoint_satisfaction_change_upper,
    now.journey_change['estimate'] AS journey_satisfaction_change,
    now.journey_change['lower'] AS journey_satisfaction_change_lower,
    now.journey_change['upper'] AS journey_satisfaction_change_upper
FROM compared AS now
LEFT JOIN goal ON goal.journey = now.journey
ORDER BY now.journey, now.segment, now.period_kind, now.period_start
