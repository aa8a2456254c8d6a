"""The comparison's work in ClickHouse, as chdb runs it in a process.

ClickHouse is fastest where it works on arrays: one GROUP BY gathers a customer's steps for a journey into an array of
tuples, which is sorted and split at the starts; an instance is what its part holds up to the first late or closing step,
and every measure is a function of that array. Text of few values is LowCardinality from the scan on.

TRIED
"""

from chdb import session

from definitions import AS_OF, AS_OF_US, ASSISTED, LANDMARKS, THREADS, WEEK_US, load, peer_arguments

JOURNEYS = load()

TOUCHPOINTS = """file('{lake}/touchpoints/*.parquet', Parquet, $$
    touchpoint_id String, customer_id String, occurred_at DateTime64(6, 'UTC'), channel LowCardinality(String),
    event LowCardinality(String), topic LowCardinality(Nullable(String)), function LowCardinality(Nullable(String)),
    satisfaction Nullable(Float64), resolved Nullable(Bool), cost Nullable(Float64)
$$)"""

# What a pair of event and topic is to a journey. closes: 1 completed, 2 abandoned.
ROLE = """
SELECT event, ifNull(topic, '') AS topic, toUInt8({code}) AS journey, toUInt8(ifNull({d.starts}, 0)) AS is_start,
    toUInt8(multiIf(ifNull({d.ends}, 0), 1, ifNull({d.abandons}, 0), 2, 0)) AS closes
FROM pair
WHERE ifNull({d.starts}, 0) OR ifNull({d.ends}, 0) OR ifNull({d.abandons}, 0) OR ifNull({d.includes}, 0)
"""

# An element of `steps` and of its parts: 1 moment, 2 touchpoint_id, 3 is_start, 4 closes, 5 channel, 6 topic,
# 7 function, 8 satisfaction, 9 resolved, 10 cost.
FCT_JOURNEY = f"""
WITH history AS (
    SELECT
        role.journey AS journey,
        customer_id,
        arraySort(groupArray((
            toUnixTimestamp64Micro(occurred_at), touchpoint_id, is_start, closes, channel, t.topic, function,
            satisfaction, resolved, cost
        ))) AS steps
    FROM {{touchpoints}} AS t
    INNER JOIN role ON role.event = t.event AND role.topic = ifNull(t.topic, '')
    WHERE occurred_at < toDateTime64('{AS_OF} 00:00:00', 6, 'UTC')
    GROUP BY journey, customer_id
),

divided AS (
    SELECT
        journey, customer_id,
        arrayFilter(part -> part[1].3 = 1, arraySplit(step -> step.3, steps)) AS parts,
        arrayPushBack(arrayPopFront(arrayMap(part -> part[1].1, parts)), toInt64({AS_OF_US})) AS untils
    FROM history
    WHERE arrayExists(step -> step.3 = 1, steps)
),

segment AS (
    SELECT
        journey, customer_id, part, until, part[1].1 AS started,
        {[j.within for j in JOURNEYS]}[journey + 1] AS within_us,
        {[j.idle for j in JOURNEYS]}[journey + 1] AS idle_us,
        arrayFirstIndex((step, gap) -> gap > idle_us OR step.1 - started > within_us, part, arrayDifference(part.1))
            AS late,
        arrayFirstIndex(step -> step.4 > 0, part) AS closing
    FROM divided
    ARRAY JOIN parts AS part, untils AS until
),

instance AS (
    SELECT
        journey, customer_id, started, until, within_us, idle_us,
        arraySlice(part, 1, least(if(late = 0, length(part), toUInt64(late - 1)), if(closing = 0, length(part), closing)))
            AS members,
        members[-1].1 AS last,
        members[1].2 AS first_touchpoint,
        arrayFilter(step -> step IS NOT NULL, members.7) AS departments,
        arraySort(step -> (step.6, step.1, step.2), arrayFilter(step -> step.5 IN {ASSISTED}, members)) AS calls,
        arrayMap(cost -> assumeNotNull(cost), arrayFilter(cost -> cost IS NOT NULL, members.10)) AS costs,
        arrayMap(score -> assumeNotNull(score), arrayFilter(score -> score IS NOT NULL, members.8)) AS scores,
        {[j.name for j in JOURNEYS]}[journey + 1] AS name,
        multiIf(
            members[-1].4 = 1, 'completed',
            members[-1].4 = 2, 'abandoned',
            until - started > within_us OR until - last > idle_us, 'expired',
            until < {AS_OF_US}, 'restarted',
            'open'
        ) AS status
    FROM segment
)

SELECT
    concat(name, '/', first_touchpoint) AS journey_id,
    name AS journey,
    customer_id,
    fromUnixTimestamp64Micro(started, 'UTC') AS started_at,
    fromUnixTimestamp64Micro(last, 'UTC') AS last_at,
    if(status = 'open', NULL, fromUnixTimestamp64Micro(last, 'UTC')) AS ended_at,
    status,
    (last - started) / 1e6 AS duration_s,
    toInt64(length(members)) AS touchpoints,
    toInt64(arrayUniq(members.5)) AS channels,
    channels > 1 AS is_multichannel,
    toInt64(arrayCount((x, y) -> x != y, arrayPopFront(members.5), arrayPopBack(members.5))) AS channel_switches,
    toInt64(arrayUniq(departments)) AS functions,
    toInt64(arrayCount((x, y) -> x != y, arrayPopFront(departments), arrayPopBack(departments))) AS handoffs,
    toInt64(length(calls)) AS contacts,
    toInt64(arrayCount((x, y) -> ifNull(x.6 = y.6 AND x.1 - y.1 <= {WEEK_US}, 0), arrayPopFront(calls),
        arrayPopBack(calls))) AS repeat_contacts,
    toString(members[1].5) AS first_channel,
    toString(members[-1].5) AS last_channel,
    toInt64(arrayCount(resolved -> ifNull(NOT resolved, 0), members.9)) AS unresolved,
    if(empty(costs), NULL, arraySum(costs)) AS cost,
    if(empty(scores), NULL, arrayAvg(scores)) AS touchpoint_satisfaction,
    toInt64(length(scores)) AS touchpoint_responses,
    if(empty(scores), NULL, arrayMin(scores)) AS worst_touchpoint_satisfaction,
    worst_touchpoint_satisfaction >= 0.75 AS all_satisfied
FROM instance
"""

