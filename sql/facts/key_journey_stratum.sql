-- One row: a stratum (segment × tenure band × calendar month) of a journey in a period that holds the month, once
-- among the strata of its own segment and once among those of 'all' (SEMANTICS 5).
-- From: fct_journey_risk, journey_exposed_revenue.
-- Key: period_kind, period_start, journey, segment, stratum_segment, tenure_band, month. Whole numbers and
-- decimals only, so no order of rows shows in what is computed from it.
WITH cell AS (
    SELECT
        journey,
        segment,
        tenure_band,
        month,
        coalesce(sum(churned) FILTER (WHERE exposure = 'exposed'), 0) AS exposed_leavers,
        coalesce(sum(person_days) FILTER (WHERE exposure = 'exposed'), 0) AS exposed_days,
        coalesce(sum(churned) FILTER (WHERE exposure = 'unexposed'), 0) AS unexposed_leavers,
        coalesce(sum(person_days) FILTER (WHERE exposure = 'unexposed'), 0) AS unexposed_days,
        coalesce(sum(lost) FILTER (WHERE exposure = 'exposed'), 0) AS exposed_lost,
        coalesce(sum(lost) FILTER (WHERE exposure = 'unexposed'), 0) AS unexposed_lost,
        coalesce(sum(churned) FILTER (WHERE since_touchpoint LIKE '0-%'), 0) AS first_week_leavers,
        coalesce(sum(person_days) FILTER (WHERE since_touchpoint LIKE '0-%'), 0) AS first_week_days,
        coalesce(sum(churned) FILTER (WHERE run = 'good'), 0) AS good_leavers,
        coalesce(sum(person_days) FILTER (WHERE run = 'good'), 0) AS good_days,
        coalesce(sum(churned) FILTER (WHERE run = 'other'), 0) AS other_leavers,
        coalesce(sum(person_days) FILTER (WHERE run = 'other'), 0) AS other_days
    FROM fct_journey_risk
    GROUP BY journey, segment, tenure_band, month
),

billed_cell AS (
    SELECT cell.*, revenue.billed
    FROM cell
    LEFT JOIN journey_exposed_revenue AS revenue
        ON revenue.journey = cell.journey
        AND revenue.segment = cell.segment
        AND revenue.tenure_band = cell.tenure_band
        AND revenue.month = cell.month
),

-- Where a stratum counts: in its month and its quarter, for its segment and for all.
place AS (
    SELECT period_kind, is_total
    FROM (
        VALUES ('month', TRUE), ('month', FALSE), ('quarter', TRUE), ('quarter', FALSE)
    ) AS place (period_kind, is_total)
)

SELECT
    place.period_kind,
    CASE WHEN place.period_kind = 'month' THEN month ELSE date_trunc('quarter', month) END AS period_start,
    journey,
    CASE WHEN place.is_total THEN 'all' ELSE segment END AS segment,
    segment AS stratum_segment,
    tenure_band,
    month,
    exposed_leavers,
    exposed_days,
    unexposed_leavers,
    unexposed_days,
    exposed_lost,
    unexposed_lost,
    first_week_leavers,
    first_week_days,
    good_leavers,
    good_days,
    other_leavers,
    other_days,
    billed
FROM billed_cell
CROSS JOIN place
