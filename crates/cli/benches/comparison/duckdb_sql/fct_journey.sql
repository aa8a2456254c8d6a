-- One row: a journey instance with every measure (SEMANTICS 2 and 3). From: touchpoints, role. Key: journey_id.
WITH step AS (
    SELECT
        role.journey, t.customer_id, t.touchpoint_id, epoch_us(t.occurred_at) AS moment,
        role.is_start, role.closes, role.within_us, role.idle_us,
        t.channel::channel_code AS channel, t.topic::topic_code AS topic, t.function::function_code AS function,
        t.satisfaction, t.resolved, t.cost
    FROM read_parquet('{lake}/touchpoints/*.parquet') AS t
    JOIN role ON role.event = t.event AND role.topic = coalesce(t.topic, '')
    WHERE t.occurred_at < TIMESTAMPTZ '{as_of} 00:00:00+00'
),

placed AS (
    SELECT
        * EXCLUDE (within_us, idle_us),
        count(*) FILTER (is_start) OVER history AS segment,
        max(moment) FILTER (is_start) OVER history AS started,
        NOT is_start AND (
            moment - lag(moment) OVER history > idle_us
            OR moment - max(moment) FILTER (is_start) OVER history > within_us
        ) AS is_late
    FROM step
    WINDOW history AS (PARTITION BY journey, customer_id ORDER BY moment, touchpoint_id ROWS UNBOUNDED PRECEDING)
),

walked AS (
    SELECT
        * EXCLUDE (is_late),
        count(*) FILTER (is_late) OVER (so_far ROWS UNBOUNDED PRECEDING) AS late,
        count(*) FILTER (closes > 0) OVER (so_far ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS closed,
        row_number() OVER so_far AS place,
        lag(channel) OVER so_far AS previous_channel,
        last_value(function IGNORE NULLS) OVER (so_far ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            AS previous_function,
        channel IN {assisted} AS is_contact
    FROM placed
    WHERE segment > 0
    WINDOW so_far AS (PARTITION BY journey, customer_id, segment ORDER BY moment, touchpoint_id)
),

member AS (SELECT * FROM walked WHERE late = 0 AND closed = 0),

repetition AS (
    SELECT journey, customer_id, segment, count(*) AS repeat_contacts
    FROM (
        SELECT journey, customer_id, segment, moment - lag(moment) OVER topic_so_far AS since
        FROM member
        WHERE is_contact AND topic IS NOT NULL
        WINDOW topic_so_far AS (PARTITION BY journey, customer_id, segment, topic ORDER BY place)
    )
    WHERE since <= {week_us}
    GROUP BY ALL
),

instance AS (
    SELECT
        journey, customer_id, segment,
        max(touchpoint_id) FILTER (is_start) AS first_touchpoint,
        max(started) AS started,
        max(moment) AS last,
        max(closes) AS closes,
        count(*) AS touchpoints,
        bit_count(bit_or(1::INTEGER << enum_code(channel)))::BIGINT AS channels,
        count(*) FILTER (channel <> previous_channel) AS channel_switches,
        coalesce(bit_count(bit_or(1::INTEGER << enum_code(function))), 0)::BIGINT AS functions,
        count(*) FILTER (function <> previous_function) AS handoffs,
        count(*) FILTER (is_contact) AS contacts,
        max(channel) FILTER (is_start) AS first_channel,
        arg_max(channel, place) AS last_channel,
        count(*) FILTER (NOT resolved) AS unresolved,
        sum(cost) AS cost,
        avg(satisfaction) AS touchpoint_satisfaction,
        count(satisfaction) AS touchpoint_responses,
        min(satisfaction) AS worst_touchpoint_satisfaction
    FROM member
    GROUP BY journey, customer_id, segment
),

followed AS (
    SELECT
        *,
        lead(started, 1, {as_of_us}) OVER (PARTITION BY journey, customer_id ORDER BY segment) AS until
    FROM instance
    LEFT JOIN repetition USING (journey, customer_id, segment)
    JOIN (SELECT DISTINCT journey, within_us, idle_us FROM role) USING (journey)
),

judged AS (
    SELECT
        *,
        CASE
            WHEN closes = 1 THEN 'completed'
            WHEN closes = 2 THEN 'abandoned'
            WHEN until - started > within_us OR until - last > idle_us THEN 'expired'
            WHEN until < {as_of_us} THEN 'restarted'
            ELSE 'open'
        END AS status
    FROM followed
)

SELECT
    journey::VARCHAR || '/' || first_touchpoint AS journey_id,
    journey::VARCHAR AS journey,
    customer_id,
    make_timestamptz(started) AS started_at,
    make_timestamptz(last) AS last_at,
    CASE WHEN status <> 'open' THEN make_timestamptz(last) END AS ended_at,
    status,
    (last - started) / 1e6 AS duration_s,
    touchpoints, channels, channels > 1 AS is_multichannel, channel_switches, functions, handoffs, contacts,
    coalesce(repeat_contacts, 0) AS repeat_contacts,
    first_channel::VARCHAR AS first_channel,
    last_channel::VARCHAR AS last_channel,
    unresolved, cost, touchpoint_satisfaction, touchpoint_responses, worst_touchpoint_satisfaction,
    worst_touchpoint_satisfaction >= 0.75 AS all_satisfied
FROM judged
