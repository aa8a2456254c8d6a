-- One row: a touchpoint, an interaction of a customer with the company, whatever system recorded it (SEMANTICS 1).
-- From: calls, visits, messages, tickets, invoices, web_events through identity_links, and touchpoint_answer (surveys).
-- Key: touchpoint_id, prefixed by its source.
-- known_at: from when on it is known whose touchpoint it is; for a web event the login that ties its visitor to the
-- customer. At a landmark only touchpoints known before it count (SEMANTICS 5).
-- satisfaction: the latest answer to a survey that names the touchpoint, given within 30 days, whatever source it is
-- from; else the rating that the source itself keeps. Later answers are counted in unplaced_answers: 30 days is how far
-- back a nightly run makes touchpoints anew (`reach` of fct_journey_touchpoint), and a rebuild has to agree with it.
-- A ticket or an invoice is one touchpoint for each thing that happened to it, each at its own time; what happens at or
-- after $as_of has not happened yet. Every branch is a projection, so rows stream through; the two joins build on the
-- small side, logins and answers.
WITH touchpoint AS (
    SELECT
        'call-' || CAST(call_id AS VARCHAR) AS touchpoint_id,
        customer_id,
        started_at AS occurred_at,
        started_at AS known_at,
        'phone' AS channel,
        disposition AS event,
        topic,
        CASE queue WHEN 'general' THEN 'customer-service' ELSE queue END AS function,
        (CAST(rating AS DOUBLE) - 1) / 4 AS satisfaction,
        resolved,
        (CAST(ended_at AS BIGINT) - CAST(started_at AS BIGINT)) / 1e6 AS duration_s,
        handling_cost AS cost,
        'calls' AS source
    FROM calls

    UNION ALL

    SELECT
        'visit-' || visit_id,
        customer_id,
        started_at,
        started_at AS known_at,
        'field',
        outcome,
        CASE visit_type WHEN 'repair' THEN 'repair' WHEN 'move' THEN 'move' ELSE 'installation' END,
        'field-service',
        (CAST(rating AS DOUBLE) - 1) / 4,
        CAST(NULL AS BOOLEAN),
        (CAST(finished_at AS BIGINT) - CAST(started_at AS BIGINT)) / 1e6,
        cost,
        'visits'
    FROM visits

    UNION ALL

    -- A visitor's events belong to the customer of its first login at or after them.
    SELECT
        'web-' || CAST(event.event_id AS VARCHAR),
        link.customer_id,
        event.occurred_at,
        link.linked_at AS known_at,
        event.device,
        event.action,
        event.topic,
        'digital',
        CAST(NULL AS DOUBLE),
        CAST(NULL AS BOOLEAN),
        CAST(NULL AS DOUBLE),
        0.02,
        'web_events'
    FROM web_events AS event
    INNER JOIN identity_links AS link
        ON link.visitor_id = event.visitor_id
        AND event.occurred_at >= link.claims_from
        AND event.occurred_at > link.previous_login_at
        AND event.occurred_at <= link.linked_at

    UNION ALL

    SELECT
        'message-' || message_id,
        customer_id,
        sent_at,
        sent_at AS known_at,
        medium,
        template,
        topic,
        department,
        (CAST(rating AS DOUBLE) - 1) / 4,
        CAST(NULL AS BOOLEAN),
        CAST(NULL AS DOUBLE),
        CASE medium WHEN 'chat' THEN 2.4 WHEN 'mail' THEN 0.95 ELSE 0.01 END,
        'messages'
    FROM messages

    UNION ALL

    -- The customer hears of a ticket by e-mail.
    SELECT
        'ticket-' || ticket_id || '-opened',
        customer_id,
        opened_at,
        opened_at AS known_at,
        'email',
        opened_event,
        category,
        department,
        CAST(NULL AS DOUBLE),
        CAST(NULL AS BOOLEAN),
        CAST(NULL AS DOUBLE),
        1.5,
        'tickets'
    FROM tickets

    UNION ALL

    SELECT
        'ticket-' || ticket.ticket_id || '-closed',
        ticket.customer_id,
        ticket.closed_at,
        ticket.closed_at AS known_at,
        'email',
        ticket.closed_event,
        ticket.category,
        ticket.department,
        CAST(NULL AS DOUBLE),
        ticket.reopened_at IS NULL OR ticket.reopened_at >= $as_of,
        (CAST(ticket.closed_at AS BIGINT) - CAST(ticket.opened_at AS BIGINT)) / 1e6,
        4.0,
        'tickets'
    FROM tickets AS ticket
    WHERE ticket.closed_at < $as_of

    UNION ALL

    SELECT
        'ticket-' || ticket_id || '-reopened',
        customer_id,
        reopened_at,
        reopened_at AS known_at,
        'email',
        'ticket_reopened',
        category,
        department,
        CAST(NULL AS DOUBLE),
        FALSE,
        CAST(NULL AS DOUBLE),
        1.5,
        'tickets'
    FROM tickets
    WHERE reopened_at < $as_of

    UNION ALL

    SELECT
        'invoice-' || invoice_id || '-issued',
        customer_id,
        issued_at,
        issued_at AS known_at,
        'mail',
        'bill_issued',
        'bill',
        'billing',
        CAST(NULL AS DOUBLE),
        CAST(NULL AS BOOLEAN),
        CAST(NULL AS DOUBLE),
        0.95,
        'invoices'
    FROM invoices

    UNION ALL

    SELECT
        'invoice-' || invoice_id || '-paid',
        customer_id,
        paid_at,
        paid_at AS known_at,
        'web',
        'bill_paid',
        'payment',
        'billing',
        CAST(NULL AS DOUBLE),
        TRUE,
        CAST(NULL AS DOUBLE),
        0.10,
        'invoices'
    FROM invoices
    WHERE paid_at < $as_of
)

SELECT
    touchpoint.touchpoint_id,
    touchpoint.customer_id,
    touchpoint.occurred_at,
    touchpoint.known_at,
    touchpoint.channel,
    touchpoint.event,
    touchpoint.topic,
    touchpoint.function,
    coalesce(answer.score, touchpoint.satisfaction) AS satisfaction,
    touchpoint.resolved,
    touchpoint.duration_s,
    touchpoint.cost,
    touchpoint.source
FROM touchpoint_answer AS answer
RIGHT JOIN touchpoint
    ON answer.touchpoint_id = touchpoint.touchpoint_id
    AND answer.customer_id = touchpoint.customer_id
    AND answer.answered_at <= touchpoint.occurred_at + INTERVAL '30 days'
    AND (answer.answered_again_at IS NULL
        OR answer.answered_again_at > touchpoint.occurred_at + INTERVAL '30 days')
