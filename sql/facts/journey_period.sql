-- One row: what the instances of a journey in a segment ('all' for the total) and a period add up to (SEMANTICS 4).
-- From: fct_journey, journey_definitions, dim_customer (segment at the start of the instance).
-- Key: journey, segment, period_kind, period_start.
--
-- Counts by status are of all instances. Everything else is of the measured ones. In a period with open instances those
-- that are over are the short ones, so an instance is not measured because it is over, but
--   - all of them, in a mature period: it is over, and so is each of its instances;
--   - else those that started more than the journey's `within` before $as_of: whatever happened, they are over by now.
-- A journey without `within` has no such instances: an instance may go on as long as touchpoints come.
-- Sums of floats are decimals, so their order does not matter. Squares and products are for the variances of changes.
WITH instance AS (
    SELECT
        fct_journey.*,
        coalesce(spell.segment, 'unknown') AS segment,
        date_trunc('month', fct_journey.started_at) AS month_start,
        CAST(round(definition.within_s * 1e6) AS BIGINT) AS within_us,
        coalesce(
            CAST($as_of AS BIGINT) - CAST(fct_journey.started_at AS BIGINT)
                > CAST(round(definition.within_s * 1e6) AS BIGINT),
            FALSE
        ) AS is_past_limit,
        -- Members' scores back from their mean, so that the period's mean weighs each answer once.
        fct_journey.touchpoint_satisfaction * fct_journey.touchpoint_responses AS touchpoint_scores,
        fct_journey.journey_satisfaction * fct_journey.journey_responses AS journey_scores
    FROM fct_journey
    LEFT JOIN journey_definitions AS definition ON definition.journey = fct_journey.journey
    LEFT JOIN dim_customer AS spell
        ON spell.customer_id = fct_journey.customer_id
        AND (spell.valid_from IS NULL OR fct_journey.started_at >= spell.valid_from)
        AND (spell.valid_until IS NULL OR fct_journey.started_at < spell.valid_until)
),

