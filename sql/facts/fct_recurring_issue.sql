-- One row: a topic in a quarter with its contacts, how many were repeats, and what most often came before (SEMANTICS
-- 6).
-- From: topic_contact. Key: topic, period_start.
WITH contact AS (
    SELECT
        customer_id,
        date_trunc('quarter', occurred_at) AS period_start,
        event,
        topic,
        cost,
        is_contact,
        is_repeat,
        upstream_event,
        upstream_channel
    FROM topic_contact
),

-- A ticket opened again counts for its topic even in a quarter without an assisted contact.
reopened AS (
    SELECT topic, period_start, count(*) AS reopened_tickets
    FROM contact
    WHERE event = 'ticket_reopened'
    GROUP BY topic, period_start
),

contacted AS (
    SELECT
        topic,
        period_start,
        count(*) AS contacts,
        count(*) FILTER (WHERE is_repeat) AS repeat_contacts,
        count(DISTINCT customer_id) AS customers,
        count(DISTINCT customer_id) FILTER (WHERE is_repeat) AS repeat_customers,
        CAST(sum(CAST(cost AS DECIMAL(38, 18))) AS DOUBLE) AS cost,
        CAST(sum(CAST(cost AS DECIMAL(38, 18))) FILTER (WHERE is_repeat) AS DOUBLE) AS repeat_cost
    FROM contact
    WHERE is_contact
    GROUP BY topic, period_start
),

issue AS (
    SELECT
        coalesce(contacted.topic, reopened.topic) AS topic,
        coalesce(contacted.period_start, reopened.period_start) AS period_start,
        coalesce(contacted.contacts, 0) AS contacts,
        coalesce(contacted.repeat_contacts, 0) AS repeat_contacts,
        CAST(contacted.repeat_contacts AS DOUBLE) / contacted.contacts AS repeat_contact_rate,
        coalesce(reopened.reopened_tickets, 0) AS reopened_tickets,
        coalesce(contacted.customers, 0) AS customers,
        coalesce(contacted.repeat_customers, 0) AS repeat_customers,
        contacted.cost,
        contacted.repeat_cost
    FROM contacted
    FULL JOIN reopened ON reopened.topic = contacted.topic AND reopened.period_start = contacted.period_start
),

-- A quarter without an issue of the topic has no row, so the row before counts only when it is of the quarter before.
compared AS (
    SELECT
        issue.*,
        CASE WHEN lag(period_start) OVER topic_order + INTERVAL '3 months' = period_start
            THEN repeat_contact_rate - lag(repeat_contact_rate) OVER topic_order
        END AS repeat_contact_rate_change
    FROM issue
    WINDOW topic_order AS (PARTITION BY topic ORDER BY period_start)
),

upstream AS (
    SELECT
        topic,
        period_start,
        upstream_event,
        upstream_channel,
        count(*) AS upstream_contacts,
        sum(count(*)) OVER (PARTITION BY topic, period_start) AS first_contacts,
        row_number() OVER (
            PARTITION BY topic, period_start
            ORDER BY count(*) DESC, upstream_event, upstream_channel
        ) AS place
    FROM contact
    WHERE is_contact AND NOT is_repeat
    GROUP BY topic, period_start, upstream_event, upstream_channel
)

SELECT
    issue.topic,
    issue.period_start,
    issue.period_start + INTERVAL '3 months' AS period_end,
    to_char(issue.period_start, '%Y') || '-Q' || CAST(date_part('quarter', issue.period_start) AS VARCHAR) AS period,
    issue.contacts,
    issue.repeat_contacts,
    issue.repeat_contact_rate,
    issue.repeat_contact_rate_change,
    issue.reopened_tickets,
    issue.customers,
    issue.repeat_customers,
    issue.cost,
    issue.repeat_cost,
    upstream.upstream_event,
    upstream.upstream_channel,
    upstream.upstream_contacts,
    CAST(upstream.first_contacts AS BIGINT) AS first_contacts,
    CAST(upstream.upstream_contacts AS DOUBLE) / upstream.first_contacts AS upstream_share
FROM compared AS issue
LEFT JOIN upstream
    ON upstream.topic = issue.topic
    AND upstream.period_start = issue.period_start
    AND upstream.place = 1
WHERE issue.repeat_contacts > 0 OR issue.reopened_tickets > 0
ORDER BY issue.topic, issue.period_start
