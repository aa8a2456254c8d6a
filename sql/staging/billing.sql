-- One row: a bill. From: invoices, whose contract keeps one currency. Key: invoice_id.
SELECT
    invoice_id,
    customer_id,
    issued_at AS billed_at,
    amount
FROM invoices
