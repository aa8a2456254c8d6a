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

exposed AS (
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

exposed_cell AS (
    SELECT
        exposed.journey,
        exposed.segment,
        exposed.tenure_band,
        month.month,
        exposed.since_touchpoint,
        exposed.run,
        sum(
            CAST(least(exposed.until_day, month.next_month) AS BIGINT)
                - CAST(greatest(exposed.from_day, month.month) AS BIGINT)
        ) / 86400000000 AS person_days,
        count(*) FILTER (WHERE exposed.left_by IN ('notice', 'churn') AND exposed.until_day <= month.next_month)
            AS churned,
        count(*) FILTER (WHERE exposed.left_by = 'loss' AND exposed.until_day <= month.next_month) AS lost
    FROM month
    INNER JOIN exposed ON exposed.from_day < month.next_month AND exposed.until_day > month.month
    GROUP BY exposed.journey, exposed.segment, exposed.tenure_band, month.month, exposed.since_touchpoint, exposed.run
),

everybody AS (
    SELECT
        eligible.journey,
        eligible.segment,
        eligible.tenure_band,
        month.month,
        sum(
            CAST(least(eligible.until_day, month.next_month) AS BIGINT)
                - CAST(greatest(eligible.from_day, month.month) AS BIGINT)
        ) / 86400000000 AS person_days,
        count(*) FILTER (WHERE eligible.left_by IN ('notice', 'churn') AND eligible.until_day <= month.next_month)
            AS churned,
        count(*) FILTER (WHERE eligible.left_by = 'loss' AND eligible.until_day <= month.next_month) AS lost
    FROM month
    INNER JOIN eligible_spell_stretch AS eligible
        ON eligible.from_day < month.next_month AND eligible.until_day > month.month
    WHERE eligible.until_day > $interval_start
    GROUP BY eligible.journey, eligible.segment, eligible.tenure_band, month.month
),

unexposed_cell AS (
    SELECT
        everybody.journey,
        everybody.segment,
        everybody.tenure_band,
        everybody.month,
        everybody.person_days - coalesce(sum(exposed.person_days), 0) AS person_days,
        everybody.churned - coalesce(sum(exposed.churned), 0) AS churned,
        everybody.lost - coalesce(sum(exposed.lost), 0) AS lost
    FROM everybody
    LEFT JOIN exposed_cell AS exposed
        ON exposed.journey = everybody.journey
        AND exposed.segment = everybody.segment
        AND exposed.tenure_band = everybody.tenure_band
        AND exposed.month = everybody.month
    GROUP BY
        everybody.journey,
        everybody.segment,
        everybody.tenure_band,
        everybody.month,
        everybody.person_days,
        everybody.churned,
        everybody.lost
)

SELECT
    journey,
    segment,
    tenure_band,
    month,
    'exposed' AS exposure,
    since_touchpoint,
    run,
    person_days,
    churned,
    lost
FROM exposed_cell

UNION ALL

SELECT
    journey,
    segment,
    tenure_band,
    month,
    'unexposed' AS exposure,
    CAST(NULL AS VARCHAR) AS since_touchpoint,
    CAST(NULL AS VARCHAR) AS run,
    person_days,
    churned,
    lost
FROM unexposed_cell
WHERE person_days > 0
