-- One row: a touchpoint, an interaction of a customer with the company, whatever system recorded it (SEMANTICS 1).
-- From: calls, visits, messages, tickets, surveys (about tickets), invoices, web_events through identity_links.
-- Key: touchpoint_id, prefixed by its source.
-- known_at: from when on it is known whose touchpoint it is; for a web event the login that ties its visitor to the
-- customer. At a landmark only touchpoints known before it count (SEMANTICS 5).
-- A ticket or an invoice is one touchpoint for each thing that happened to it, each at its own time; what happens at or
-- after $as_of has not happened yet. Every branch is a projection, so rows stream through; the two joins build on the
-- small side, logins and ticket surveys.
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
    answer.satisfaction,
    -- As of its closing; a ticket that is opened again is a touchpoint of its own.
    TRUE,
    (CAST(ticket.closed_at AS BIGINT) - CAST(ticket.opened_at AS BIGINT)) / 1e6,
    4.0,
    'tickets'
FROM tickets AS ticket
LEFT JOIN (
    -- One answer a ticket: the latest, so that a repeated survey cannot double the touchpoint.
    SELECT
        touchpoint_ref AS ticket_id,
        customer_id,
        first_value((score - scale_min) / (scale_max - scale_min) ORDER BY answered_at DESC, survey_id) AS satisfaction
    FROM surveys
    WHERE kind = 'transaction' AND touchpoint_source = 'tickets'
    GROUP BY touchpoint_ref, customer_id
) AS answer
    ON answer.ticket_id = ticket.ticket_id
    AND answer.customer_id = ticket.customer_id
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
