-- One row: how many instances of a journey started on the days of a month or quarter that count, in a segment ('all' for
-- the total), and how many customers started one.
-- From: fct_journey_touchpoint, key_journey_period, dim_customer (segment at the start). Key: period_kind,
-- period_start, journey, segment. Everybody counts, also who could not have been on the journey by `eligible`.
WITH started AS (
    SELECT
        member.journey,
        member.customer_id,
        member.started_at,
        coalesce(spell.segment, 'unknown') AS segment
    FROM fct_journey_touchpoint AS member
    LEFT JOIN dim_customer AS spell
        ON spell.customer_id = member.customer_id
        AND (spell.valid_from IS NULL OR member.started_at >= spell.valid_from)
        AND (spell.valid_until IS NULL OR member.started_at < spell.valid_until)
    WHERE member.step = 1
),

-- One row a customer first: of these there are few, and none is counted twice.
customer AS (
    SELECT
        period.period_kind,
        period.period_start,
        started.journey,
        started.segment,
        started.customer_id,
        count(*) AS instances
    FROM key_journey_period AS period
    INNER JOIN started
        ON started.started_at >= period.first_day
        AND started.started_at < period.last_day + INTERVAL '1 day'
    GROUP BY period.period_kind, period.period_start, started.journey, started.segment, started.customer_id
)

SELECT
    period_kind,
    period_start,
    journey,
    coalesce(segment, 'all') AS segment,
    CAST(sum(instances) AS BIGINT) AS instances,
    count(DISTINCT customer_id) AS customers
FROM customer
GROUP BY GROUPING SETS (
    (period_kind, period_start, journey, segment),
    (period_kind, period_start, journey)
)
