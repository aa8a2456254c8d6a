-- One row: an outcome other than churn beside a journey at a landmark in a segment ('all' for the total), in the same
-- design: like customers with and without the journey (SEMANTICS 5). From: landmark, dim_journey, billing, purchases,
-- fct_key_journeys_outcome_stratum, key_journey_volume_at_landmark. Key: landmark, journey, outcome, segment.
-- Means are shares of customers for revenue_drop and repurchase, money a customer for revenue and revenue_change. The
-- adjusted difference weighs strata by their exposed, so that times the exposed it is the excess: Σ n1·(m1 - m0),
-- variance Σ n1·v1 + n1²·v0/n0 with v the variance within an arm, the form of the excess churners.
-- A journey made of bills or purchases is tied to these outcomes by its definition; read its churn figures instead.
WITH stratum AS (
    SELECT 'all' AS segment, landmark, journey, outcome, eligible, exposed, unexposed, carried_over, censored,
        not_at_risk, a, b, c, d, exposed_sum, exposed_sum_of_squares, unexposed_sum, unexposed_sum_of_squares
    FROM fct_key_journeys_outcome_stratum
    UNION ALL
    SELECT segment, landmark, journey, outcome, eligible, exposed, unexposed, carried_over, censored,
        not_at_risk, a, b, c, d, exposed_sum, exposed_sum_of_squares, unexposed_sum, unexposed_sum_of_squares
    FROM fct_key_journeys_outcome_stratum
),

moment AS (
    SELECT
        stratum.*,
        exposed_sum / nullif(exposed, 0) AS m1,
        unexposed_sum / nullif(unexposed, 0) AS m0,
        -- An arm without anybody has no variance; rounding must not make one negative.
        CASE WHEN exposed > 0
            THEN greatest(exposed_sum_of_squares / exposed - power(exposed_sum / exposed, 2), 0) END AS v1,
        CASE WHEN unexposed > 0
            THEN greatest(unexposed_sum_of_squares / unexposed - power(unexposed_sum / unexposed, 2), 0) END AS v0
    FROM stratum
),

-- Decimal sums, so the order of the strata does not matter.
pooled AS (
    SELECT
        landmark,
        journey,
        outcome,
        segment,
        sum(eligible) AS eligible,
        sum(exposed) AS exposed,
        sum(unexposed) AS unexposed,
        sum(carried_over) AS carried_over,
        sum(censored) AS censored,
        sum(not_at_risk) AS not_at_risk,
        sum(a) AS a,
        sum(b) AS b,
        sum(c) AS c,
        sum(d) AS d,
        CAST(sum(CAST(exposed_sum AS DECIMAL(38, 10))) AS DOUBLE) AS exposed_sum,
        CAST(sum(CAST(exposed_sum_of_squares AS DECIMAL(38, 10))) AS DOUBLE) AS exposed_sum_of_squares,
        CAST(sum(CAST(unexposed_sum AS DECIMAL(38, 10))) AS DOUBLE) AS unexposed_sum,
        CAST(sum(CAST(unexposed_sum_of_squares AS DECIMAL(38, 10))) AS DOUBLE) AS unexposed_sum_of_squares,
        sum(CASE WHEN m1 IS NOT NULL AND m0 IS NOT NULL THEN exposed END) AS compared,
        CAST(sum(CAST(exposed * (m1 - m0) AS DECIMAL(38, 10))) AS DOUBLE) AS excess,
        CAST(sum(CAST(
            CASE WHEN exposed > 0 AND unexposed > 0
                THEN exposed * v1 + power(CAST(exposed AS DOUBLE), 2) * v0 / unexposed END
            AS DECIMAL(38, 10))) AS DOUBLE) AS excess_variance,
        count(*) FILTER (WHERE unexposed = 0) AS left_out_strata,
        coalesce(sum(exposed) FILTER (WHERE unexposed = 0), 0) AS left_out_exposed,
        -- Exposed whose stratum's unexposed are all alike, so that what is expected of them looks certain.
        coalesce(sum(exposed) FILTER (WHERE unexposed > 0 AND v0 = 0), 0) AS sparse_exposed,
        coalesce(sum(exposed) FILTER (WHERE c + d = 0 OR a + c = 0 OR b + d = 0), 0) AS exposed_in_empty_margins,
        mantel_haenszel(a, b, c, d, $confidence) AS adjusted
    FROM moment
    GROUP BY landmark, journey, outcome, segment
),

