-- One row: a journey in a quarter. From: fct_journey. Key: journey, segment, period_kind, period_start.
-- A quarter is mature when it is over with each of its journeys. Until then the short ones are over first, so figures are
-- of those alone that started longer ago than the definition's `within`: they are over however they went. Every figure
-- stands beside its number of journeys.
WITH started AS (
    SELECT
        fct_journey.*,
        date_trunc('quarter', fct_journey.started_at) AS period_start,
        coalesce(
            (CAST($as_of AS BIGINT) - CAST(fct_journey.started_at AS BIGINT)) / 1e6 > definition.within_s,
            FALSE
        ) AS is_past_limit
    FROM fct_journey
    LEFT JOIN journey_definitions AS definition ON definition.journey = fct_journey.journey
),

judged AS (
    SELECT
        started.*,
        period_start + INTERVAL '3 months' <= $as_of
            AND count(*) FILTER (WHERE status = 'open') OVER (PARTITION BY journey, period_start) = 0 AS is_mature
    FROM started
),

measured AS (
    SELECT judged.*, is_mature OR is_past_limit AS is_measured
    FROM judged
),

counted AS (
    SELECT
        journey,
        period_start,
        CASE WHEN is_mature THEN 'mature' ELSE 'maturing' END AS maturity,
        count(*) AS instances,
        count(*) FILTER (WHERE status = 'completed') AS completed,
        count(*) FILTER (WHERE status = 'abandoned') AS abandoned,
        count(*) FILTER (WHERE status = 'expired') AS expired,
        count(*) FILTER (WHERE status = 'restarted') AS restarted,
        count(*) FILTER (WHERE status = 'open') AS open,
        count(*) FILTER (WHERE is_measured) AS measured_instances,
        count(*) FILTER (WHERE is_measured AND status = 'completed') AS measured_completed,
        median(duration_s) FILTER (WHERE is_measured AND status = 'completed') AS duration_p50_s,
        sum(contacts) FILTER (WHERE is_measured) AS contacts,
        CAST(sum(handoffs) FILTER (WHERE is_measured) AS DOUBLE) AS handoffs,
        CAST(sum(repeat_contacts) FILTER (WHERE is_measured) AS DOUBLE) AS repeat_contacts,
        sum(touchpoint_responses) FILTER (WHERE is_measured) AS touchpoint_responses,
        sum(touchpoint_satisfaction * touchpoint_responses) FILTER (WHERE is_measured) AS touchpoint_scores
    FROM measured
    GROUP BY journey, period_start, is_mature
)

SELECT
    counted.* EXCLUDE (handoffs, repeat_contacts, touchpoint_scores),
    CASE
        WHEN maturity = 'mature' THEN NULL
        WHEN open = 0 THEN 'the period is not over'
        ELSE CAST(open AS VARCHAR) || ' of ' || CAST(instances AS VARCHAR) || ' instances are still open'
    END AS maturity_reason,
    'all' AS segment,
    'quarter' AS period_kind,
    to_char(period_start, '%Y') || '-Q' || CAST(date_part('quarter', period_start) AS VARCHAR) AS period,
    CAST(contacts AS DOUBLE) / nullif(measured_instances, 0) AS contacts_per_instance,
    handoffs / nullif(measured_instances, 0) AS handoffs_per_instance,
    repeat_contacts / nullif(contacts, 0) AS repeat_contact_rate,
    touchpoint_scores / nullif(touchpoint_responses, 0) AS touchpoint_satisfaction,
    wilson(measured_completed, measured_instances, $confidence)['estimate'] AS completion_rate,
    wilson(measured_completed, measured_instances, $confidence)['lower'] AS completion_rate_lower,
    wilson(measured_completed, measured_instances, $confidence)['upper'] AS completion_rate_upper
FROM counted
ORDER BY journey, period_start
