-- What in journey_joint_risk is not what it should be: its person-days those of all memberships, its leavers no more than
-- the register names, and the days exposed to each journey those of fct_journey_risk.
-- From: journey_joint_risk, fct_journey_risk, membership_stretch, customer_version.
WITH joint AS (
    SELECT coalesce(sum(person_days), 0) AS person_days, coalesce(sum(churned), 0) AS churned
    FROM journey_joint_risk
),

membership AS (
    SELECT coalesce(sum(CAST(until_day AS BIGINT) - CAST(from_day AS BIGINT)) / 86400000000, 0) AS person_days
    FROM membership_stretch
),

register AS (
    SELECT count(DISTINCT customer_id || ' ' || CAST(joined_at AS VARCHAR)) AS leavers
    FROM customer_version
    WHERE left_by IN ('notice', 'churn')
),

jointly_exposed AS (
    SELECT journey, sum(person_days) AS person_days, sum(churned) AS churned
    FROM (
        SELECT unnest(string_to_array(exposed, ',')) AS journey, person_days, churned
        FROM journey_joint_risk
        WHERE exposed <> ''
    ) AS named
    GROUP BY journey
),

exposed AS (
    SELECT journey, sum(person_days) AS person_days, sum(churned) AS churned
    FROM fct_journey_risk
    WHERE exposure = 'exposed'
    GROUP BY journey
)

SELECT 'person-days' AS what, joint.person_days AS joint, membership.person_days AS other
FROM joint
CROSS JOIN membership
WHERE joint.person_days <> membership.person_days

UNION ALL

SELECT 'leavers of the register', joint.churned, register.leavers
FROM joint
CROSS JOIN register
WHERE joint.churned > register.leavers

UNION ALL

SELECT 'exposed to ' || coalesce(exposed.journey, jointly_exposed.journey), jointly_exposed.person_days,
    exposed.person_days
FROM exposed
FULL JOIN jointly_exposed ON jointly_exposed.journey = exposed.journey
WHERE
    (exposed.person_days IS DISTINCT FROM jointly_exposed.person_days)
    OR (exposed.churned IS DISTINCT FROM jointly_exposed.churned)
