-- One row: how well journey scores and touchpoint scores explain churn at a landmark, each beyond the other
-- (SEMANTICS 5). From: landmark, dim_journey, journey_responder. Key: landmark, journey.
-- Four logistic models on the same customers, exposed with both scores: segment and tenure alone, with the touchpoint
-- score, with the journey score, with both. AUCs are in-sample. Which one wins is computed, never assumed.
WITH responder AS (
    SELECT landmark, journey, customer_id, joined_at, segment, tenure_band, churned, touchpoint_satisfaction,
        journey_satisfaction
    FROM journey_responder
    WHERE churned IS NOT NULL AND touchpoint_satisfaction IS NOT NULL AND journey_satisfaction IS NOT NULL
),

-- The controls' levels among a journey's responders, without the first of each, which the others are compared with.
level AS (
    SELECT
        landmark,
        journey,
        'segment' AS control,
        segment AS value,
        row_number() OVER (PARTITION BY landmark, journey ORDER BY segment) AS place
    FROM responder
    GROUP BY landmark, journey, segment
    UNION ALL
    SELECT
        landmark,
        journey,
        'tenure_band' AS control,
        tenure_band AS value,
        row_number() OVER (PARTITION BY landmark, journey ORDER BY tenure_band) AS place
    FROM responder
    GROUP BY landmark, journey, tenure_band
),

dummy AS (
    SELECT
        responder.landmark,
        responder.journey,
        responder.customer_id,
        responder.joined_at,
        level.control,
        level.value,
        CASE
            WHEN level.control = 'segment' AND level.value = responder.segment THEN 1.0
            WHEN level.control = 'tenure_band' AND level.value = responder.tenure_band THEN 1.0
            ELSE 0.0
        END AS indicator
    FROM responder
    INNER JOIN level ON level.landmark = responder.landmark AND level.journey = responder.journey
    WHERE level.place > 1
),

-- One list of 0/1 a customer, in the same order for all.
control AS (
    SELECT landmark, journey, customer_id, joined_at, array_agg(indicator ORDER BY control, value) AS indicators
    FROM dummy
    GROUP BY landmark, journey, customer_id, joined_at
),

observation AS (
    SELECT
        responder.landmark,
        responder.journey,
        responder.churned,
        responder.touchpoint_satisfaction,
        responder.journey_satisfaction,
        -- A constant is left out of a fit, so responders of a single kind still have a list.
        coalesce(control.indicators, make_array(0.0)) AS indicators
    FROM responder
    LEFT JOIN control
        ON control.landmark = responder.landmark
        AND control.journey = responder.journey
        AND control.customer_id = responder.customer_id
        AND control.joined_at = responder.joined_at
),

fitted AS (
    SELECT
        landmark,
        journey,
        count(*) AS responders,
        count(*) FILTER (WHERE churned) AS churners,
        logistic_fit(churned, indicators) AS controls,
        logistic_fit(churned, array_append(indicators, touchpoint_satisfaction)) AS touchpoint,
        logistic_fit(churned, array_append(indicators, journey_satisfaction)) AS journey_score,
        logistic_fit(churned, array_append(array_append(indicators, touchpoint_satisfaction), journey_satisfaction))
            AS both_scores
    FROM observation
    GROUP BY landmark, journey
),

tested AS (
    SELECT
        landmark.landmark,
        landmark.landmark_period,
        landmark.is_matured,
        dim_journey.journey,
        coalesce(fitted.responders, 0) AS responders,
        coalesce(fitted.churners, 0) AS churners,
        fitted.controls,
        fitted.touchpoint,
        fitted.journey_score,
        fitted.both_scores,
        likelihood_ratio_test(
            fitted.touchpoint['log_likelihood'],
            fitted.both_scores['log_likelihood'],
            fitted.both_scores['parameters'] - fitted.touchpoint['parameters']
        ) AS journey_beyond_touchpoint,
        likelihood_ratio_test(
            fitted.journey_score['log_likelihood'],
            fitted.both_scores['log_likelihood'],
            fitted.both_scores['parameters'] - fitted.journey_score['parameters']
        ) AS touchpoint_beyond_journey
    FROM landmark
    CROSS JOIN dim_journey
    LEFT JOIN fitted ON fitted.landmark = landmark.landmark AND fitted.journey = dim_journey.journey
),

judged AS (
    SELECT
        tested.*,
        CASE
            WHEN NOT is_matured THEN 'not_matured'
            WHEN responders < $minimum_arm OR churners < $minimum_churners
                OR responders - churners < $minimum_churners THEN 'insufficient'
            WHEN both_scores['status'] <> 'ok' THEN both_scores['status']
            WHEN controls['status'] <> 'ok' THEN controls['status']
            WHEN touchpoint['status'] <> 'ok' THEN touchpoint['status']
            WHEN journey_score['status'] <> 'ok' THEN journey_score['status']
            ELSE 'ok'
        END AS status
    FROM tested
)

SELECT
    landmark,
    landmark_period,
    journey,
    status,
    CASE status
        WHEN 'not_matured' THEN 'the outcome window is not over or its churn is not complete'
        WHEN 'insufficient' THEN 'too few customers with both scores, or too few of them who churned or stayed'
        WHEN 'separation' THEN 'the scores tell who churned without error, so a model has no finite coefficients'
        WHEN 'singular' THEN 'the scores cannot be told apart from segment and tenure'
        WHEN 'not_converged' THEN 'a model did not converge'
    END AS reason,
    responders,
    CASE WHEN is_matured THEN churners END AS churners,
    CASE WHEN status = 'ok' THEN controls['mcfadden_r2'] END AS controls_r2,
    CASE WHEN status = 'ok' THEN touchpoint['mcfadden_r2'] END AS touchpoint_r2,
    CASE WHEN status = 'ok' THEN journey_score['mcfadden_r2'] END AS journey_r2,
    CASE WHEN status = 'ok' THEN both_scores['mcfadden_r2'] END AS both_r2,
    CASE WHEN status = 'ok' THEN controls['auc'] END AS controls_auc,
    CASE WHEN status = 'ok' THEN touchpoint['auc'] END AS touchpoint_auc,
    CASE WHEN status = 'ok' THEN journey_score['auc'] END AS journey_auc,
    CASE WHEN status = 'ok' THEN both_scores['auc'] END AS both_auc,
    CASE WHEN status = 'ok' THEN journey_beyond_touchpoint['statistic'] END AS journey_beyond_touchpoint_statistic,
    CASE WHEN status = 'ok' THEN journey_beyond_touchpoint['p_value'] END AS journey_beyond_touchpoint_p_value,
    CASE WHEN status = 'ok' THEN touchpoint_beyond_journey['statistic'] END AS touchpoint_beyond_journey_statistic,
    CASE WHEN status = 'ok' THEN touchpoint_beyond_journey['p_value'] END AS touchpoint_beyond_journey_p_value,
    CASE
        WHEN status <> 'ok' THEN NULL
        WHEN journey_beyond_touchpoint['p_value'] < 1 - $confidence
            AND touchpoint_beyond_journey['p_value'] < 1 - $confidence THEN 'each says something the other does not'
        WHEN journey_beyond_touchpoint['p_value'] < 1 - $confidence
            THEN 'the journey score explains churn beyond touchpoint scores, not the other way round'
        WHEN touchpoint_beyond_journey['p_value'] < 1 - $confidence
            THEN 'touchpoint scores explain churn beyond the journey score, not the other way round'
        ELSE 'neither adds to the other'
    END AS verdict
FROM judged
ORDER BY landmark, journey
