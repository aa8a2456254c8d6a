-- One row: how well journey scores and touchpoint scores explain leaving at a landmark, each beyond the other, and how
-- journey satisfaction goes with leaving (SEMANTICS 5). From: landmark, dim_journey, journey_responder, driver_score,
-- journey_satisfaction_link. Key: landmark, journey.
-- Four logistic models on the same customers, exposed with both scores: the controls (segment, tenure and which
-- touchpoints they answered about), with the touchpoint scores, with the journey score, with both. AUCs are in-sample.
-- Which side explains more is computed, never assumed: journey or touchpoints only where one adds to the other beyond
-- chance and the interval of the difference of the AUCs leaves out 0, else undecided, which is not no.
WITH responder AS (
    SELECT landmark, journey, customer_id, joined_at, segment, tenure_band, churned, journey_satisfaction
    FROM journey_responder
    WHERE churned IS NOT NULL AND touchpoint_responses > 0
),

responders AS (
    SELECT landmark, journey, count(*) AS responders, count(*) FILTER (WHERE churned) AS churners
    FROM responder
    GROUP BY landmark, journey
),

scored_event AS (
    SELECT DISTINCT landmark, journey, scored_event
    FROM driver_score
),

scored_events AS (
    SELECT landmark, journey, string_agg(scored_event, '; ' ORDER BY scored_event) AS scored_events
    FROM scored_event
    GROUP BY landmark, journey
),

-- One list of scores a customer, in the same order for all; null where the customer did not answer about it.
touchpoints AS (
    SELECT
        responder.landmark,
        responder.journey,
        responder.customer_id,
        responder.joined_at,
        array_agg(score.satisfaction ORDER BY event.scored_event) AS scores,
        array_agg(
            CASE WHEN score.satisfaction IS NULL THEN 'no answer about ' ELSE 'an answer about ' END
                || event.scored_event
            ORDER BY event.scored_event
        ) AS answered
    FROM responder
    INNER JOIN scored_event AS event ON event.landmark = responder.landmark AND event.journey = responder.journey
    LEFT JOIN driver_score AS score
        ON score.landmark = responder.landmark
        AND score.journey = responder.journey
        AND score.customer_id = responder.customer_id
        AND score.joined_at = responder.joined_at
        AND score.scored_event = event.scored_event
    GROUP BY responder.landmark, responder.journey, responder.customer_id, responder.joined_at
),

compared AS (
    SELECT
        responder.landmark,
        responder.journey,
        compare_scores(
            responder.churned,
            array_concat(
                make_array('segment ' || responder.segment, 'tenure ' || responder.tenure_band || ' days'),
                touchpoints.answered
            ),
            touchpoints.scores,
            make_array(responder.journey_satisfaction),
            $confidence
        ) AS models
    FROM responder
    INNER JOIN touchpoints
        ON touchpoints.landmark = responder.landmark
        AND touchpoints.journey = responder.journey
        AND touchpoints.customer_id = responder.customer_id
        AND touchpoints.joined_at = responder.joined_at
    GROUP BY responder.landmark, responder.journey
),

judged AS (
    SELECT
        landmark.landmark,
        landmark.landmark_period,
        landmark.is_counted,
        landmark.is_matured,
        dim_journey.journey,
        coalesce(responders.responders, 0) AS responders,
        coalesce(responders.churners, 0) AS churners,
        scored_events.scored_events,
        compared.models,
        coalesce(compared.models['left_out'], 0) AS left_out,
        nullif(array_to_string(compared.models['dropped_controls'], '; '), '') AS dropped_controls,
        CASE
            WHEN NOT landmark.is_matured THEN 'not_matured'
            WHEN compared.models['n'] >= $minimum_exposed
                AND compared.models['positives'] >= $minimum_churners
                AND compared.models['n'] - compared.models['positives'] >= $minimum_churners
                THEN compared.models['status']
            ELSE 'insufficient'
        END AS status
    FROM landmark
    CROSS JOIN dim_journey
    LEFT JOIN responders ON responders.landmark = landmark.landmark AND responders.journey = dim_journey.journey
    LEFT JOIN scored_events
        ON scored_events.landmark = landmark.landmark AND scored_events.journey = dim_journey.journey
    LEFT JOIN compared ON compared.landmark = landmark.landmark AND compared.journey = dim_journey.journey
),

