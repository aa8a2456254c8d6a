"""The comparison's work in DuckDB.

Narrow rows are what makes it fast: channel, topic, function and journey become enums of a byte (their values from one
scan of a column each), times 64-bit integers, so that both window sorts move little. Conditions are decided once for
each pair of event and topic, and a hash join puts them on the touchpoints.

Tried and slower at 20 million touchpoints: text columns through the windows (CPU 62 s and 4.9 GB instead of 37 s and
2.5 GB); repeated contacts by a window over all members instead of over the contacts alone (43 s); a distinct count for
the channels instead of bits; DISTINCT over (event, topic) instead of over each (1.7 s more).
"""

import math
from pathlib import Path

import duckdb

from definitions import AS_OF, AS_OF_US, ASSISTED, LANDMARKS, THREADS, WEEK_US, load, peer_arguments

CODES = """
CREATE TYPE {column}_code AS ENUM (
    SELECT DISTINCT {column} FROM read_parquet('{lake}/touchpoints/*.parquet') WHERE {column} IS NOT NULL
)
"""

# What a pair of event and topic is to a journey. closes: 1 completed, 2 abandoned.
ROLE = """
SELECT
    event, coalesce(topic, '') AS topic, '{d.name}'::journey_code AS journey, {d.within} AS within_us,
    {d.idle} AS idle_us, coalesce({d.starts}, false) AS is_start,
    CASE WHEN {d.ends} THEN 1 WHEN {d.abandons} THEN 2 ELSE 0 END::TINYINT AS closes
FROM pair
WHERE ({d.starts}) OR ({d.ends}) OR ({d.abandons}) OR ({d.includes})
"""

FCT_JOURNEY = f"""
WITH step AS (
    SELECT
        role.journey, t.customer_id, t.touchpoint_id, epoch_us(t.occurred_at) AS moment,
        role.is_start, role.closes, role.within_us, role.idle_us,
        t.channel::channel_code AS channel, t.topic::topic_code AS topic, t.function::function_code AS function,
        t.satisfaction, t.resolved, t.cost
    FROM read_parquet('{{lake}}/touchpoints/*.parquet') AS t
    JOIN role ON role.event = t.event AND role.topic = coalesce(t.topic, '')
    WHERE t.occurred_at < TIMESTAMPTZ '{AS_OF} 00:00:00+00'
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
        channel IN {ASSISTED} AS is_contact
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
    WHERE since <= {WEEK_US}
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
        lead(started, 1, {AS_OF_US}) OVER (PARTITION BY journey, customer_id ORDER BY segment) AS until
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
            WHEN until < {AS_OF_US} THEN 'restarted'
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
"""

PERFORMANCE = """
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
"""

