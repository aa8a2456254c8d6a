-- One row: a journey at a landmark in a segment ('all' for the total): its volume and its link to churn, with
-- uncertainty, guards and rank (SEMANTICS 5). From: landmark, dim_journey, fct_key_journeys_stratum,
-- key_journey_volume_at_landmark, journey_responder, key_journey_survival. Key: landmark, journey, segment. 'all' is stratified by
-- segment × tenure band, a segment by tenure band. Cells: a, b = exposed churned, stayed; c, d = unexposed churned,
-- stayed. The aggregates of strata do not depend on the order of their rows.
WITH stratum AS (
    SELECT 'all' AS segment, landmark, journey, tenure_band, eligible, exposed, unexposed, carried_over, censored,
        a, b, c, d, a_first_7_days, c_first_7_days, exposed_revenue
    FROM fct_key_journeys_stratum
    UNION ALL
    SELECT segment, landmark, journey, tenure_band, eligible, exposed, unexposed, carried_over, censored,
        a, b, c, d, a_first_7_days, c_first_7_days, exposed_revenue
    FROM fct_key_journeys_stratum
),

pooled AS (
    SELECT
        landmark,
        journey,
        segment,
        sum(eligible) AS eligible,
        sum(exposed) AS exposed,
        sum(unexposed) AS unexposed,
        sum(carried_over) AS carried_over,
        sum(censored) AS censored,
        sum(a) AS a,
        sum(b) AS b,
        sum(c) AS c,
        sum(d) AS d,
        sum(a_first_7_days) AS a_first_7_days,
        sum(c_first_7_days) AS c_first_7_days,
        -- Exposed customers of whom the strata say nothing, because one margin of theirs is empty.
        sum(CASE WHEN c + d = 0 OR a + c = 0 OR b + d = 0 THEN a + b END) AS exposed_in_empty_margins,
        -- Exposed whose stratum's unexposed all stayed or all left: the excess takes their rate for certain.
        sum(CASE WHEN c + d > 0 AND (c = 0 OR d = 0) THEN a + b END) AS sparse_exposed,
        mantel_haenszel(a, b, c, d, $confidence) AS adjusted,
        excess_churners(a, b, c, d, $confidence) AS excess,
        -- Each stratum's excess churners at the mean revenue of its exposed; decimals, so their order does not matter.
        CAST(sum(CAST(
            CASE WHEN a + b > 0 AND c + d > 0
                THEN (a - CAST(a + b AS DOUBLE) * c / (c + d)) * exposed_revenue / (a + b)
            END AS DECIMAL(38, 18))) AS DOUBLE) AS excess_revenue
    FROM stratum
    GROUP BY landmark, journey, segment
),

-- Every journey at every landmark, also one nobody was on; segments as far as somebody was eligible or started an
-- instance, so that the instances of the segments add up to those of all.
segment_scope AS (
    SELECT landmark, journey, segment FROM pooled
    UNION
    SELECT landmark, journey, segment FROM key_journey_volume_at_landmark
),

scope AS (
    SELECT landmark.landmark, landmark.landmark_period, landmark.is_matured, dim_journey.journey,
        dim_journey.importance, 'all' AS segment
    FROM landmark
    CROSS JOIN dim_journey
    UNION ALL
    SELECT landmark.landmark, landmark.landmark_period, landmark.is_matured, dim_journey.journey,
        dim_journey.importance, segment_scope.segment
    FROM segment_scope
    INNER JOIN landmark ON landmark.landmark = segment_scope.landmark
    INNER JOIN dim_journey ON dim_journey.journey = segment_scope.journey
    WHERE segment_scope.segment <> 'all'
),

satisfaction_link AS (
    SELECT
        landmark,
        journey,
        coalesce(segment, 'all') AS segment,
        correlation(journey_satisfaction, CAST(churned AS DOUBLE), $confidence) AS journey_link,
        correlation(touchpoint_satisfaction, CAST(churned AS DOUBLE), $confidence) AS touchpoint_link
    FROM journey_responder
    WHERE churned IS NOT NULL
    GROUP BY GROUPING SETS ((landmark, journey, segment), (landmark, journey))
),