-- The only pass over all instances: quarters and totals are sums of these.
part AS (
    SELECT
        journey,
        segment,
        month_start,
        is_past_limit,
        max(within_us) AS within_us,
        count(*) AS instances,
        count(*) FILTER (WHERE status = 'completed') AS completed,
        count(*) FILTER (WHERE status = 'abandoned') AS abandoned,
        count(*) FILTER (WHERE status = 'expired') AS expired,
        count(*) FILTER (WHERE status = 'restarted') AS restarted,
        count(*) FILTER (WHERE status = 'open') AS still_open,
        array_agg(duration_s) FILTER (WHERE status = 'completed') AS durations,
        sum(touchpoints) AS touchpoints,
        sum(contacts) AS contacts,
        sum(channels) AS channels,
        sum(channel_switches) AS channel_switches,
        sum(handoffs) AS handoffs,
        sum(repeat_contacts) AS repeat_contacts,
        count(*) FILTER (WHERE contacts > 0) AS contact_instances,
        sum(contacts * contacts) AS contact_squares,
        sum(repeat_contacts * repeat_contacts) AS repeat_contact_squares,
        sum(repeat_contacts * contacts) AS repeat_contact_products,
        sum(unresolved) AS unresolved,
        count(cost) AS costed_instances,
        sum(CAST(cost AS DECIMAL(38, 18))) AS cost,
        sum(CAST(cost * cost AS DECIMAL(38, 12))) AS cost_squares,
        count(all_satisfied) AS touchpoint_answered_instances,
        count(*) FILTER (WHERE all_satisfied) AS all_satisfied_instances,
        sum(touchpoint_responses) AS touchpoint_responses,
        sum(touchpoint_responses * touchpoint_responses) AS touchpoint_response_squares,
        sum(CAST(touchpoint_scores AS DECIMAL(38, 18))) AS touchpoint_scores,
        sum(CAST(touchpoint_scores * touchpoint_scores AS DECIMAL(38, 18))) AS touchpoint_score_squares,
        sum(CAST(touchpoint_scores * touchpoint_responses AS DECIMAL(38, 18))) AS touchpoint_score_products,
        count(journey_satisfaction) AS journey_answered_instances,
        count(*) FILTER (WHERE journey_satisfaction >= $satisfied) AS journey_satisfied_instances,
        sum(journey_responses) AS journey_responses,
        sum(journey_responses * journey_responses) AS journey_response_squares,
        sum(CAST(journey_scores AS DECIMAL(38, 18))) AS journey_scores,
        sum(CAST(journey_scores * journey_scores AS DECIMAL(38, 18))) AS journey_score_squares,
        sum(CAST(journey_scores * journey_responses AS DECIMAL(38, 18))) AS journey_score_products,
        -- The gap is of the instances that have both scores: others would compare different customers.
        count(satisfaction_gap) AS gap_instances,
        sum(CAST(touchpoint_satisfaction AS DECIMAL(38, 18))) FILTER (WHERE satisfaction_gap IS NOT NULL)
            AS gap_touchpoint_scores,
        sum(CAST(journey_satisfaction AS DECIMAL(38, 18))) FILTER (WHERE satisfaction_gap IS NOT NULL)
            AS gap_journey_scores,
        sum(CAST(satisfaction_gap * satisfaction_gap AS DECIMAL(38, 18))) AS gap_squares,
        count(satisfaction_points) AS satisfaction_change_instances,
        sum(CAST(satisfaction_start AS DECIMAL(38, 18))) FILTER (WHERE satisfaction_points IS NOT NULL)
            AS satisfaction_start_scores,
        sum(CAST(satisfaction_end AS DECIMAL(38, 18))) FILTER (WHERE satisfaction_points IS NOT NULL)
            AS satisfaction_end_scores,
        count(*) FILTER (WHERE NOT is_multichannel) AS single_channel_instances,
        count(*) FILTER (WHERE NOT is_multichannel AND status = 'completed') AS single_channel_completed,
        sum(journey_responses) FILTER (WHERE NOT is_multichannel) AS single_channel_journey_responses,
        sum(CAST(journey_scores AS DECIMAL(38, 18))) FILTER (WHERE NOT is_multichannel)
            AS single_channel_journey_scores,
        count(*) FILTER (WHERE is_multichannel) AS multi_channel_instances,
        count(*) FILTER (WHERE is_multichannel AND status = 'completed') AS multi_channel_completed,
        sum(journey_responses) FILTER (WHERE is_multichannel) AS multi_channel_journey_responses,
        sum(CAST(journey_scores AS DECIMAL(38, 18))) FILTER (WHERE is_multichannel) AS multi_channel_journey_scores
    FROM instance
    GROUP BY journey, segment, month_start, is_past_limit
),

-- Each part stands in four rows: its month and its quarter, for its segment and for all.
placed AS (
    SELECT
        part.* EXCLUDE (segment, month_start),
        CASE WHEN place.is_total THEN 'all' ELSE part.segment END AS segment,
        place.period_kind,
        CASE place.period_kind WHEN 'month' THEN part.month_start ELSE date_trunc('quarter', part.month_start) END
            AS period_start,
        CASE place.period_kind
            WHEN 'month' THEN part.month_start + INTERVAL '1 month'
            ELSE date_trunc('quarter', part.month_start) + INTERVAL '3 months'
        END AS period_end
    FROM part
    CROSS JOIN (VALUES ('month', FALSE), ('month', TRUE), ('quarter', FALSE), ('quarter', TRUE))
        AS place (period_kind, is_total)
),

judged AS (
    SELECT
        placed.*,
        period_end <= $as_of AND sum(still_open) OVER (
            PARTITION BY journey, segment, period_kind, period_start
        ) = 0 AS is_mature
    FROM placed
),

chosen AS (
    SELECT judged.*, is_mature OR is_past_limit AS is_measured
    FROM judged
),

-- A customer may come back in a period, so customers do not add up.
customer_count AS (
    SELECT
        journey,
        coalesce(segment, 'all') AS segment,
        CASE WHEN month_start IS NULL THEN 'quarter' ELSE 'month' END AS period_kind,
        coalesce(month_start, quarter_start) AS period_start,
        count(DISTINCT customer_id) AS customers
    FROM (
        SELECT journey, segment, month_start, date_trunc('quarter', month_start) AS quarter_start, customer_id
        FROM instance
    ) AS started
    GROUP BY GROUPING SETS (
        (journey, segment, month_start),
        (journey, month_start),
        (journey, segment, quarter_start),
        (journey, quarter_start)
    )
),

