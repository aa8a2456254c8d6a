-- One row: person-days, and spells that left or were lost, of a stratum (segment, tenure band and month) in one state of
-- exposure to a journey (SEMANTICS 5).
-- From: eligible_spell_stretch, journey_state, counted_month. Key: journey, segment, tenure_band, month, exposure,
-- since_touchpoint, run.
-- since_touchpoint and run are null for the unexposed. Who was not exposed on an eligible day was unexposed, so the
-- unexposed are everybody less the exposed. A run rebuilds whole months, from $interval_start on.
WITH month AS (
    SELECT month, next_month
    FROM counted_month
    WHERE month >= $interval_start
),

-- Everybody who was eligible, without a state, and once more in each state who was exposed.
stretch AS (
    SELECT
        journey,
        segment,
        tenure_band,
        CAST(NULL AS VARCHAR) AS since_touchpoint,
        CAST(NULL AS VARCHAR) AS run,
        from_day,
        until_day,
        left_by
    FROM eligible_spell_stretch
    WHERE until_day > $interval_start

    UNION ALL

    SELECT
        eligible.journey,
        eligible.segment,
        eligible.tenure_band,
        state.since_touchpoint,
        state.run,
        greatest(eligible.from_day, state.from_day) AS from_day,
        least(eligible.until_day, state.until_day) AS until_day,
        CASE WHEN state.until_day >= eligible.until_day THEN eligible.left_by END AS left_by
    FROM eligible_spell_stretch AS eligible
    INNER JOIN journey_state AS state
        ON state.customer_id = eligible.customer_id
        AND state.journey = eligible.journey
        AND state.from_day < eligible.until_day
        AND state.until_day > eligible.from_day
    WHERE eligible.until_day > $interval_start AND state.until_day > $interval_start
),

cell AS (
    SELECT
        stretch.journey,
        stretch.segment,
        stretch.tenure_band,
        month.month,
        stretch.since_touchpoint,
        stretch.run,
        sum(
            CAST(least(stretch.until_day, month.next_month) AS BIGINT)
                - CAST(greatest(stretch.from_day, month.month) AS BIGINT)
        ) / 86400000000 AS person_days,
        count(*) FILTER (WHERE stretch.left_by IN ('notice', 'churn') AND stretch.until_day <= month.next_month)
            AS churned,
        count(*) FILTER (WHERE stretch.left_by = 'loss' AND stretch.until_day <= month.next_month) AS lost
    FROM month
    INNER JOIN stretch ON stretch.from_day < month.next_month AND stretch.until_day > month.month
    GROUP BY stretch.journey, stretch.segment, stretch.tenure_band, month.month, stretch.since_touchpoint, stretch.run
)

-- Each exposed cell stands for itself, and is taken away from everybody.
SELECT
    cell.journey,
    cell.segment,
    cell.tenure_band,
    cell.month,
    CASE WHEN side.is_exposed THEN 'exposed' ELSE 'unexposed' END AS exposure,
    CASE WHEN side.is_exposed THEN cell.since_touchpoint END AS since_touchpoint,
    CASE WHEN side.is_exposed THEN cell.run END AS run,
    sum(side.sign * cell.person_days) AS person_days,
    sum(side.sign * cell.churned) AS churned,
    sum(side.sign * cell.lost) AS lost
FROM cell
INNER JOIN (VALUES (TRUE, TRUE, 1), (TRUE, FALSE, -1), (FALSE, FALSE, 1)) AS side (of_exposed, is_exposed, sign)
    ON side.of_exposed = (cell.run IS NOT NULL)
GROUP BY 1, 2, 3, 4, 5, 6, 7
HAVING sum(side.sign * cell.person_days) > 0