-- Whether the sources hold anything that could show the outcome.
record AS (
    SELECT landmark.landmark, outcome.outcome, count(billing.invoice_id) AS records
    FROM landmark
    CROSS JOIN (VALUES ('revenue'), ('revenue_change'), ('revenue_drop')) AS outcome (outcome)
    LEFT JOIN billing
        ON billing.billed_at >= landmark.landmark - $churn_horizon AND billing.billed_at < landmark.outcome_until
    GROUP BY landmark.landmark, outcome.outcome
    UNION ALL
    SELECT landmark.landmark, 'repurchase' AS outcome, count(purchases.purchase_id) AS records
    FROM landmark
    LEFT JOIN purchases
        ON purchases.purchased_at >= landmark.outcome_from AND purchases.purchased_at < landmark.outcome_until
    GROUP BY landmark.landmark
),

-- Every journey at every landmark, also one nobody was on; segments as far as somebody was eligible or started.
segment_scope AS (
    SELECT landmark, journey, segment FROM pooled
    UNION
    SELECT landmark, journey, segment FROM key_journey_volume_at_landmark
),

scope AS (
    SELECT landmark.landmark, landmark.landmark_period, landmark.is_matured, dim_journey.journey, 'all' AS segment
    FROM landmark
    CROSS JOIN dim_journey
    UNION ALL
    SELECT landmark.landmark, landmark.landmark_period, landmark.is_matured, segment_scope.journey,
        segment_scope.segment
    FROM segment_scope
    INNER JOIN landmark ON landmark.landmark = segment_scope.landmark
    WHERE segment_scope.segment <> 'all'
),

figure AS (
    SELECT
        scope.landmark,
        scope.landmark_period,
        scope.is_matured,
        scope.journey,
        record.outcome,
        scope.segment,
        record.records,
        scope.is_matured AND record.records > 0 AS has_figures,
        coalesce(pooled.eligible, 0) AS eligible,
        coalesce(pooled.exposed, 0) AS exposed,
        coalesce(pooled.unexposed, 0) AS unexposed,
        coalesce(pooled.carried_over, 0) AS carried_over,
        CASE WHEN scope.is_matured THEN coalesce(pooled.censored, 0) END AS censored,
        coalesce(pooled.not_at_risk, 0) AS not_at_risk,
        CASE WHEN record.outcome IN ('revenue_drop', 'repurchase') THEN coalesce(pooled.a, 0) END AS a,
        CASE WHEN record.outcome IN ('revenue_drop', 'repurchase') THEN coalesce(pooled.b, 0) END AS b,
        CASE WHEN record.outcome IN ('revenue_drop', 'repurchase') THEN coalesce(pooled.c, 0) END AS c,
        CASE WHEN record.outcome IN ('revenue_drop', 'repurchase') THEN coalesce(pooled.d, 0) END AS d,
        pooled.exposed_sum / nullif(pooled.exposed, 0) AS m1,
        pooled.unexposed_sum / nullif(pooled.unexposed, 0) AS m0,
        -- Of the means.
        CASE WHEN pooled.exposed > 0
            THEN greatest(pooled.exposed_sum_of_squares / pooled.exposed
                - power(pooled.exposed_sum / pooled.exposed, 2), 0) / pooled.exposed END AS m1_variance,
        CASE WHEN pooled.unexposed > 0
            THEN greatest(pooled.unexposed_sum_of_squares / pooled.unexposed
                - power(pooled.unexposed_sum / pooled.unexposed, 2), 0) / pooled.unexposed END AS m0_variance,
        nullif(pooled.compared, 0) AS compared,
        pooled.excess,
        sqrt(pooled.excess_variance) AS excess_error,
        coalesce(pooled.left_out_strata, 0) AS left_out_strata,
        coalesce(pooled.left_out_exposed, 0) AS left_out_exposed,
        coalesce(pooled.sparse_exposed, 0) AS sparse_exposed,
        coalesce(pooled.exposed_in_empty_margins, 0) AS exposed_in_empty_margins,
        pooled.adjusted,
        -- The normal distribution's critical value, 1.96 at 95 %.
        -normal_quantile((1 - $confidence) / 2) AS z
    FROM scope
    INNER JOIN record ON record.landmark = scope.landmark
    LEFT JOIN pooled
        ON pooled.landmark = scope.landmark
        AND pooled.journey = scope.journey
        AND pooled.segment = scope.segment
        AND pooled.outcome = record.outcome
),

