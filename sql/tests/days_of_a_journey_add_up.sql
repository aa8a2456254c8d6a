-- Journeys whose person-days, leavers or lost in fct_journey_risk are not those of the days on which spells were eligible.
-- From: fct_journey_risk, eligible_spell_stretch.
WITH counted AS (
    SELECT journey, sum(person_days) AS person_days, sum(churned) AS churned, sum(lost) AS lost
    FROM fct_journey_risk
    GROUP BY journey
),

eligible AS (
    SELECT
        journey,
        sum(CAST(until_day AS BIGINT) - CAST(from_day AS BIGINT)) / 86400000000 AS person_days,
        count(*) FILTER (WHERE left_by IN ('notice', 'churn')) AS churned,
        count(*) FILTER (WHERE left_by = 'loss') AS lost
    FROM eligible_spell_stretch
    GROUP BY journey
)

SELECT
    coalesce(eligible.journey, counted.journey) AS journey,
    eligible.person_days AS eligible_days,
    counted.person_days AS counted_days,
    eligible.churned AS eligible_churned,
    counted.churned AS counted_churned
FROM eligible
FULL JOIN counted ON counted.journey = eligible.journey
WHERE
    (eligible.person_days IS DISTINCT FROM counted.person_days)
    OR (eligible.churned IS DISTINCT FROM counted.churned)
    OR (eligible.lost IS DISTINCT FROM counted.lost)
