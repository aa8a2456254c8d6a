-- One row: what a journey is to reach. There are none: the grocer's goals are not known. From: nothing. Key: journey,
-- measure.
SELECT
    CAST(NULL AS VARCHAR) AS journey,
    CAST(NULL AS VARCHAR) AS measure,
    CAST(NULL AS DOUBLE) AS target
WHERE FALSE