judged AS (
    SELECT
        figure.*,
        CASE
            WHEN NOT is_matured THEN 'not_matured'
            WHEN records = 0 THEN 'no_data'
            WHEN exposed < $minimum_arm OR unexposed < $minimum_arm
                OR a < $minimum_churners OR c < $minimum_churners THEN 'insufficient'
            ELSE 'ok'
        END AS status,
        CASE
            WHEN NOT is_matured THEN 'the outcome window is not over or its records are not complete'
            WHEN records = 0 AND outcome = 'repurchase' THEN 'no purchase of anybody in the outcome window is known'
            WHEN records = 0 THEN 'no bill of anybody before or in the outcome window is known'
            WHEN not_at_risk > 0 AND exposed < $minimum_arm
                THEN 'fewer than ' || CAST($minimum_arm AS VARCHAR) || ' exposed with a window before to compare with'
            WHEN exposed < $minimum_arm THEN 'fewer than ' || CAST($minimum_arm AS VARCHAR) || ' exposed'
            WHEN not_at_risk > 0 AND unexposed < $minimum_arm
                THEN 'fewer than ' || CAST($minimum_arm AS VARCHAR) || ' unexposed with a window before to compare with'
            WHEN unexposed < $minimum_arm THEN 'fewer than ' || CAST($minimum_arm AS VARCHAR) || ' unexposed'
            WHEN a < $minimum_churners
                THEN 'fewer than ' || CAST($minimum_churners AS VARCHAR) || ' exposed with the outcome'
            WHEN c < $minimum_churners
                THEN 'fewer than ' || CAST($minimum_churners AS VARCHAR) || ' unexposed with the outcome'
        END AS reason,
        wilson(a, a + b, $confidence) AS exposed_share,
        wilson(c, c + d, $confidence) AS unexposed_share,
        risk_difference(a, b, c, d, $confidence) AS share_difference,
        odds_ratio(a, b, c, d, $confidence) AS crude_odds,
        z * sqrt(m1_variance) AS m1_reach,
        z * sqrt(m0_variance) AS m0_reach,
        z * sqrt(m1_variance + m0_variance) AS difference_reach,
        z * excess_error AS excess_reach
    FROM figure
),

flagged AS (
    SELECT
        judged.*,
        nullif(concat_ws(', ',
            CASE WHEN exposed_in_empty_margins > 0.2 * exposed THEN 'empty_margins' END,
            -- Money has no odds; there the crude difference lies outside the adjusted one's interval.
            CASE WHEN (crude_odds['estimate'] - 1) * (adjusted['odds_ratio'] - 1) < 0
                    OR crude_odds['estimate'] > 1.2 * adjusted['odds_ratio']
                    OR adjusted['odds_ratio'] > 1.2 * crude_odds['estimate']
                    OR (a IS NULL AND abs((m1 - m0) * compared - excess) > excess_reach)
                THEN 'confounded' END,
            CASE WHEN sparse_exposed > 0.2 * exposed THEN 'sparse_strata' END,
            CASE WHEN exposed + unexposed > 0 AND censored > 0.05 * (exposed + unexposed + censored) THEN 'censored' END,
            CASE WHEN adjusted['homogeneity_p_value'] < 0.05 THEN 'strata_differ' END
        ), '') AS flags,
        CASE WHEN a IS NULL
            -- A normal deviate's two-sided p value is the χ² tail of its square.
            THEN likelihood_ratio_test(-power(excess / nullif(excess_error, 0), 2) / 2, 0, 1)['p_value']
            ELSE adjusted['p_value']
        END AS p
    FROM judged
),

