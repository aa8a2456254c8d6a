-- One row: the days that count, whole days in UTC from first_day to the one before until_day (SEMANTICS 5).
-- From: $start, $as_of. Before first_day nobody's state is known, since touchpoints are read from $start on; from
-- until_day on the register may not have learnt yet who left.
SELECT
    date_trunc('day', $start + $exposure_horizon + INTERVAL '1 day' - INTERVAL '1 microsecond') AS first_day,
    date_trunc('day', $as_of - $churn_reporting_delay) AS until_day