figure AS (
    SELECT
        judged.landmark,
        judged.landmark_period,
        judged.is_counted,
        judged.is_matured,
        judged.journey,
        judged.status,
        CASE status
            WHEN 'ok' THEN CASE WHEN models['penalized']
                THEN 'scores tell some of who left without error, so the models carry Firth''s penalty' END
            WHEN 'not_matured' THEN 'the outcome window is not over or it is not yet known who left'
            WHEN 'insufficient' THEN 'too few customers with both scores, or too few of them who left or stayed'
                || CASE WHEN left_out > 0
                    THEN ', without those of ' || dropped_controls || ', of whom all left or all stayed' ELSE '' END
            WHEN 'separation' THEN 'segment, tenure and which touchpoints were answered about tell already who left'
            WHEN 'singular' THEN 'the scores cannot be told apart from each other or from segment and tenure'
            WHEN 'not_converged' THEN 'a model did not converge'
        END AS reason,
        judged.responders,
        judged.churners,
        judged.left_out,
        judged.dropped_controls,
        judged.scored_events,
        CASE WHEN status = 'ok' THEN models['controls_r2'] END AS controls_r2,
        CASE WHEN status = 'ok' THEN models['first_r2'] END AS touchpoint_r2,
        CASE WHEN status = 'ok' THEN models['second_r2'] END AS journey_r2,
        CASE WHEN status = 'ok' THEN models['both_r2'] END AS both_r2,
        CASE WHEN status = 'ok' THEN models['controls_auc'] END AS controls_auc,
        CASE WHEN status = 'ok' THEN models['first_auc'] END AS touchpoint_auc,
        CASE WHEN status = 'ok' THEN models['second_auc'] END AS journey_auc,
        CASE WHEN status = 'ok' THEN models['both_auc'] END AS both_auc,
        CASE WHEN status = 'ok' THEN models['auc_difference'] END AS auc_difference,
        CASE WHEN status = 'ok' THEN models['auc_difference_lower'] END AS auc_difference_lower,
        CASE WHEN status = 'ok' THEN models['auc_difference_upper'] END AS auc_difference_upper,
        CASE WHEN status = 'ok' THEN models['second_beyond_first_statistic'] END AS journey_beyond_touchpoint_statistic,
        CASE WHEN status = 'ok' THEN models['second_beyond_first_df'] END AS journey_beyond_touchpoint_df,
        CASE WHEN status = 'ok' THEN models['second_beyond_first_p_value'] END AS journey_beyond_touchpoint_p_value,
        CASE WHEN status = 'ok' THEN models['first_beyond_second_statistic'] END AS touchpoint_beyond_journey_statistic,
        CASE WHEN status = 'ok' THEN models['first_beyond_second_df'] END AS touchpoint_beyond_journey_df,
        CASE WHEN status = 'ok' THEN models['first_beyond_second_p_value'] END AS touchpoint_beyond_journey_p_value
    FROM judged
),

-- A family of tests is the journeys of a landmark.
tested AS (
    SELECT
        figure.*,
        benjamini_hochberg(journey_beyond_touchpoint_p_value) OVER (PARTITION BY landmark)
            AS journey_beyond_touchpoint_q_value,
        benjamini_hochberg(touchpoint_beyond_journey_p_value) OVER (PARTITION BY landmark)
            AS touchpoint_beyond_journey_q_value
    FROM figure
)

SELECT
    tested.landmark,
    tested.landmark_period,
    tested.journey,
    tested.status,
    tested.reason,
    CASE WHEN tested.is_counted THEN tested.responders END AS responders,
    CASE WHEN tested.is_matured THEN tested.churners END AS churners,
    CASE WHEN tested.is_matured THEN tested.left_out END AS left_out_responders,
    tested.dropped_controls,
    tested.scored_events,
    tested.controls_r2,
    tested.touchpoint_r2,
    tested.journey_r2,
    tested.both_r2,
    tested.controls_auc,
    tested.touchpoint_auc,
    tested.journey_auc,
    tested.both_auc,
    tested.auc_difference,
    tested.auc_difference_lower,
    tested.auc_difference_upper,
    tested.journey_beyond_touchpoint_statistic,
    tested.journey_beyond_touchpoint_df,
    tested.journey_beyond_touchpoint_p_value,
    tested.journey_beyond_touchpoint_q_value,
    tested.touchpoint_beyond_journey_statistic,
    tested.touchpoint_beyond_journey_df,
    tested.touchpoint_beyond_journey_p_value,
    tested.touchpoint_beyond_journey_q_value,
    CASE
        WHEN tested.status <> 'ok' THEN NULL
        WHEN tested.journey_beyond_touchpoint_q_value < $false_discovery_rate AND tested.auc_difference_lower > 0
            THEN 'journey'
        WHEN tested.touchpoint_beyond_journey_q_value < $false_discovery_rate AND tested.auc_difference_upper < 0
            THEN 'touchpoints'
        ELSE 'undecided'
    END AS verdict,
    link.journey_satisfaction_customers,
    link.journey_satisfaction_link,
    link.journey_satisfaction_link_lower,
    link.journey_satisfaction_link_upper,
    link.satisfaction_lowest_customers,
    link.satisfaction_lowest_churners,
    link.satisfaction_highest_customers,
    link.satisfaction_highest_churners,
    link.satisfaction_rate_ratio,
    link.satisfaction_rate_ratio_lower,
    link.satisfaction_rate_ratio_upper,
    CASE
        WHEN NOT tested.is_matured THEN 'the outcome window is not over or it is not yet known who left'
        WHEN link.landmark IS NULL THEN 'nobody answered about the journey'
        ELSE link.satisfaction_reason
    END AS satisfaction_reason
FROM tested
LEFT JOIN journey_satisfaction_link AS link ON link.landmark = tested.landmark AND link.journey = tested.journey
ORDER BY landmark, journey
