-- One row: an outcome other than churn in a stratum (segment × tenure band) of a journey at a landmark (SEMANTICS 5).
-- From: landmark, eligible_at_landmark, value_at_landmark. Key: landmark, journey, outcome, segment, tenure_band.
-- revenue: money billed in the outcome window. revenue_change: that less what was billed in the equally long window
-- before the landmark, which takes away that some always spend more. revenue_drop: billed there less than 1 - $revenue_drop
-- of what was billed before. repurchase: bought something in the outcome window.
-- a, b = exposed with, without the outcome; c, d = unexposed; null for money and until the landmark has matured.
-- eligible = exposed + unexposed + censored + not_at_risk.
WITH customer AS (
    SELECT
        eligible.landmark,
        eligible.journey,
        eligible.segment,
        eligible.tenure_band,
        eligible.is_exposed,
        coalesce(value.censored, FALSE) AS is_censored,
        -- Who counts in the cells: followed to the end of the window, or the window is not over for anyone.
        NOT coalesce(value.censored, FALSE) AS is_counted,
        value.revenue_after AS revenue,
        value.can_change,
        value.revenue_change AS change,
        value.can_drop,
        value.revenue_dropped,
        value.repurchased
    FROM value_at_landmark AS value
    INNER JOIN eligible_at_landmark AS eligible
        ON eligible.landmark = value.landmark
        AND eligible.customer_id = value.customer_id
        AND eligible.joined_at = value.joined_at
),

-- One pass over the customers; decimal sums, so the order of the rows does not matter.
cell AS (
    SELECT
        landmark,
        journey,
        segment,
        tenure_band,
        count(*) AS eligible,
        count(*) FILTER (WHERE is_censored) AS censored,
        count(*) FILTER (WHERE is_counted AND is_exposed) AS exposed,
        count(*) FILTER (WHERE is_counted AND NOT is_exposed) AS unexposed,
        coalesce(sum(CAST(revenue AS DECIMAL(38, 10))) FILTER (WHERE is_counted AND is_exposed), 0) AS exposed_revenue,
        coalesce(sum(CAST(revenue * revenue AS DECIMAL(38, 10))) FILTER (WHERE is_counted AND is_exposed), 0)
            AS exposed_revenue_squared,
        coalesce(sum(CAST(revenue AS DECIMAL(38, 10))) FILTER (WHERE is_counted AND NOT is_exposed), 0)
            AS unexposed_revenue,
        coalesce(sum(CAST(revenue * revenue AS DECIMAL(38, 10))) FILTER (WHERE is_counted AND NOT is_exposed), 0)
            AS unexposed_revenue_squared,
        count(*) FILTER (WHERE is_counted AND can_change AND is_exposed) AS can_change_exposed,
        count(*) FILTER (WHERE is_counted AND can_change AND NOT is_exposed) AS can_change_unexposed,
        coalesce(sum(CAST(change AS DECIMAL(38, 10))) FILTER (WHERE is_counted AND can_change AND is_exposed), 0)
            AS exposed_change,
        coalesce(sum(CAST(change * change AS DECIMAL(38, 10)))
            FILTER (WHERE is_counted AND can_change AND is_exposed), 0) AS exposed_change_squared,
        coalesce(sum(CAST(change AS DECIMAL(38, 10))) FILTER (WHERE is_counted AND can_change AND NOT is_exposed), 0)
            AS unexposed_change,
        coalesce(sum(CAST(change * change AS DECIMAL(38, 10)))
            FILTER (WHERE is_counted AND can_change AND NOT is_exposed), 0) AS unexposed_change_squared,
        count(*) FILTER (WHERE is_counted AND can_drop AND is_exposed) AS can_drop_exposed,
        count(*) FILTER (WHERE is_counted AND can_drop AND NOT is_exposed) AS can_drop_unexposed,
        count(*) FILTER (WHERE is_counted AND can_drop AND revenue_dropped AND is_exposed) AS dropped_exposed,
        count(*) FILTER (WHERE is_counted AND can_drop AND revenue_dropped AND NOT is_exposed) AS dropped_unexposed,
        count(*) FILTER (WHERE is_counted AND repurchased AND is_exposed) AS repurchased_exposed,
        count(*) FILTER (WHERE is_counted AND repurchased AND NOT is_exposed) AS repurchased_unexposed
    FROM customer
    GROUP BY landmark, journey, segment, tenure_band
),