figure AS (
    SELECT
        scope.landmark,
        scope.landmark_period,
        scope.is_matured,
        scope.journey,
        scope.segment,
        scope.importance,
        coalesce(volume.instances, 0) AS instances,
        coalesce(volume.customers, 0) AS customers,
        coalesce(pooled.eligible, 0) AS eligible,
        coalesce(pooled.exposed, 0) AS exposed,
        coalesce(pooled.unexposed, 0) AS unexposed,
        coalesce(pooled.carried_over, 0) AS carried_over,
        CASE WHEN scope.is_matured THEN coalesce(pooled.censored, 0) END AS censored,
        CASE WHEN scope.is_matured THEN coalesce(pooled.a, 0) END AS a,
        CASE WHEN scope.is_matured THEN coalesce(pooled.b, 0) END AS b,
        CASE WHEN scope.is_matured THEN coalesce(pooled.c, 0) END AS c,
        CASE WHEN scope.is_matured THEN coalesce(pooled.d, 0) END AS d,
        pooled.a_first_7_days,
        pooled.c_first_7_days,
        coalesce(pooled.exposed_in_empty_margins, 0) AS exposed_in_empty_margins,
        coalesce(pooled.sparse_exposed, 0) AS sparse_exposed,
        pooled.adjusted,
        pooled.excess,
        pooled.excess_revenue,
        link.journey_link,
        link.touchpoint_link,
        survival.survival_difference,
        survival.survival_difference_lower,
        survival.survival_difference_upper,
        survival.log_rank_p_value
    FROM scope
    LEFT JOIN pooled
        ON pooled.landmark = scope.landmark AND pooled.journey = scope.journey AND pooled.segment = scope.segment
    LEFT JOIN key_journey_volume_at_landmark AS volume
        ON volume.landmark = scope.landmark AND volume.journey = scope.journey AND volume.segment = scope.segment
    LEFT JOIN satisfaction_link AS link
        ON link.landmark = scope.landmark AND link.journey = scope.journey AND link.segment = scope.segment
    LEFT JOIN key_journey_survival AS survival
        ON survival.landmark = scope.landmark
        AND survival.journey = scope.journey
        AND survival.segment = scope.segment
),

judged AS (
    SELECT
        figure.*,
        CASE
            WHEN NOT is_matured THEN 'not_matured'
            WHEN exposed < $minimum_arm OR unexposed < $minimum_arm
                OR a < $minimum_churners OR c < $minimum_churners THEN 'insufficient'
            ELSE 'ok'
        END AS status,
        CASE
            WHEN NOT is_matured THEN 'the outcome window is not over or its churn is not complete'
            WHEN exposed < $minimum_arm THEN 'fewer than ' || CAST($minimum_arm AS VARCHAR) || ' exposed'
            WHEN unexposed < $minimum_arm THEN 'fewer than ' || CAST($minimum_arm AS VARCHAR) || ' unexposed'
            WHEN a < $minimum_churners
                THEN 'fewer than ' || CAST($minimum_churners AS VARCHAR) || ' churners among the exposed'
            WHEN c < $minimum_churners
                THEN 'fewer than ' || CAST($minimum_churners AS VARCHAR) || ' churners among the unexposed'
        END AS reason,
        wilson(a, a + b, $confidence) AS exposed_estimate,
        wilson(c, c + d, $confidence) AS unexposed_estimate,
        risk_difference(a, b, c, d, $confidence) AS difference,
        phi(a, b, c, d, $confidence) AS phi_estimate,
        odds_ratio(a, b, c, d, $confidence) AS crude_odds,
        risk_ratio(a, b, c, d, $confidence) AS risk
    FROM figure
),

flagged AS (
    SELECT
        judged.*,
        nullif(concat_ws(', ',
            CASE WHEN exposed_in_empty_margins > 0.2 * exposed THEN 'empty_margins' END,
            CASE WHEN sparse_exposed > 0.2 * exposed THEN 'sparse_strata' END,
            CASE WHEN (crude_odds['estimate'] - 1) * (adjusted['odds_ratio'] - 1) < 0
                    OR crude_odds['estimate'] > 1.2 * adjusted['odds_ratio']
                    OR adjusted['odds_ratio'] > 1.2 * crude_odds['estimate']
                THEN 'confounded' END,
            -- Shares of exposed and unexposed churners who left in the first seven days, without dividing by no one.
            CASE WHEN a_first_7_days > 0.3 * a AND CAST(a_first_7_days AS DOUBLE) * c > 2.0 * c_first_7_days * a
                THEN 'possible_leakage' END,
            -- Then the survival difference, not the risk difference, is the headline.
            CASE WHEN censored > 0.05 * (exposed + unexposed + censored) THEN 'censored' END,
            CASE WHEN adjusted['homogeneity_p_value'] < 0.05 THEN 'strata_differ' END
        ), '') AS flags,
        CASE WHEN status = 'ok' THEN adjusted['p_value'] END AS ranked_p_value,
        CASE WHEN status = 'ok' THEN excess['lower'] END AS ranked_excess,
        CASE WHEN status = 'ok' THEN importance END AS ranked_importance
    FROM judged
),

-- Ranks among the ranked rows of a landmark and segment; ties share the mean rank.
ranked AS (
    SELECT
        flagged.*,
        benjamini_hochberg(ranked_p_value) OVER (PARTITION BY landmark, segment) AS q_value,
        count(ranked_excess) OVER (PARTITION BY landmark, segment) AS data_rows,
        count(ranked_importance) OVER (PARTITION BY landmark, segment) AS expert_rows,
        CASE WHEN ranked_excess IS NOT NULL THEN
            rank() OVER (PARTITION BY landmark, segment ORDER BY ranked_excess DESC NULLS LAST)
            + (count(*) OVER (PARTITION BY landmark, segment, ranked_excess) - 1) / 2.0
        END AS data_rank,
        CASE WHEN ranked_importance IS NOT NULL THEN
            rank() OVER (PARTITION BY landmark, segment ORDER BY ranked_importance DESC NULLS LAST)
            + (count(*) OVER (PARTITION BY landmark, segment, ranked_importance) - 1) / 2.0
        END AS expert_rank
    FROM flagged
),