# Who is unexposed is counted as everybody less the exposed and the carried over, stratum by stratum: no row is made for
# a customer and a journey he was not on.
KEY_JOURNEYS = f"""
WITH landmark AS (
    SELECT
        unnest({LANDMARKS})::TIMESTAMP AS landmark,
        landmark - INTERVAL 90 DAYS AS exposure_from,
        landmark + INTERVAL 90 DAYS AS outcome_until,
        outcome_until <= TIMESTAMP '{AS_OF}' AS is_matured
),

spell AS (
    SELECT
        landmark, is_matured, customer_id, segment,
        CASE
            WHEN joined_at > landmark - INTERVAL 30 DAYS THEN '[0, 30)'
            WHEN joined_at > landmark - INTERVAL 90 DAYS THEN '[30, 90)'
            WHEN joined_at > landmark - INTERVAL 365 DAYS THEN '[90, 365)'
            WHEN joined_at > landmark - INTERVAL 1095 DAYS THEN '[365, 1095)'
            ELSE '[1095, inf)'
        END AS tenure_band,
        CASE
            WHEN is_matured AND churned_at < outcome_until THEN 'churned'
            WHEN is_matured AND lost_at < outcome_until THEN 'censored'
            ELSE 'stayed'
        END AS outcome
    FROM customer
    JOIN landmark ON joined_at < landmark
        AND (churned_at IS NULL OR churned_at >= landmark)
        AND (lost_at IS NULL OR lost_at >= landmark)
),

exposure AS (
    SELECT
        landmark, journey, customer_id,
        count(*) FILTER (make_timestamp(epoch_us(started_at)) >= exposure_from) AS instances
    FROM fct_journey
    JOIN landmark ON make_timestamp(epoch_us(started_at)) < landmark
        AND make_timestamp(epoch_us(last_at)) >= exposure_from
    GROUP BY ALL
),

population AS (
    SELECT
        landmark, is_matured, segment, tenure_band,
        count(*) FILTER (outcome = 'churned') AS churned,
        count(*) FILTER (outcome = 'stayed') AS stayed,
        count(*) FILTER (outcome = 'censored') AS censored
    FROM spell
    GROUP BY ALL
),

touched AS (
    SELECT
        landmark, journey, segment, tenure_band,
        sum(instances) FILTER (outcome <> 'censored') AS instances,
        count(*) FILTER (instances > 0 AND outcome = 'churned') AS a,
        count(*) FILTER (instances > 0 AND outcome = 'stayed') AS b,
        count(*) FILTER (instances = 0 AND outcome = 'churned') AS carried_churned,
        count(*) FILTER (instances = 0 AND outcome = 'stayed') AS carried_stayed,
        count(*) FILTER (instances = 0 AND outcome = 'censored') AS carried_censored
    FROM exposure
    JOIN spell USING (landmark, customer_id)
    GROUP BY ALL
),

stratum AS (
    SELECT
        landmark, journey, is_matured, segment, tenure_band,
        coalesce(instances, 0) AS instances,
        coalesce(a, 0) AS a,
        coalesce(b, 0) AS b,
        churned - coalesce(a + carried_churned, 0) AS c,
        stayed - coalesce(b + carried_stayed, 0) AS d,
        coalesce(carried_churned + carried_stayed + carried_censored, 0) AS carried_over,
        censored - coalesce(carried_censored, 0) AS censored,
        a + b + c + d AS n
    FROM population
    CROSS JOIN (SELECT DISTINCT journey::VARCHAR AS journey FROM role)
    LEFT JOIN touched USING (landmark, journey, segment, tenure_band)
),

pooled AS (
    SELECT
        landmark, journey,
        CASE WHEN grouping(segment) = 1 THEN 'all' ELSE segment END AS segment,
        any_value(is_matured) AS is_matured,
        sum(instances)::BIGINT AS instances, sum(a)::BIGINT AS a, sum(b)::BIGINT AS b, sum(c)::BIGINT AS c,
        sum(d)::BIGINT AS d, sum(carried_over)::BIGINT AS carried_over, sum(censored)::BIGINT AS censored,
        sum(a * d / n) FILTER (n > 0) AS concordant,
        sum(b * c / n) FILTER (n > 0) AS discordant,
        sum((a * d - b * c) / n) FILTER (n > 1) AS deviation,
        sum((a + b) / n * ((c + d) / n) * ((a + c) * (b + d) / (n - 1))) FILTER (n > 1) AS variance
    FROM stratum
    GROUP BY GROUPING SETS ((landmark, journey, segment), (landmark, journey))
)

SELECT
    landmark::DATE AS landmark, journey, segment, instances, a + b AS exposed, c + d AS unexposed, carried_over,
    CASE WHEN is_matured THEN censored END AS censored,
    CASE WHEN is_matured THEN a END AS a,
    CASE WHEN is_matured THEN b END AS b,
    CASE WHEN is_matured THEN c END AS c,
    CASE WHEN is_matured THEN d END AS d,
    CASE WHEN is_matured THEN a / nullif(a + b, 0) END AS exposed_churn_rate,
    CASE WHEN is_matured THEN c / nullif(c + d, 0) END AS unexposed_churn_rate,
    CASE WHEN is_matured AND concordant > 0 AND discordant > 0 THEN concordant / discordant END AS adjusted_odds_ratio,
    CASE WHEN is_matured AND variance > 0 THEN erfc(sqrt(deviation ^ 2 / variance / 2)) END AS p_value
FROM pooled
"""


def main() -> None:
    """Runs the stages asked for and writes their tables."""
    asked = peer_arguments(__doc__)
    database = duckdb.connect()
    database.sql(f"SET threads = {THREADS}; SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
    database.sql(f"SET temp_directory = '{asked.out}/spill'")
    for column in ("event", "topic", "channel", "function"):
        database.sql(CODES.format(column=column, lake=asked.lake))
    journeys = load()
    database.sql(f"CREATE TYPE journey_code AS ENUM ({', '.join(repr(journey.name) for journey in journeys)})")
    roles = " UNION ALL ".join(ROLE.format(d=journey) for journey in journeys)
    database.sql(f"""
        CREATE TABLE role AS
        WITH pair AS (
            SELECT event, topic
            FROM (SELECT unnest(enum_range(NULL::event_code)) AS event),
                (SELECT unnest(enum_range(NULL::topic_code)) AS topic UNION ALL SELECT NULL)
        )
        {roles}
    """)
    write(database, FCT_JOURNEY.format(lake=asked.lake), asked.out, "fct_journey")
    if asked.stage == "all":
        database.sql(f"CREATE VIEW fct_journey AS FROM '{asked.out}/fct_journey.parquet'")
        database.sql(f"""
            CREATE TABLE customer AS
            SELECT
                customer_id, coalesce(segment, 'unknown') AS segment,
                make_timestamp(epoch_us(joined_at)) AS joined_at,
                make_timestamp(epoch_us(churned_at)) AS churned_at,
                make_timestamp(epoch_us(lost_at)) AS lost_at
            FROM '{asked.lake}/customers.parquet'
        """)
        database.create_function("erfc", math.erfc, ["DOUBLE"], "DOUBLE")
        write(database, PERFORMANCE, asked.out, "performance")
        write(database, KEY_JOURNEYS, asked.out, "key_journeys")


def write(database: duckdb.DuckDBPyConnection, query: str, folder: Path, table: str) -> None:
    """Writes a query's rows as they come; later stages read the file, which holds less memory than a table would."""
    database.sql(f"COPY ({query}) TO '{folder}/{table}.parquet' (FORMAT parquet, COMPRESSION zstd)")


if __name__ == "__main__":
    main()
