-- One row: why the excess churners of a journey in a period and segment differ from those of the period before
-- (month against month, quarter against quarter), where all days of both are counted (SEMANTICS 5). Strata are the
-- same in both by segment, tenure band and place of the month in the period. From: key_journey_stratum,
-- key_journey_period.
-- Key: period_kind, period_start, journey, segment.
WITH whole_period AS (
    SELECT
        period_kind,
        period_start,
        period_start + CASE WHEN period_kind = 'month' THEN INTERVAL '1 month' ELSE INTERVAL '3 months' END AS next_start
    FROM key_journey_period
    WHERE NOT is_running AND days_counted = days
),

comparable AS (
    SELECT latest.period_kind, latest.period_start, before.period_start AS start_before
    FROM whole_period AS latest
    INNER JOIN whole_period AS before
        ON before.period_kind = latest.period_kind AND before.next_start = latest.period_start
),

-- Each stratum once in its own period, and once in the one after it as what was before; months count from the first of
-- their period.
dated AS (
    SELECT
        stratum.period_kind,
        comparable.period_start,
        stratum.journey,
        stratum.segment,
        stratum.stratum_segment,
        stratum.tenure_band,
        date_part('month', stratum.month) - date_part('month', stratum.period_start) AS month_of_period,
        comparable.period_start <> stratum.period_start AS is_before,
        stratum.exposed_leavers,
        stratum.exposed_days,
        stratum.unexposed_leavers,
        stratum.unexposed_days
    FROM key_journey_stratum AS stratum
    INNER JOIN comparable
        ON comparable.period_kind = stratum.period_kind
        AND stratum.period_start IN (comparable.period_start, comparable.start_before)
),

matched AS (
    SELECT
        period_kind,
        period_start,
        journey,
        segment,
        stratum_segment,
        tenure_band,
        month_of_period,
        coalesce(sum(exposed_leavers) FILTER (WHERE is_before), 0) AS a_before,
        coalesce(sum(exposed_days) FILTER (WHERE is_before), 0) AS n1_before,
        coalesce(sum(unexposed_leavers) FILTER (WHERE is_before), 0) AS c_before,
        coalesce(sum(unexposed_days) FILTER (WHERE is_before), 0) AS n0_before,
        coalesce(sum(exposed_leavers) FILTER (WHERE NOT is_before), 0) AS a,
        coalesce(sum(exposed_days) FILTER (WHERE NOT is_before), 0) AS n1,
        coalesce(sum(unexposed_leavers) FILTER (WHERE NOT is_before), 0) AS c,
        coalesce(sum(unexposed_days) FILTER (WHERE NOT is_before), 0) AS n0
    FROM dated
    GROUP BY period_kind, period_start, journey, segment, stratum_segment, tenure_band, month_of_period
),

compared AS (
    SELECT
        period_kind,
        period_start,
        journey,
        segment,
        excess_change(a_before, n1_before, c_before, n0_before, a, n1, c, n0, $confidence) AS change
    FROM matched
    GROUP BY period_kind, period_start, journey, segment
)

SELECT
    period_kind,
    period_start,
    journey,
    segment,
    change['estimate'] AS excess_change,
    change['lower'] AS excess_change_lower,
    change['upper'] AS excess_change_upper,
    change['volume'] AS excess_change_volume,
    change['volume_lower'] AS excess_change_volume_lower,
    change['volume_upper'] AS excess_change_volume_upper,
    change['mix'] AS excess_change_mix,
    change['mix_lower'] AS excess_change_mix_lower,
    change['mix_upper'] AS excess_change_mix_upper,
    change['exposed_rate'] AS excess_change_exposed_rate,
    change['exposed_rate_lower'] AS excess_change_exposed_rate_lower,
    change['exposed_rate_upper'] AS excess_change_exposed_rate_upper,
    change['unexposed_rate'] AS excess_change_unexposed_rate,
    change['unexposed_rate_lower'] AS excess_change_unexposed_rate_lower,
    change['unexposed_rate_upper'] AS excess_change_unexposed_rate_upper
FROM compared