weighed AS (
    SELECT
        ranked.*,
        -- A rank scaled to 1 (first) … 0 (last); alone it is 1.
        CASE WHEN data_rows = 1 THEN 1.0 ELSE (data_rows - data_rank) / (data_rows - 1) END AS data_weight,
        CASE WHEN expert_rows = 1 THEN 1.0 ELSE (expert_rows - expert_rank) / (expert_rows - 1) END AS expert_weight,
        data_rank <= ceil(data_rows / 3.0) AS is_data_top,
        expert_rank <= ceil(expert_rows / 3.0) AS is_expert_top
    FROM ranked
),

prioritized AS (
    SELECT
        weighed.*,
        CASE
            WHEN data_rank IS NULL THEN NULL
            WHEN expert_rank IS NULL THEN data_weight
            ELSE $priority_weight * data_weight + (1 - $priority_weight) * expert_weight
        END AS priority
    FROM weighed
)

SELECT
    landmark,
    landmark_period,
    journey,
    segment,
    status,
    reason,
    flags,
    instances,
    customers,
    eligible,
    exposed,
    unexposed,
    carried_over,
    censored,
    a,
    b,
    c,
    d,
    exposed_estimate['estimate'] AS exposed_churn_rate,
    exposed_estimate['lower'] AS exposed_churn_rate_lower,
    exposed_estimate['upper'] AS exposed_churn_rate_upper,
    unexposed_estimate['estimate'] AS unexposed_churn_rate,
    unexposed_estimate['lower'] AS unexposed_churn_rate_lower,
    unexposed_estimate['upper'] AS unexposed_churn_rate_upper,
    difference['estimate'] AS risk_difference,
    difference['lower'] AS risk_difference_lower,
    difference['upper'] AS risk_difference_upper,
    survival_difference,
    survival_difference_lower,
    survival_difference_upper,
    log_rank_p_value,
    phi_estimate['estimate'] AS phi,
    phi_estimate['lower'] AS phi_lower,
    phi_estimate['upper'] AS phi_upper,
    crude_odds['estimate'] AS odds_ratio,
    crude_odds['lower'] AS odds_ratio_lower,
    crude_odds['upper'] AS odds_ratio_upper,
    risk['estimate'] AS risk_ratio,
    risk['lower'] AS risk_ratio_lower,
    risk['upper'] AS risk_ratio_upper,
    adjusted['odds_ratio'] AS adjusted_odds_ratio,
    adjusted['lower'] AS adjusted_odds_ratio_lower,
    adjusted['upper'] AS adjusted_odds_ratio_upper,
    excess['estimate'] AS excess_churners,
    excess['lower'] AS excess_churners_lower,
    excess['upper'] AS excess_churners_upper,
    adjusted['p_value'] AS p_value,
    q_value,
    adjusted['homogeneity_p_value'] AS homogeneity_p_value,
    -- p1 / (m1 / N)
    CAST(a AS DOUBLE) * (a + b + c + d) / nullif((a + b) * (a + c), 0) AS lift,
    excess['attributable_share'] AS attributable_share,
    excess_revenue,
    exposed_in_empty_margins,
    CASE WHEN is_matured THEN sparse_exposed END AS sparse_exposed,
    excess['left_out_strata'] AS left_out_strata,
    excess['left_out_exposed'] AS left_out_exposed,
    journey_link['n'] AS journey_satisfaction_customers,
    journey_link['estimate'] AS journey_satisfaction_link,
    journey_link['lower'] AS journey_satisfaction_link_lower,
    journey_link['upper'] AS journey_satisfaction_link_upper,
    touchpoint_link['n'] AS touchpoint_satisfaction_customers,
    touchpoint_link['estimate'] AS touchpoint_satisfaction_link,
    touchpoint_link['lower'] AS touchpoint_satisfaction_link_lower,
    touchpoint_link['upper'] AS touchpoint_satisfaction_link_upper,
    data_rank,
    expert_rank,
    priority,
    CASE WHEN priority IS NOT NULL
        THEN CAST(rank() OVER (PARTITION BY landmark, segment ORDER BY priority DESC NULLS LAST) AS BIGINT)
    END AS priority_rank,
    CASE
        WHEN data_rank IS NULL OR importance IS NULL THEN NULL
        WHEN is_data_top AND is_expert_top THEN 'both'
        WHEN is_data_top THEN 'data_only'
        WHEN is_expert_top THEN 'expert_only'
        ELSE 'neither'
    END AS agreement
FROM prioritized
ORDER BY landmark, segment, journey
