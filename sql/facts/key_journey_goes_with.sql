-- One row: a journey more of whose exposed leave in a period and segment than chance explains, but whose rate
-- ratio does not stay above 1 once the exposures to other journeys are held fixed, and the journeys that take its
-- effect away (SEMANTICS 5). From: key_journey_figure, key_journey_mutual, journey_joint_risk.
-- Key: period_kind, period_start, segment, journey.
-- The rule: another journey takes the effect away when in a model of the two alone (with segment, tenure band and
-- month) the journey's interval no longer lies above 1, and the other's does not hold 1. Where no single one does
-- so, those are named that take away a tenth of the effect or more (on the log scale) and whose intervals in the
-- model of all journeys do not hold 1; null where there is none.
WITH candidate AS (
    SELECT period_kind, period_start, segment, journey, adjusted_rate_ratio
    FROM key_journey_figure
    WHERE q_value < $false_discovery_rate AND excess_churners > 0 AND mutual_rate_ratio_lower <= 1
),

pair AS (
    SELECT
        candidate.period_kind,
        candidate.period_start,
        candidate.segment,
        candidate.journey,
        candidate.adjusted_rate_ratio,
        other.journey AS other_journey,
        other.mutual_rate_ratio_lower > 1 OR other.mutual_rate_ratio_upper < 1 AS other_tells
    FROM candidate
    INNER JOIN key_journey_mutual AS other
        ON other.period_kind = candidate.period_kind
        AND other.period_start = candidate.period_start
        AND other.segment = candidate.segment
        AND other.journey <> candidate.journey
    WHERE other.mutual_rate_ratio IS NOT NULL
),

-- Each cell in its month and in its quarter, journeys' names between commas, so that none is found within another.
cell AS (
    SELECT 'month' AS period_kind, month AS period_start, segment, tenure_band, month, person_days, churned,
        ',' || exposed || ',' AS exposed, ',' || not_eligible || ',' AS not_eligible
    FROM journey_joint_risk
    UNION ALL
    SELECT 'quarter' AS period_kind, date_trunc('quarter', month) AS period_start, segment, tenure_band, month,
        person_days, churned, ',' || exposed || ',' AS exposed, ',' || not_eligible || ',' AS not_eligible
    FROM journey_joint_risk
),

-- What the cells of a pair have in common: the two journeys' states.
pair_cell AS (
    SELECT
        pair.period_kind,
        pair.period_start,
        pair.segment,
        pair.journey,
        pair.adjusted_rate_ratio,
        pair.other_journey,
        pair.other_tells,
        cell.segment AS stratum_segment,
        cell.tenure_band,
        cell.month,
        strpos(cell.exposed, ',' || pair.journey || ',') > 0 AS is_exposed,
        strpos(cell.not_eligible, ',' || pair.journey || ',') > 0 AS is_not_eligible,
        strpos(cell.exposed, ',' || pair.other_journey || ',') > 0 AS other_is_exposed,
        strpos(cell.not_eligible, ',' || pair.other_journey || ',') > 0 AS other_is_not_eligible,
        sum(cell.person_days) AS person_days,
        sum(cell.churned) AS churned
    FROM pair
    INNER JOIN cell
        ON cell.period_kind = pair.period_kind
        AND cell.period_start = pair.period_start
        AND pair.segment IN ('all', cell.segment)
    GROUP BY pair.period_kind, pair.period_start, pair.segment, pair.journey, pair.adjusted_rate_ratio,
        pair.other_journey, pair.other_tells, cell.segment, cell.tenure_band, cell.month,
        strpos(cell.exposed, ',' || pair.journey || ',') > 0,
        strpos(cell.not_eligible, ',' || pair.journey || ',') > 0,
        strpos(cell.exposed, ',' || pair.other_journey || ',') > 0,
        strpos(cell.not_eligible, ',' || pair.other_journey || ',') > 0
),

model AS (
    SELECT
        period_kind,
        period_start,
        segment,
        journey,
        adjusted_rate_ratio,
        other_journey,
        other_tells,
        joint_rate_ratios(
            churned,
            person_days,
            [stratum_segment, tenure_band, to_char(month, '%Y-%m')],
            [CASE WHEN is_exposed THEN journey END, CASE WHEN other_is_exposed THEN other_journey END],
            [CASE WHEN is_not_eligible THEN journey END, CASE WHEN other_is_not_eligible THEN other_journey END],
            $confidence
        ) AS fit
    FROM pair_cell
    GROUP BY period_kind, period_start, segment, journey, adjusted_rate_ratio, other_journey, other_tells
),

effect AS (
    SELECT
        model.*,
        journey_effect(fit, journey) AS own,
        journey_effect(fit, other_journey) AS of_other
    FROM model
),

taken AS (
    SELECT
        effect.*,
        own['lower'] <= 1 AND (of_other['lower'] > 1 OR of_other['upper'] < 1) AS takes_away,
        other_tells AND ln(own['estimate']) < 0.9 * ln(adjusted_rate_ratio) AS takes_part,
        own['estimate'] AS beside_other
    FROM effect
),

named AS (
    SELECT
        period_kind,
        period_start,
        segment,
        journey,
        -- The one that leaves least of the effect first.
        string_agg(other_journey, ', ' ORDER BY beside_other, other_journey) FILTER (WHERE takes_away) AS alone,
        string_agg(other_journey, ', ' ORDER BY beside_other, other_journey) FILTER (WHERE takes_part) AS together
    FROM taken
    GROUP BY period_kind, period_start, segment, journey
)

SELECT period_kind, period_start, segment, journey, coalesce(alone, together) AS goes_with
FROM named