PERFORMANCE = """
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
"""

# The unexposed are everybody less the exposed and the carried over, stratum by stratum.
KEY_JOURNEYS = f"""
WITH landmark AS (
    SELECT
        toDateTime64(arrayJoin({LANDMARKS}), 6, 'UTC') AS landmark,
        landmark - INTERVAL 90 DAY AS exposure_from,
        landmark + INTERVAL 90 DAY AS outcome_until,
        outcome_until <= toDateTime64('{AS_OF}', 6, 'UTC') AS is_matured
),

spell AS (
    SELECT
        landmark, is_matured, customer_id, segment,
        countEqual([joined_at > landmark - INTERVAL 30 DAY, joined_at > landmark - INTERVAL 90 DAY,
            joined_at > landmark - INTERVAL 365 DAY, joined_at > landmark - INTERVAL 1095 DAY], 1) AS tenure_band,
        multiIf(
            is_matured AND ifNull(churned_at < outcome_until, 0), 'churned',
            is_matured AND ifNull(lost_at < outcome_until, 0), 'censored',
            'stayed'
        ) AS outcome
    FROM customer
    CROSS JOIN landmark
    WHERE joined_at < landmark AND ifNull(churned_at >= landmark, 1) AND ifNull(lost_at >= landmark, 1)
),

exposure AS (
    SELECT landmark, journey, customer_id, toInt64(countIf(started_at >= exposure_from)) AS instances
    FROM fct_journey
    CROSS JOIN landmark
    WHERE started_at < landmark AND last_at >= exposure_from
    GROUP BY landmark, journey, customer_id
),

population AS (
    SELECT
        landmark, is_matured, segment, tenure_band,
        toInt64(countIf(outcome = 'churned')) AS churned,
        toInt64(countIf(outcome = 'stayed')) AS stayed,
        toInt64(countIf(outcome = 'censored')) AS lost
    FROM spell
    GROUP BY landmark, is_matured, segment, tenure_band
),

touched AS (
    SELECT
        e.landmark AS landmark, journey, segment, tenure_band,
        sumIf(e.instances, outcome != 'censored') AS instances,
        toInt64(countIf(e.instances > 0 AND outcome = 'churned')) AS a,
        toInt64(countIf(e.instances > 0 AND outcome = 'stayed')) AS b,
        toInt64(countIf(e.instances = 0 AND outcome = 'churned')) AS carried_churned,
        toInt64(countIf(e.instances = 0 AND outcome = 'stayed')) AS carried_stayed,
        toInt64(countIf(e.instances = 0 AND outcome = 'censored')) AS carried_censored
    FROM exposure AS e
    INNER JOIN spell AS s ON s.landmark = e.landmark AND s.customer_id = e.customer_id
    GROUP BY landmark, journey, segment, tenure_band
),

stratum AS (
    SELECT
        p.landmark AS landmark, p.journey AS journey, p.is_matured AS is_matured, p.segment AS segment,
        ifNull(t.instances, 0) AS instances,
        ifNull(t.a, 0) AS a,
        ifNull(t.b, 0) AS b,
        churned - a - ifNull(carried_churned, 0) AS c,
        stayed - b - ifNull(carried_stayed, 0) AS d,
        ifNull(carried_churned + carried_stayed + carried_censored, 0) AS carried_over,
        lost - ifNull(carried_censored, 0) AS censored,
        a + b + c + d AS n
    FROM (SELECT *, arrayJoin({[j.name for j in JOURNEYS]}) AS journey FROM population) AS p
    LEFT JOIN touched AS t
        ON t.landmark = p.landmark AND t.journey = p.journey AND t.segment = p.segment
        AND t.tenure_band = p.tenure_band
),

pooled AS (
    SELECT
        landmark, journey,
        if(grouping(stratum.segment) = 1, 'all', toString(stratum.segment)) AS segment,
        any(is_matured) AS is_matured,
        sum(stratum.instances) AS instances, sum(stratum.a) AS a, sum(stratum.b) AS b, sum(stratum.c) AS c,
        sum(stratum.d) AS d, sum(stratum.carried_over) AS carried_over, sum(stratum.censored) AS censored,
        sumIf(stratum.a * stratum.d / n, n > 0) AS concordant,
        sumIf(stratum.b * stratum.c / n, n > 0) AS discordant,
        sumIf((stratum.a * stratum.d - stratum.b * stratum.c) / n, n > 1) AS deviation,
        sumIf((stratum.a + stratum.b) / n * ((stratum.c + stratum.d) / n)
            * ((stratum.a + stratum.c) * (stratum.b + stratum.d) / (n - 1)), n > 1) AS variance
    FROM stratum
    GROUP BY GROUPING SETS ((landmark, journey, stratum.segment), (landmark, journey))
)

SELECT
    toDate32(pooled.landmark) AS landmark, journey, segment, instances, pooled.a + pooled.b AS exposed,
    pooled.c + pooled.d AS unexposed, carried_over,
    if(is_matured, pooled.censored, NULL) AS censored,
    if(is_matured, pooled.a, NULL) AS a,
    if(is_matured, pooled.b, NULL) AS b,
    if(is_matured, pooled.c, NULL) AS c,
    if(is_matured, pooled.d, NULL) AS d,
    if(is_matured, pooled.a / nullIf(exposed, 0), NULL) AS exposed_churn_rate,
    if(is_matured, pooled.c / nullIf(unexposed, 0), NULL) AS unexposed_churn_rate,
    if(is_matured AND concordant > 0 AND discordant > 0, concordant / discordant, NULL) AS adjusted_odds_ratio,
    if(is_matured AND variance > 0, erfc(sqrt(deviation * deviation / variance / 2)), NULL) AS p_value
FROM pooled
"""


