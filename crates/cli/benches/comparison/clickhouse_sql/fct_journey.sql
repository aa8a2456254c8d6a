-- One row: a journey instance with every measure (SEMANTICS 2 and 3). From: touchpoints, role. Key: journey_id.
-- An element of `steps` and of its parts: 1 moment, 2 touchpoint_id, 3 is_start, 4 closes, 5 channel, 6 topic,
-- 7 function, 8 satisfaction, 9 resolved, 10 cost.
WITH history AS (
    SELECT
        role.journey AS journey,
        customer_id,
        arraySort(groupArray((
            toUnixTimestamp64Micro(occurred_at), touchpoint_id, is_start, closes, channel, t.topic, function,
            satisfaction, resolved, cost
        ))) AS steps
    FROM {touchpoints} AS t
    INNER JOIN role ON role.event = t.event AND role.topic = ifNull(t.topic, '')
    WHERE occurred_at < toDateTime64('{as_of} 00:00:00', 6, 'UTC')
    GROUP BY journey, customer_id
),

divided AS (
    SELECT
        journey, customer_id,
        arrayFilter(part -> part[1].3 = 1, arraySplit(step -> step.3, steps)) AS parts,
        arrayPushBack(arrayPopFront(arrayMap(part -> part[1].1, parts)), toInt64({as_of_us})) AS untils
    FROM history
    WHERE arrayExists(step -> step.3 = 1, steps)
),

segment AS (
    SELECT
        journey, customer_id, part, until, part[1].1 AS started,
        {within}[journey + 1] AS within_us,
        {idle}[journey + 1] AS idle_us,
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
        arraySort(step -> (step.6, step.1, step.2), arrayFilter(step -> step.5 IN {assisted}, members)) AS calls,
        arrayMap(cost -> assumeNotNull(cost), arrayFilter(cost -> cost IS NOT NULL, members.10)) AS costs,
        arrayMap(score -> assumeNotNull(score), arrayFilter(score -> score IS NOT NULL, members.8)) AS scores,
        {names}[journey + 1] AS name,
        multiIf(
            members[-1].4 = 1, 'completed',
            members[-1].4 = 2, 'abandoned',
            until - started > within_us OR until - last > idle_us, 'expired',
            until < {as_of_us}, 'restarted',
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
    toInt64(arrayCount((x, y) -> ifNull(x.6 = y.6 AND x.1 - y.1 <= {week_us}, 0), arrayPopFront(calls),
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