total AS (
    SELECT
        journey,
        segment,
        period_kind,
        period_start,
        period_end,
        is_mature,
        max(within_us) AS within_us,
        sum(instances) AS instances,
        sum(completed) AS completed,
        sum(abandoned) AS abandoned,
        sum(expired) AS expired,
        sum(restarted) AS restarted,
        sum(still_open) AS still_open,
        sum(instances) FILTER (WHERE is_measured) AS measured_instances,
        sum(completed) FILTER (WHERE is_measured) AS measured_completed,
        array_sort(flatten(array_agg(durations) FILTER (WHERE is_measured AND durations IS NOT NULL))) AS durations,
        sum(touchpoints) FILTER (WHERE is_measured) AS touchpoints,
        sum(contacts) FILTER (WHERE is_measured) AS contacts,
        sum(channels) FILTER (WHERE is_measured) AS channels,
        sum(channel_switches) FILTER (WHERE is_measured) AS channel_switches,
        sum(handoffs) FILTER (WHERE is_measured) AS handoffs,
        sum(repeat_contacts) FILTER (WHERE is_measured) AS repeat_contacts,
        sum(contact_instances) FILTER (WHERE is_measured) AS contact_instances,
        sum(contact_squares) FILTER (WHERE is_measured) AS contact_squares,
        sum(repeat_contact_squares) FILTER (WHERE is_measured) AS repeat_contact_squares,
        sum(repeat_contact_products) FILTER (WHERE is_measured) AS repeat_contact_products,
        sum(unresolved) FILTER (WHERE is_measured) AS unresolved,
        sum(costed_instances) FILTER (WHERE is_measured) AS costed_instances,
        CAST(sum(cost) FILTER (WHERE is_measured) AS DOUBLE) AS cost,
        CAST(sum(cost_squares) FILTER (WHERE is_measured) AS DOUBLE) AS cost_squares,
        sum(touchpoint_answered_instances) FILTER (WHERE is_measured) AS touchpoint_answered_instances,
        sum(all_satisfied_instances) FILTER (WHERE is_measured) AS all_satisfied_instances,
        sum(touchpoint_responses) FILTER (WHERE is_measured) AS touchpoint_responses,
        sum(touchpoint_response_squares) FILTER (WHERE is_measured) AS touchpoint_response_squares,
        CAST(sum(touchpoint_scores) FILTER (WHERE is_measured) AS DOUBLE) AS touchpoint_scores,
        CAST(sum(touchpoint_score_squares) FILTER (WHERE is_measured) AS DOUBLE) AS touchpoint_score_squares,
        CAST(sum(touchpoint_score_products) FILTER (WHERE is_measured) AS DOUBLE) AS touchpoint_score_products,
        sum(journey_answered_instances) FILTER (WHERE is_measured) AS journey_answered_instances,
        sum(journey_satisfied_instances) FILTER (WHERE is_measured) AS journey_satisfied_instances,
        sum(journey_responses) FILTER (WHERE is_measured) AS journey_responses,
        sum(journey_response_squares) FILTER (WHERE is_measured) AS journey_response_squares,
        CAST(sum(journey_scores) FILTER (WHERE is_measured) AS DOUBLE) AS journey_scores,
        CAST(sum(journey_score_squares) FILTER (WHERE is_measured) AS DOUBLE) AS journey_score_squares,
        CAST(sum(journey_score_products) FILTER (WHERE is_measured) AS DOUBLE) AS journey_score_products,
        sum(gap_instances) FILTER (WHERE is_measured) AS gap_instances,
        CAST(sum(gap_touchpoint_scores) FILTER (WHERE is_measured) AS DOUBLE) AS gap_touchpoint_scores,
        CAST(sum(gap_journey_scores) FILTER (WHERE is_measured) AS DOUBLE) AS gap_journey_scores,
        CAST(sum(gap_squares) FILTER (WHERE is_measured) AS DOUBLE) AS gap_squares,
        sum(satisfaction_change_instances) FILTER (WHERE is_measured) AS satisfaction_change_instances,
        CAST(sum(satisfaction_start_scores) FILTER (WHERE is_measured) AS DOUBLE) AS satisfaction_start_scores,
        CAST(sum(satisfaction_end_scores) FILTER (WHERE is_measured) AS DOUBLE) AS satisfaction_end_scores,
        sum(single_channel_instances) FILTER (WHERE is_measured) AS single_channel_instances,
        sum(single_channel_completed) FILTER (WHERE is_measured) AS single_channel_completed,
        sum(single_channel_journey_responses) FILTER (WHERE is_measured) AS single_channel_journey_responses,
        CAST(sum(single_channel_journey_scores) FILTER (WHERE is_measured) AS DOUBLE) AS single_channel_journey_scores,
        sum(multi_channel_instances) FILTER (WHERE is_measured) AS multi_channel_instances,
        sum(multi_channel_completed) FILTER (WHERE is_measured) AS multi_channel_completed,
        sum(multi_channel_journey_responses) FILTER (WHERE is_measured) AS multi_channel_journey_responses,
        CAST(sum(multi_channel_journey_scores) FILTER (WHERE is_measured) AS DOUBLE) AS multi_channel_journey_scores
    FROM chosen
    GROUP BY journey, segment, period_kind, period_start, period_end, is_mature
),

