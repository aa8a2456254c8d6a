-- One row: the days on which leaving is looked at, from first_day to the one before until_day. From: $start, $as_of.
-- In the place of the library's, because the example's data end at $data_until, whatever day it is run on.
SELECT
    date_trunc('day', $start + $exposure_horizon + INTERVAL '1 day' - INTERVAL '1 microsecond') AS first_day,
    date_trunc('day', least($as_of, $data_until) - $churn_reporting_delay) AS until_day
