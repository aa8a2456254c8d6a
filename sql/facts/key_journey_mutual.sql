-- One row: a journey's rate ratio in a period and segment ('all' for the total) with the exposures to all other
-- journeys held fixed: one Poisson regression of leavers on segment, tenure band, month and every journey's state
-- for each period and segment (SEMANTICS 5). From: journey_joint_risk. Key: period_kind, period_start, segment,
-- journey.
WITH place AS (
    SELECT period_kind, is_total
    FROM (
        VALUES ('month', TRUE), ('month', FALSE), ('quarter', TRUE), ('quarter', FALSE)
    ) AS place (period_kind, is_total)
),

model AS (
    SELECT
        place.period_kind,
        CASE WHEN place.period_kind = 'month' THEN month ELSE date_trunc('quarter', month) END AS period_start,
        CASE WHEN place.is_total THEN 'all' ELSE segment END AS segment,
        joint_rate_ratios(
            churned,
            person_days,
            [segment, tenure_band, to_char(month, '%Y-%m')],
            string_to_array(nullif(exposed, ''), ','),
            string_to_array(nullif(not_eligible, ''), ','),
            $confidence
        ) AS fit
    FROM journey_joint_risk
    CROSS JOIN place
    GROUP BY 1, 2, 3
),

effect AS (
    SELECT period_kind, period_start, segment, unnest(fit['effects']) AS of_journey
    FROM model
)

SELECT
    period_kind,
    period_start,
    segment,
    of_journey['journey'] AS journey,
    of_journey['estimate'] AS mutual_rate_ratio,
    of_journey['lower'] AS mutual_rate_ratio_lower,
    of_journey['upper'] AS mutual_rate_ratio_upper,
    of_journey['p_value'] AS mutual_p_value,
    of_journey['status'] AS mutual_status,
    nullif(array_to_string(of_journey['inseparable_from'], ', '), '') AS mutual_inseparable_from,
    of_journey['reason'] AS mutual_reason
FROM effect
ORDER BY period_kind, period_start, segment, journey
