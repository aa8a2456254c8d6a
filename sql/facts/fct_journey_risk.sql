-- One row: person-days, and spells that left or were lost, of a stratum (segment, tenure band and month) in one state of
-- exposure to a journey (SEMANTICS 5).
-- From: eligible_spell_stretch, exposed_stretch.
-- Key: journey, segment, tenure_band, month, exposure, since_touchpoint, run.
-- since_touchpoint and run are null for the unexposed. Who was not exposed on an eligible day was unexposed, so the
-- unexposed are all less the exposed.
WITH stretch AS (
    SELECT journey, segment, tenure_band, CAST(NULL AS VARCHAR) AS since_touchpoint, CAST(NULL AS VARCHAR) AS run, from_day, until_day, left_by
    FROM eligible_spell_stretch

    UNION ALL

    SELECT journey, segment, tenure_band, since_touchpoint, run, from_day, until_day, left_by
    FROM exposed_stretch
),

-- A stretch once for each month that it touches.
monthly AS (
    SELECT
        journey,
        segment,
        tenure_band,
        since_touchpoint,
        run,
        from_day,
        until_day,
        left_by,
        unnest(generate_series(
            CAST(date_part('year', from_day) * 12 + date_part('month', from_day) - 1 AS BIGINT),
            CAST(
                date_part('year', until_day - INTERVAL '1 day') * 12
                    + date_part('month', until_day - INTERVAL '1 day') - 1
                AS BIGINT
            )
        )) AS months
    FROM stretch
),

calendar AS (
    SELECT
        journey,
        segment,
        tenure_band,
        since_touchpoint,
        run,
        from_day,
        until_day,
        left_by,
        arrow_cast(make_date(months / 12, months % 12 + 1, 1), 'Timestamp(Microsecond, Some("UTC"))') AS month,
        arrow_cast(
            make_date((months + 1) / 12, (months + 1) % 12 + 1, 1), 'Timestamp(Microsecond, Some("UTC"))'
        ) AS next_month
    FROM monthly
),

cell AS (
    SELECT
        journey,
        segment,
        tenure_band,
        month,
        since_touchpoint,
        run,
        sum((CAST(least(until_day, next_month) AS BIGINT) - CAST(greatest(from_day, month) AS BIGINT)) / 86400000000)
            AS person_days,
        count(*) FILTER (WHERE left_by IN ('notice', 'churn') AND until_day <= next_month) AS churned,
        count(*) FILTER (WHERE left_by = 'loss' AND until_day <= next_month) AS lost
    FROM calendar
    GROUP BY journey, segment, tenure_band, month, since_touchpoint, run
),

exposed AS (
    SELECT
        journey,
        segment,
        tenure_band,
        month,
        sum(person_days) AS person_days,
        sum(churned) AS churned,
        sum(lost) AS lost
    FROM cell
    WHERE run IS NOT NULL
    GROUP BY journey, segment, tenure_band, month
)

SELECT
    cell.journey,
    cell.segment,
    cell.tenure_band,
    cell.month,
    CASE WHEN cell.run IS NULL THEN 'unexposed' ELSE 'exposed' END AS exposure,
    cell.since_touchpoint,
    cell.run,
    cell.person_days - CASE WHEN cell.run IS NULL THEN coalesce(exposed.person_days, 0) ELSE 0 END AS person_days,
    cell.churned - CASE WHEN cell.run IS NULL THEN coalesce(exposed.churned, 0) ELSE 0 END AS churned,
    cell.lost - CASE WHEN cell.run IS NULL THEN coalesce(exposed.lost, 0) ELSE 0 END AS lost
FROM cell
LEFT JOIN exposed
    ON exposed.journey = cell.journey
    AND exposed.segment = cell.segment
    AND exposed.tenure_band = cell.tenure_band
    AND exposed.month = cell.month
WHERE cell.run IS NOT NULL OR cell.person_days > coalesce(exposed.person_days, 0)
ORDER BY journey, segment, tenure_band, month, exposure, since_touchpoint, run
