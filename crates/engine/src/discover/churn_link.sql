-- One row: the link to churn of a scope, a definition or several taken together, at one landmark (SEMANTICS 5).
-- From: customers, discovered_exposure (customer, definition, whether an instance started in the window or only members
-- lie in it), discovered_scope (scope, kind, definition). Key: scope.
-- Everybody active at the landmark could have been on each: definitions that nobody has judged have no `eligible`.
WITH spell AS (
    SELECT
        CAST(customer_id AS VARCHAR) AS customer_id,
        coalesce(CAST(segment AS VARCHAR), 'unknown') AS segment,
        CASE
            WHEN joined_at > $landmark - INTERVAL '30 days' THEN '[0, 30)'
            WHEN joined_at > $landmark - INTERVAL '90 days' THEN '[30, 90)'
            WHEN joined_at > $landmark - INTERVAL '365 days' THEN '[90, 365)'
            WHEN joined_at > $landmark - INTERVAL '1095 days' THEN '[365, 1095)'
            ELSE '[1095, inf)'
        END AS tenure_band,
        coalesce(churned_at < $outcome_until, FALSE) AS churned,
        coalesce(lost_at < $outcome_until, FALSE) AND NOT coalesce(churned_at < $outcome_until, FALSE) AS censored
    FROM customers
    WHERE joined_at < $landmark
        AND (churned_at IS NULL OR churned_at >= $outcome_from)
        AND (lost_at IS NULL OR lost_at >= $outcome_from)
),

stratum AS (
    SELECT
        segment,
        tenure_band,
        count(*) FILTER (WHERE NOT censored) AS counted,
        count(*) FILTER (WHERE churned) AS churners
    FROM spell
    GROUP BY segment, tenure_band
),

reached AS (
    SELECT
        discovered_scope.scope,
        discovered_exposure.customer_id,
        bool_or(discovered_exposure.is_exposed) AS is_exposed
    FROM discovered_exposure
    INNER JOIN discovered_scope ON discovered_scope.definition = discovered_exposure.definition
    GROUP BY discovered_scope.scope, discovered_exposure.customer_id
),

reached_cell AS (
    SELECT
        reached.scope,
        spell.segment,
        spell.tenure_band,
        count(*) FILTER (WHERE reached.is_exposed AND NOT spell.censored) AS exposed,
        count(*) FILTER (WHERE reached.is_exposed AND spell.churned) AS exposed_churners,
        count(*) FILTER (WHERE NOT reached.is_exposed AND NOT spell.censored) AS carried_over,
        count(*) FILTER (WHERE NOT reached.is_exposed AND spell.churned) AS carried_over_churners
    FROM reached
    INNER JOIN spell ON spell.customer_id = reached.customer_id
    GROUP BY reached.scope, spell.segment, spell.tenure_band
),

scope AS (
    SELECT DISTINCT scope, kind FROM discovered_scope
),

-- The unexposed are all others of the stratum; nobody has to be listed for it.
cell AS (
    SELECT
        scope.scope,
        scope.kind,
        stratum.counted,
        stratum.churners,
        coalesce(reached_cell.exposed, 0) AS exposed,
        coalesce(reached_cell.carried_over, 0) AS carried_over,
        coalesce(reached_cell.exposed_churners, 0) AS a,
        coalesce(reached_cell.exposed, 0) - coalesce(reached_cell.exposed_churners, 0) AS b,
        stratum.churners - coalesce(reached_cell.exposed_churners, 0)
            - coalesce(reached_cell.carried_over_churners, 0) AS c,
        stratum.counted - stratum.churners
            - (coalesce(reached_cell.exposed, 0) - coalesce(reached_cell.exposed_churners, 0))
            - (coalesce(reached_cell.carried_over, 0) - coalesce(reached_cell.carried_over_churners, 0)) AS d
    FROM scope
    CROSS JOIN stratum
    LEFT JOIN reached_cell
        ON reached_cell.scope = scope.scope
        AND reached_cell.segment = stratum.segment
        AND reached_cell.tenure_band = stratum.tenure_band
),

pooled AS (
    SELECT
        scope,
        kind,
        CAST(sum(churners) AS BIGINT) AS churners,
        CAST(sum(exposed) AS BIGINT) AS exposed,
        CAST(sum(c + d) AS BIGINT) AS unexposed,
        CAST(sum(carried_over) AS BIGINT) AS carried_over,
        CAST(sum(a) AS BIGINT) AS a,
        CAST(sum(b) AS BIGINT) AS b,
        CAST(sum(c) AS BIGINT) AS c,
        CAST(sum(d) AS BIGINT) AS d,
        mantel_haenszel(a, b, c, d, $confidence) AS adjusted,
        excess_churners(a, b, c, d, $confidence) AS excess
    FROM cell
    GROUP BY scope, kind
),

judged AS (
    SELECT
        pooled.*,
        odds_ratio(a, b, c, d, $confidence) AS crude,
        CASE
            WHEN exposed < $minimum_arm THEN 'fewer than ' || CAST($minimum_arm AS VARCHAR) || ' exposed'
            WHEN unexposed < $minimum_arm THEN 'fewer than ' || CAST($minimum_arm AS VARCHAR) || ' unexposed'
            WHEN a < $minimum_churners
                THEN 'fewer than ' || CAST($minimum_churners AS VARCHAR) || ' churners among the exposed'
            WHEN c < $minimum_churners
                THEN 'fewer than ' || CAST($minimum_churners AS VARCHAR) || ' churners among the unexposed'
        END AS reason
    FROM pooled
)

SELECT
    scope,
    kind,
    reason,
    churners,
    exposed,
    unexposed,
    carried_over,
    a AS exposed_churners,
    c AS unexposed_churners,
    CAST(a AS DOUBLE) / nullif(a + b, 0) AS exposed_churn_rate,
    CAST(c AS DOUBLE) / nullif(c + d, 0) AS unexposed_churn_rate,
    crude['estimate'] AS odds_ratio,
    adjusted['odds_ratio'] AS adjusted_odds_ratio,
    adjusted['lower'] AS adjusted_odds_ratio_lower,
    adjusted['upper'] AS adjusted_odds_ratio_upper,
    excess['estimate'] AS excess_churners,
    excess['lower'] AS excess_churners_lower,
    excess['upper'] AS excess_churners_upper,
    adjusted['p_value'] AS p_value,
    -- Over the rows of one kind that are not withheld.
    benjamini_hochberg(CASE WHEN reason IS NULL THEN adjusted['p_value'] END) OVER (PARTITION BY kind) AS q_value
FROM judged
ORDER BY scope
