-- One row: a journey in a period and segment ('all' for the total) by the days since the latest touchpoint of it: the
-- rate of leaving then over that of like customers who were not on it (SEMANTICS 5). From: fct_journey_risk,
-- key_journey_stratum. Key: period_kind, period_start, journey, segment, since_touchpoint.
-- Person-days and leavers are those of the strata that compare, so the bands add up to fct_key_journeys.
WITH band AS (
    SELECT
        journey,
        segment,
        tenure_band,
        month,
        since_touchpoint,
        sum(person_days) AS person_days,
        sum(churned) AS leavers
    FROM fct_journey_risk
    WHERE exposure = 'exposed'
    GROUP BY journey, segment, tenure_band, month, since_touchpoint
),

compared AS (
    SELECT
        stratum.period_kind,
        stratum.period_start,
        stratum.journey,
        stratum.segment,
        band.since_touchpoint,
        sum(CASE WHEN stratum.unexposed_days > 0 THEN band.person_days ELSE 0 END) AS person_days,
        sum(CASE WHEN stratum.unexposed_days > 0 THEN band.leavers ELSE 0 END) AS leavers,
        mantel_haenszel_rates(
            band.leavers, band.person_days, stratum.unexposed_leavers, stratum.unexposed_days, $confidence) AS ratio
    FROM key_journey_stratum AS stratum
    INNER JOIN band
        ON band.journey = stratum.journey
        AND band.segment = stratum.stratum_segment
        AND band.tenure_band = stratum.tenure_band
        AND band.month = stratum.month
    GROUP BY stratum.period_kind, stratum.period_start, stratum.journey, stratum.segment, band.since_touchpoint
)

SELECT
    period_kind,
    period_start,
    journey,
    segment,
    since_touchpoint,
    person_days,
    leavers,
    ratio['estimate'] AS adjusted_rate_ratio,
    ratio['lower'] AS adjusted_rate_ratio_lower,
    ratio['upper'] AS adjusted_rate_ratio_upper,
    ratio['reason'] AS reason
FROM compared
ORDER BY period_kind, period_start, journey, segment, since_touchpoint
