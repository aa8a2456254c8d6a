-- One row: what was billed to customers on days on which they were on a journey, by stratum. There are none: this
-- example has no bills. From: nothing. Key: journey, segment, tenure_band, month.
SELECT
    CAST(NULL AS VARCHAR) AS journey,
    CAST(NULL AS VARCHAR) AS segment,
    CAST(NULL AS VARCHAR) AS tenure_band,
    arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS month,
    CAST(NULL AS DECIMAL(38, 18)) AS billed
WHERE FALSE