def main() -> None:
    """Runs the stages asked for and writes their tables."""
    asked = peer_arguments(__doc__)
    database = session.Session()
    touchpoints = TOUCHPOINTS.format(lake=asked.lake)

    def write(table: str, query: str) -> None:
        """Writes a query's rows as they come; later stages read the file."""
        database.query(f"INSERT INTO FUNCTION file('{asked.out}/{table}.parquet', Parquet) {query}")

    database.query("CREATE DATABASE comparison")
    for setting in (
        "USE comparison",
        f"SET max_threads = {THREADS}",
        "SET join_use_nulls = 1",
        "SET session_timezone = 'UTC'",
        "SET output_format_parquet_compression_method = 'zstd'",
    ):
        database.query(setting)
    roles = " UNION ALL ".join(ROLE.format(code=code, d=journey) for code, journey in enumerate(JOURNEYS))
    database.query(f"""
        CREATE TABLE role ENGINE = Memory AS
        WITH pair AS (
            SELECT event, topic
            FROM (SELECT DISTINCT CAST(event AS String) AS event FROM {touchpoints}) AS events
            CROSS JOIN (SELECT DISTINCT CAST(topic AS Nullable(String)) AS topic FROM {touchpoints}) AS topics
        )
        SELECT * FROM ({roles})
    """)
    write("fct_journey", FCT_JOURNEY.format(touchpoints=touchpoints))
    if asked.stage == "all":
        database.query(f"""
            CREATE VIEW fct_journey AS SELECT * FROM file('{asked.out}/fct_journey.parquet', Parquet)
        """)
        database.query(f"""
            CREATE TABLE customer ENGINE = Memory AS
            SELECT * REPLACE (toLowCardinality(ifNull(segment, 'unknown')) AS segment)
            FROM file('{asked.lake}/customers.parquet', Parquet)
        """)
        write("performance", PERFORMANCE)
        write("key_journeys", KEY_JOURNEYS)


if __name__ == "__main__":
    main()