-- Each cell once an outcome: who is at risk of it, how many had it, and for money its sums.
tidy AS (
    SELECT
        cell.landmark,
        cell.journey,
        outcome.outcome,
        cell.segment,
        cell.tenure_band,
        landmark.is_matured,
        cell.eligible,
        cell.censored,
        CASE outcome.outcome
            WHEN 'revenue_change' THEN cell.can_change_exposed
            WHEN 'revenue_drop' THEN cell.can_drop_exposed
            ELSE cell.exposed
        END AS exposed,
        CASE outcome.outcome
            WHEN 'revenue_change' THEN cell.can_change_unexposed
            WHEN 'revenue_drop' THEN cell.can_drop_unexposed
            ELSE cell.unexposed
        END AS unexposed,
        CASE outcome.outcome
            WHEN 'revenue_drop' THEN cell.dropped_exposed
            WHEN 'repurchase' THEN cell.repurchased_exposed
        END AS a,
        CASE outcome.outcome
            WHEN 'revenue_drop' THEN cell.dropped_unexposed
            WHEN 'repurchase' THEN cell.repurchased_unexposed
        END AS c,
        cell.exposed + cell.unexposed AS counted,
        CAST(CASE outcome.outcome WHEN 'revenue' THEN cell.exposed_revenue ELSE cell.exposed_change END AS DOUBLE)
            AS exposed_money,
        CAST(CASE outcome.outcome WHEN 'revenue' THEN cell.exposed_revenue_squared ELSE cell.exposed_change_squared END
            AS DOUBLE) AS exposed_money_squared,
        CAST(CASE outcome.outcome WHEN 'revenue' THEN cell.unexposed_revenue ELSE cell.unexposed_change END AS DOUBLE)
            AS unexposed_money,
        CAST(CASE outcome.outcome WHEN 'revenue' THEN cell.unexposed_revenue_squared
            ELSE cell.unexposed_change_squared END AS DOUBLE) AS unexposed_money_squared
    FROM cell
    INNER JOIN landmark ON landmark.landmark = cell.landmark
    CROSS JOIN (VALUES ('revenue'), ('revenue_change'), ('revenue_drop'), ('repurchase')) AS outcome (outcome)
)

SELECT
    landmark,
    journey,
    outcome,
    segment,
    tenure_band,
    eligible,
    exposed,
    unexposed,
    CASE WHEN is_matured THEN censored END AS censored,
    counted - exposed - unexposed AS not_at_risk,
    CASE WHEN is_matured THEN a END AS a,
    CASE WHEN is_matured THEN exposed - a END AS b,
    CASE WHEN is_matured THEN c END AS c,
    CASE WHEN is_matured THEN unexposed - c END AS d,
    -- Of customers with the outcome each counts 1, so a is both sum and sum of squares.
    CASE WHEN is_matured THEN coalesce(CAST(a AS DOUBLE), exposed_money) END AS exposed_sum,
    CASE WHEN is_matured THEN coalesce(CAST(a AS DOUBLE), exposed_money_squared) END AS exposed_sum_of_squares,
    CASE WHEN is_matured THEN coalesce(CAST(c AS DOUBLE), unexposed_money) END AS unexposed_sum,
    CASE WHEN is_matured THEN coalesce(CAST(c AS DOUBLE), unexposed_money_squared) END AS unexposed_sum_of_squares
FROM tidy
ORDER BY landmark, journey, outcome, segment, tenure_band