tested AS (
    SELECT
        flagged.*,
        CASE WHEN has_figures THEN p END AS p_value,
        benjamini_hochberg(CASE WHEN status = 'ok' THEN p END) OVER (PARTITION BY landmark, segment, outcome) AS q_value
    FROM flagged
)

SELECT
    landmark,
    landmark_period,
    journey,
    outcome,
    segment,
    status,
    reason,
    CASE WHEN has_figures THEN flags END AS flags,
    eligible,
    exposed,
    unexposed,
    carried_over,
    censored,
    not_at_risk,
    CASE WHEN has_figures THEN a END AS a,
    CASE WHEN has_figures THEN b END AS b,
    CASE WHEN has_figures THEN c END AS c,
    CASE WHEN has_figures THEN d END AS d,
    CASE WHEN has_figures THEN m1 END AS exposed_mean,
    CASE WHEN has_figures THEN coalesce(exposed_share['lower'], m1 - m1_reach) END AS exposed_mean_lower,
    CASE WHEN has_figures THEN coalesce(exposed_share['upper'], m1 + m1_reach) END AS exposed_mean_upper,
    CASE WHEN has_figures THEN m0 END AS unexposed_mean,
    CASE WHEN has_figures THEN coalesce(unexposed_share['lower'], m0 - m0_reach) END AS unexposed_mean_lower,
    CASE WHEN has_figures THEN coalesce(unexposed_share['upper'], m0 + m0_reach) END AS unexposed_mean_upper,
    CASE WHEN has_figures THEN m1 - m0 END AS difference,
    CASE WHEN has_figures THEN coalesce(share_difference['lower'], m1 - m0 - difference_reach) END AS difference_lower,
    CASE WHEN has_figures THEN coalesce(share_difference['upper'], m1 - m0 + difference_reach) END AS difference_upper,
    CASE WHEN has_figures THEN excess / compared END AS adjusted_difference,
    CASE WHEN has_figures THEN (excess - excess_reach) / compared END AS adjusted_difference_lower,
    CASE WHEN has_figures THEN (excess + excess_reach) / compared END AS adjusted_difference_upper,
    CASE WHEN has_figures THEN crude_odds['estimate'] END AS odds_ratio,
    CASE WHEN has_figures THEN crude_odds['lower'] END AS odds_ratio_lower,
    CASE WHEN has_figures THEN crude_odds['upper'] END AS odds_ratio_upper,
    CASE WHEN has_figures THEN adjusted['odds_ratio'] END AS adjusted_odds_ratio,
    CASE WHEN has_figures THEN adjusted['lower'] END AS adjusted_odds_ratio_lower,
    CASE WHEN has_figures THEN adjusted['upper'] END AS adjusted_odds_ratio_upper,
    CASE WHEN has_figures THEN excess END AS excess,
    CASE WHEN has_figures THEN excess - excess_reach END AS excess_lower,
    CASE WHEN has_figures THEN excess + excess_reach END AS excess_upper,
    p_value,
    q_value,
    CASE WHEN has_figures THEN adjusted['homogeneity_p_value'] END AS homogeneity_p_value,
    left_out_strata,
    left_out_exposed,
    CASE WHEN has_figures THEN sparse_exposed END AS sparse_exposed
FROM tested
ORDER BY landmark, segment, outcome, journey
