-- One row: a journey more of whose exposed leave in a period and segment than chance explains, but whose rate
-- ratio is not above 1 beyond chance once the exposures to other journeys are held fixed, and the journeys that take
-- its effect away (SEMANTICS 5). From: key_journey_figure, journey_joint_risk.
-- Key: period_kind, period_start, segment, journey.
-- The rule: a journey that the joint model cannot tell apart from others goes with those. Else only journeys count that
-- are linked to leaving themselves, by their own q value or in the model of all. One takes the effect away when in a
-- model of the two alone (with segment, tenure band and month) the journey's interval no longer lies above 1 and at
-- least a tenth of the effect (on the log scale) is gone. Named are those that do so and hold their own in the model of
-- all; where there is none, any that do so; else those that take a tenth or more; else null. Where none of those named is
-- harmful or protective itself, as when two go with each other, nobody else has the effect: one of them or several do,
-- and which cannot be told (is_inseparable).
WITH candidate AS (
    SELECT period_kind, period_start, segment, journey, adjusted_rate_ratio, mutual_status, mutual_inseparable_from
    FROM key_journey_figure
    WHERE tier = 'unclear' AND q_value < $false_discovery_rate AND excess_churners > 0
),

linked AS (
    SELECT
        period_kind,
        period_start,
        segment,
        journey,
        -- The interval, where too few were on it or left for a q value.
        coalesce(
            mutual_q_value < $false_discovery_rate,
            mutual_rate_ratio_lower > 1 OR mutual_rate_ratio_upper < 1,
            FALSE
        ) AS holds_its_own
    FROM key_journey_figure
    WHERE q_value < $false_discovery_rate OR mutual_rate_ratio_lower > 1 OR mutual_rate_ratio_upper < 1
),

pair AS (
    SELECT
        candidate.period_kind,
        candidate.period_start,
        candidate.segment,
        candidate.journey,
        candidate.adjusted_rate_ratio,
        linked.journey AS other_journey,
        linked.holds_its_own
    FROM candidate
    INNER JOIN linked
        ON linked.period_kind = candidate.period_kind
        AND linked.period_start = candidate.period_start
        AND linked.segment = candidate.segment
        AND linked.journey <> candidate.journey
    WHERE candidate.mutual_status = 'ok'
),

-- Each cell in its month and in its quarter, journeys' names between commas, so that none is found within another.
cell AS (
    SELECT
        kind.period_kind,
        CASE WHEN kind.period_kind = 'month' THEN month ELSE date_trunc('quarter', month) END AS period_start,
        segment,
        tenure_band,
        month,
        person_days,
        churned,
        ',' || exposed || ',' AS exposed,
        ',' || not_eligible || ',' AS not_eligible
    FROM journey_joint_risk
    CROSS JOIN (VALUES ('month'), ('quarter')) AS kind (period_kind)
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
        pair.holds_its_own,
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
        pair.other_journey, pair.holds_its_own, cell.segment, cell.tenure_band, cell.month,
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
        holds_its_own,
        joint_rate_ratios(
            churned,
            person_days,
            [stratum_segment, tenure_band, to_char(month, '%Y-%m')],
            [CASE WHEN is_exposed THEN journey END, CASE WHEN other_is_exposed THEN other_journey END],
            [CASE WHEN is_not_eligible THEN journey END, CASE WHEN other_is_not_eligible THEN other_journey END],
            $confidence
        ) AS fit
    FROM pair_cell
    GROUP BY period_kind, period_start, segment, journey, adjusted_rate_ratio, other_journey, holds_its_own
),

effect AS (
    SELECT model.*, journey_effect(fit, journey) AS beside_other
    FROM model
),

taken AS (
    SELECT
        effect.*,
        coalesce(ln(beside_other['estimate']) <= 0.9 * ln(adjusted_rate_ratio), FALSE) AS takes_part,
        coalesce(beside_other['lower'] <= 1, FALSE) AS leaves_none_for_sure
    FROM effect
),

-- The one that leaves least of the effect first.
named AS (
    SELECT
        period_kind,
        period_start,
        segment,
        journey,
        string_agg(other_journey, ', ' ORDER BY beside_other['estimate'], other_journey)
            FILTER (WHERE takes_part AND leaves_none_for_sure AND holds_its_own) AS explaining,
        string_agg(other_journey, ', ' ORDER BY beside_other['estimate'], other_journey)
            FILTER (WHERE takes_part AND leaves_none_for_sure) AS taking_away,
        string_agg(other_journey, ', ' ORDER BY beside_other['estimate'], other_journey)
            FILTER (WHERE takes_part) AS taking_part
    FROM taken
    GROUP BY period_kind, period_start, segment, journey
),

companion AS (
    SELECT
        candidate.period_kind,
        candidate.period_start,
        candidate.segment,
        candidate.journey,
        CASE candidate.mutual_status
            WHEN 'as_other_journeys' THEN candidate.mutual_inseparable_from
            ELSE coalesce(named.explaining, named.taking_away, named.taking_part)
        END AS goes_with
    FROM candidate
    LEFT JOIN named
        ON named.period_kind = candidate.period_kind
        AND named.period_start = candidate.period_start
        AND named.segment = candidate.segment
        AND named.journey = candidate.journey
),

each_companion AS (
    SELECT
        period_kind,
        period_start,
        segment,
        journey,
        goes_with,
        unnest(string_to_array(goes_with, ', ')) AS other_journey
    FROM companion
    WHERE goes_with IS NOT NULL
)

SELECT
    each_companion.period_kind,
    each_companion.period_start,
    each_companion.segment,
    each_companion.journey,
    each_companion.goes_with,
    NOT bool_or(coalesce(other.tier IN ('harmful', 'protective'), FALSE)) AS is_inseparable
FROM each_companion
LEFT JOIN key_journey_figure AS other
    ON other.period_kind = each_companion.period_kind
    AND other.period_start = each_companion.period_start
    AND other.segment = each_companion.segment
    AND other.journey = each_companion.other_journey
GROUP BY each_companion.period_kind, each_companion.period_start, each_companion.segment, each_companion.journey,
    each_companion.goes_with
