-- One row: the days on which leaving is counted, from first_day to the one before until_day. From: $start, $as_of.
-- In the first 90 days of the data nobody knows who was on a journey before. The example's data end at $data_until; for
-- data that go on, write $as_of - $churn_reporting_delay in place of the whole `least`.
SELECT
    date_trunc('day', $start + $exposure_horizon + INTERVAL '1 day' - INTERVAL '1 microsecond') AS first_day,
    date_trunc('day', least($as_of, $data_until) - $churn_reporting_delay) AS until_day