counted AS (
    SELECT total.*, CAST(coalesce(array_length(durations), 0) AS BIGINT) AS durations_known
    FROM total
),

-- The median lies between two order statistics with the confidence asked for, whatever the distribution.
ordered AS (
    SELECT
        counted.*,
        CAST(floor(
            (durations_known - normal_quantile((1 + $confidence) / 2) * sqrt(durations_known)) / 2
        ) AS BIGINT) AS lower_place
    FROM counted
)

SELECT
    ordered.* EXCLUDE (within_us, is_mature, durations, durations_known, lower_place),
    -- Exact percentiles with linear interpolation at (n − 1)·p; percentile_cont rounds the weight to 1e-6.
    durations[CAST(floor((durations_known - 1) * 0.5) AS BIGINT) + 1]
        + (durations[CAST(ceil((durations_known - 1) * 0.5) AS BIGINT) + 1]
            - durations[CAST(floor((durations_known - 1) * 0.5) AS BIGINT) + 1])
        * ((durations_known - 1) * 0.5 - floor((durations_known - 1) * 0.5)) AS duration_p50_s,
    CASE WHEN lower_place >= 1 THEN durations[lower_place] END AS duration_p50_s_lower,
    CASE WHEN lower_place >= 1 THEN durations[durations_known + 1 - lower_place] END AS duration_p50_s_upper,
    durations[CAST(floor((durations_known - 1) * 0.9) AS BIGINT) + 1]
        + (durations[CAST(ceil((durations_known - 1) * 0.9) AS BIGINT) + 1]
            - durations[CAST(floor((durations_known - 1) * 0.9) AS BIGINT) + 1])
        * ((durations_known - 1) * 0.9 - floor((durations_known - 1) * 0.9)) AS duration_p90_s,
    customer_count.customers,
    CASE WHEN is_mature THEN 'mature' ELSE 'maturing' END AS maturity,
    CASE
        WHEN is_mature THEN period_end
        WHEN measured_instances > 0 THEN least(
            period_end,
            arrow_cast(CAST($as_of AS BIGINT) - within_us, 'Timestamp(Microsecond, Some("UTC"))')
        )
    END AS measured_until,
    CASE WHEN NOT is_mature THEN
        CASE
            WHEN period_end > $as_of THEN 'the period is not over'
            ELSE CAST(still_open AS VARCHAR) || ' of ' || CAST(instances AS VARCHAR) || ' instances are still open'
        END
        || CASE
            WHEN measured_instances > 0 THEN ''
            WHEN within_us IS NULL THEN ', and without `within` the journey has no time by which an instance is over'
            ELSE ', and none started so long ago that its time is up'
        END
    END AS maturity_reason
FROM ordered
LEFT JOIN customer_count
    ON customer_count.journey = ordered.journey
    AND customer_count.segment = ordered.segment
    AND customer_count.period_kind = ordered.period_kind
    AND customer_count.period_start = ordered.period_start
ORDER BY ordered.journey, ordered.segment, ordered.period_kind, ordered.period_start
