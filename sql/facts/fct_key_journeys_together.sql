-- One row: a period, and how many customers fewer would have left had nobody been on any of its harmful journeys,
-- by the joint model of all journeys; if the journeys are the cause (SEMANTICS 5). Less than the sum of their
-- excesses, because customers are on several at once. A journey that customers leave at once may be a step of leaving
-- and is left out, so the figure is rather too small. From: key_journey_period, fct_key_journeys,
-- journey_joint_risk.
-- Key: period_kind, period_start.
WITH harmful AS (
    SELECT
        period_kind,
        period_start,
        string_agg(journey, ', ' ORDER BY journey) AS journeys,
        array_agg(journey) AS names
    FROM fct_key_journeys
    WHERE segment = 'all' AND tier = 'harmful' AND leaves_at_once IS NOT TRUE
    GROUP BY period_kind, period_start
),

risk AS (
    SELECT
        kind.period_kind,
        CASE WHEN kind.period_kind = 'month' THEN month ELSE date_trunc('quarter', month) END AS period_start,
        journey_joint_risk.*
    FROM journey_joint_risk
    CROSS JOIN (VALUES ('month'), ('quarter')) AS kind (period_kind)
),

leaver AS (
    SELECT period_kind, period_start, sum(churned) AS leavers
    FROM risk
    GROUP BY period_kind, period_start
),

joint AS (
    SELECT
        risk.period_kind,
        risk.period_start,
        joint_excess(
            risk.churned,
            risk.person_days,
            [risk.segment, risk.tenure_band, to_char(risk.month, '%Y-%m')],
            string_to_array(nullif(risk.exposed, ''), ','),
            string_to_array(nullif(risk.not_eligible, ''), ','),
            harmful.names,
            $confidence
        ) AS figure
    FROM risk
    INNER JOIN harmful ON harmful.period_kind = risk.period_kind AND harmful.period_start = risk.period_start
    GROUP BY risk.period_kind, risk.period_start
)

SELECT
    period.period_kind,
    period.period,
    period.period_start,
    harmful.journeys,
    joint.figure['expected'] AS expected,
    joint.figure['estimate'] AS excess,
    joint.figure['lower'] AS excess_lower,
    joint.figure['upper'] AS excess_upper,
    coalesce(leaver.leavers, 0) AS leavers,
    CASE
        WHEN harmful.journeys IS NOT NULL THEN joint.figure['reason']
        WHEN period.is_running THEN 'the period is not over'
        WHEN period.days_counted < period.days THEN 'the period began before days are counted'
        ELSE 'no journey is of the tier harmful'
    END AS reason
FROM key_journey_period AS period
LEFT JOIN harmful ON harmful.period_kind = period.period_kind AND harmful.period_start = period.period_start
LEFT JOIN joint ON joint.period_kind = period.period_kind AND joint.period_start = period.period_start
LEFT JOIN leaver ON leaver.period_kind = period.period_kind AND leaver.period_start = period.period_start
ORDER BY period.period_kind, period.period_start
