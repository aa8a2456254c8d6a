-- One row: a journey instance with what an analyst would join to it: the journey, the customer's spell, the calendar.
-- From: fct_journey, dim_journey, dim_customer (the spell at the start of the instance). Key: journey_id.
SELECT
    fct_journey.journey_id,
    fct_journey.journey,
    dim_journey.label,
    dim_journey.owner,
    dim_journey.importance,
    fct_journey.customer_id,
    spell.spell,
    coalesce(spell.segment, 'unknown') AS segment,
    spell.region,
    spell.joined_at,
    spell.churned_at,
    spell.lost_at,
    spell.membership,
    (CAST(fct_journey.started_at AS BIGINT) - CAST(spell.joined_at AS BIGINT)) / 86400e6 AS tenure_days_at_start,
    -- For description only: who is compared with whom is settled at landmarks, in fct_key_journeys.
    CASE WHEN spell.churned_at >= fct_journey.last_at
        THEN (CAST(spell.churned_at AS BIGINT) - CAST(fct_journey.last_at AS BIGINT)) / 86400e6
    END AS days_from_last_to_churn,
    fct_journey.started_at,
    CAST(date_trunc('day', fct_journey.started_at) AS DATE) AS started_on,
    to_char(fct_journey.started_at, '%Y-%m') AS started_month,
    to_char(fct_journey.started_at, '%Y') || '-Q' || CAST(date_part('quarter', fct_journey.started_at) AS VARCHAR)
        AS started_quarter,
    fct_journey.last_at,
    fct_journey.ended_at,
    fct_journey.status,
    fct_journey.duration_s,
    fct_journey.touchpoints,
    fct_journey.channels,
    fct_journey.is_multichannel,
    fct_journey.channel_switches,
    fct_journey.functions,
    fct_journey.handoffs,
    fct_journey.contacts,
    fct_journey.repeat_contacts,
    fct_journey.first_channel,
    fct_journey.last_channel,
    fct_journey.unresolved,
    fct_journey.cost,
    fct_journey.touchpoint_satisfaction,
    fct_journey.touchpoint_responses,
    fct_journey.worst_touchpoint_satisfaction,
    fct_journey.all_satisfied,
    fct_journey.journey_satisfaction,
    fct_journey.journey_responses,
    fct_journey.satisfaction_gap,
    fct_journey.satisfaction_start,
    fct_journey.satisfaction_end,
    fct_journey.satisfaction_points,
    fct_journey.satisfaction_change
FROM dim_customer AS spell
-- The join holds its first relation in memory and lets the second stream by.
RIGHT JOIN fct_journey
    ON spell.customer_id = fct_journey.customer_id
    AND (spell.valid_from IS NULL OR fct_journey.started_at >= spell.valid_from)
    AND (spell.valid_until IS NULL OR fct_journey.started_at < spell.valid_until)
INNER JOIN dim_journey ON dim_journey.journey = fct_journey.journey
