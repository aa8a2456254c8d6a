-- One row: how employees of a department score a journey in a quarter, beside what its customers say.
-- From: employee_views, fct_journey_performance (all segments, quarters). Key: journey, function, period_start.
WITH view_of_quarter AS (
    SELECT
        journey,
        "function",
        date_trunc('quarter', submitted_at) AS period_start,
        count(score) AS employee_responses,
        CAST(sum(CAST(score AS DECIMAL(38, 18))) AS DOUBLE) / nullif(count(score), 0) AS employee_satisfaction
    FROM employee_views
    GROUP BY journey, "function", date_trunc('quarter', submitted_at)
),

theme AS (
    SELECT
        journey,
        "function",
        date_trunc('quarter', submitted_at) AS period_start,
        theme,
        count(*) AS theme_mentions,
        row_number() OVER (
            PARTITION BY journey, "function", date_trunc('quarter', submitted_at)
            ORDER BY count(*) DESC, theme
        ) AS place
    FROM employee_views
    WHERE theme IS NOT NULL
    GROUP BY journey, "function", date_trunc('quarter', submitted_at), theme
)

SELECT
    view_of_quarter.journey,
    view_of_quarter."function",
    view_of_quarter.period_start,
    view_of_quarter.period_start + INTERVAL '3 months' AS period_end,
    to_char(view_of_quarter.period_start, '%Y') || '-Q'
        || CAST(date_part('quarter', view_of_quarter.period_start) AS VARCHAR) AS period,
    view_of_quarter.employee_responses,
    view_of_quarter.employee_satisfaction,
    coalesce(customer.journey_responses, 0) AS journey_responses,
    customer.journey_satisfaction,
    customer.touchpoint_satisfaction,
    view_of_quarter.employee_satisfaction - customer.journey_satisfaction AS employee_customer_gap,
    theme.theme AS main_theme,
    coalesce(theme.theme_mentions, 0) AS main_theme_mentions
FROM view_of_quarter
LEFT JOIN fct_journey_performance AS customer
    ON customer.journey = view_of_quarter.journey
    AND customer.segment = 'all'
    AND customer.period_kind = 'quarter'
    AND customer.period_start = view_of_quarter.period_start
LEFT JOIN theme
    ON theme.journey = view_of_quarter.journey
    AND theme."function" = view_of_quarter."function"
    AND theme.period_start = view_of_quarter.period_start
    AND theme.place = 1
ORDER BY view_of_quarter.journey, view_of_quarter."function", view_of_quarter.period_start
