-- One row: a customer in a quarter with what was billed and how satisfied the customer was (SEMANTICS 6).
-- From: billing, touchpoints, survey_answers, dim_customer. Key: customer_id, period_start.
-- Every quarter in which a customer was billed or answered. A value on the line between low and high is high.
--
-- The lines are the medians of the first mature quarter, kept from then on: were they redrawn, half of the accounts
-- would be dissatisfied in every quarter, however satisfaction falls. It is the first quarter since $start that is over
-- and in which at least $minimum_line_accounts accounts were billed and answered. With $account_lines = 'per_period'
-- each quarter has its own medians; $account_revenue_line and $account_satisfaction_line above 0 replace them.
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
median_of_period AS (
    SELECT
        period_start,
        count(*) FILTER (WHERE invoices > 0 AND satisfaction IS NOT NULL) AS accounts,
        median(revenue) FILTER (WHERE invoices > 0 AND satisfaction IS NOT NULL) AS revenue,
        median(satisfaction) FILTER (WHERE invoices > 0 AND satisfaction IS NOT NULL) AS satisfaction
    FROM account
    GROUP BY period_start
),

first_mature AS (
    SELECT
        median_of_period.*,
        min(
            CASE WHEN period_start >= $start
                AND period_start + INTERVAL '3 months' <= $as_of
                AND accounts >= $minimum_line_accounts
            THEN period_start END
        ) OVER () AS first_mature_start
    FROM median_of_period
),

line AS (
    SELECT
        period_start,
        CASE WHEN $account_lines = 'per_period' THEN period_start ELSE first_mature_start END AS drawn_in,
        CASE WHEN $account_lines = 'per_period' THEN revenue
            ELSE max(CASE WHEN period_start = first_mature_start THEN revenue END) OVER () END AS revenue,
        CASE WHEN $account_lines = 'per_period' THEN satisfaction
            ELSE max(CASE WHEN period_start = first_mature_start THEN satisfaction END) OVER () END AS satisfaction
    FROM first_mature
),

lined AS (
    SELECT
        account.*,
        line.drawn_in,
        CASE WHEN $account_revenue_line > 0 THEN CAST($account_revenue_line AS DOUBLE) ELSE line.revenue END
            AS revenue_line,
        CASE WHEN $account_satisfaction_line > 0 THEN CAST($account_satisfaction_line AS DOUBLE)
            ELSE line.satisfaction END AS satisfaction_line
    FROM account
    LEFT JOIN line ON line.period_start = account.period_start
)

SELECT
    lined.customer_id,
    lined.period_start,
    lined.period_start + INTERVAL '3 months' AS period_end,
    to_char(lined.period_start, '%Y') || '-Q' || CAST(date_part('quarter', lined.period_start) AS VARCHAR) AS period,
    coalesce(spell.segment, 'unknown') AS segment,
    lined.invoices,
    lined.revenue,
    lined.revenue_line,
    lined.responses,
    lined.satisfaction,
    lined.satisfaction_line,
    CASE WHEN $account_revenue_line <= 0 OR $account_satisfaction_line <= 0
        THEN to_char(lined.drawn_in, '%Y') || '-Q' || CAST(date_part('quarter', lined.drawn_in) AS VARCHAR)
    END AS lines_period,
    CASE
        WHEN lined.satisfaction IS NULL THEN 'not_asked'
        WHEN lined.revenue_line IS NULL OR lined.satisfaction_line IS NULL THEN 'no_lines'
        WHEN lined.revenue >= lined.revenue_line AND lined.satisfaction >= lined.satisfaction_line THEN 'model'
        WHEN lined.satisfaction >= lined.satisfaction_line THEN 'growth'
        WHEN lined.revenue >= lined.revenue_line THEN 'at_risk'
        ELSE 'dangling'
    END AS quadrant
FROM lined
LEFT JOIN dim_customer AS spell
    ON spell.customer_id = lined.customer_id
    AND (spell.valid_from IS NULL OR lined.period_start >= spell.valid_from)
    AND (spell.valid_until IS NULL OR lined.period_start < spell.valid_until)
