-- One row: a customer in a quarter with what was billed and how satisfied the customer was (SEMANTICS 6).
-- From: billing, touchpoints, survey_answers, dim_customer. Key: customer_id, period_start.
-- Every quarter in which a customer was billed or answered. Lines between high and low are the quarter's medians, or
-- $account_revenue_line and $account_satisfaction_line where these are above 0; a value on the line is high.
WITH billed AS (
    SELECT
        customer_id,
        date_trunc('quarter', billed_at) AS period_start,
        count(*) AS invoices,
        CAST(sum(CAST(amount AS DECIMAL(38, 18))) AS DOUBLE) AS revenue
    FROM billing
    GROUP BY customer_id, date_trunc('quarter', billed_at)
),

score AS (
    SELECT customer_id, occurred_at AS scored_at, satisfaction AS score
    FROM touchpoints
    WHERE satisfaction IS NOT NULL
    UNION ALL
    -- Answers about one touchpoint are the touchpoints' satisfaction already.
    SELECT customer_id, answered_at AS scored_at, score
    FROM survey_answers
    WHERE kind <> 'transaction' AND score IS NOT NULL
),

answered AS (
    SELECT
        customer_id,
        date_trunc('quarter', scored_at) AS period_start,
        count(*) AS responses,
        CAST(sum(CAST(score AS DECIMAL(38, 18))) AS DOUBLE) / count(*) AS satisfaction
    FROM score
    GROUP BY customer_id, date_trunc('quarter', scored_at)
),

account AS (
    SELECT
        coalesce(billed.customer_id, answered.customer_id) AS customer_id,
        coalesce(billed.period_start, answered.period_start) AS period_start,
        coalesce(billed.invoices, 0) AS invoices,
        coalesce(billed.revenue, 0.0) AS revenue,
        coalesce(answered.responses, 0) AS responses,
        answered.satisfaction
    FROM billed
    FULL JOIN answered
        ON answered.customer_id = billed.customer_id
        AND answered.period_start = billed.period_start
),

-- Accounts with both sides known draw the lines, so that those without an answer do not move them.
line AS (
    SELECT
        period_start,
        CASE WHEN $account_revenue_line > 0 THEN CAST($account_revenue_line AS DOUBLE) ELSE median(revenue) END
            AS revenue_line,
        CASE WHEN $account_satisfaction_line > 0 THEN CAST($account_satisfaction_line AS DOUBLE)
            ELSE median(satisfaction) END AS satisfaction_line
    FROM account
    WHERE satisfaction IS NOT NULL
    GROUP BY period_start
)

SELECT
    account.customer_id,
    account.period_start,
    account.period_start + INTERVAL '3 months' AS period_end,
    to_char(account.period_start, '%Y') || '-Q' || CAST(date_part('quarter', account.period_start) AS VARCHAR)
        AS period,
    coalesce(spell.segment, 'unknown') AS segment,
    account.invoices,
    account.revenue,
    line.revenue_line,
    account.responses,
    account.satisfaction,
    line.satisfaction_line,
    CASE
        WHEN account.satisfaction IS NULL THEN 'not_asked'
        WHEN account.revenue >= line.revenue_line AND account.satisfaction >= line.satisfaction_line THEN 'model'
        WHEN account.satisfaction >= line.satisfaction_line THEN 'growth'
        WHEN account.revenue >= line.revenue_line THEN 'at_risk'
        ELSE 'dangling'
    END AS quadrant
FROM account
LEFT JOIN line ON line.period_start = account.period_start
LEFT JOIN dim_customer AS spell
    ON spell.customer_id = account.customer_id
    AND (spell.valid_from IS NULL OR account.period_start >= spell.valid_from)
    AND (spell.valid_until IS NULL OR account.period_start < spell.valid_until)
