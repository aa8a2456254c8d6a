-- One row: how the satisfaction with a journey that was known before a landmark goes with leaving after it (SEMANTICS
-- 5). From: journey_responder. Key: landmark, journey.
-- The rate ratio compares leavers a day followed of the third that scored lowest with the third that scored highest, so
-- whoever was lost from sight in the outcome window counts until then. The correlation is of score and leaving, 0 or 1,
-- of those followed to the end.
WITH responder AS (
    SELECT
        landmark,
        journey,
        journey_satisfaction AS score,
        churned,
        followed_days,
        row_number() OVER (PARTITION BY landmark, journey ORDER BY journey_satisfaction) AS place,
        count(*) OVER (PARTITION BY landmark, journey) AS customers
    FROM journey_responder
    -- Null until the landmark has matured.
    WHERE followed_days IS NOT NULL
),

-- The scores at which the lowest and the highest third end. Who scores the same is in the same third, so thirds may be
-- larger than their name. Where both end at one score, they are those below it and those above it.
third AS (
    SELECT
        landmark,
        journey,
        max(CASE WHEN place = (customers + 2) / 3 THEN score END) AS lowest_until,
        max(CASE WHEN place = customers + 1 - (customers + 2) / 3 THEN score END) AS highest_from
    FROM responder
    GROUP BY landmark, journey
),

placed AS (
    SELECT
        responder.landmark,
        responder.journey,
        responder.score,
        responder.churned,
        CAST(responder.followed_days AS DECIMAL(38, 12)) AS days,
        CASE
            WHEN third.lowest_until = third.highest_from AND responder.score = third.lowest_until THEN NULL
            WHEN responder.score <= third.lowest_until THEN 'lowest'
            WHEN responder.score >= third.highest_from THEN 'highest'
        END AS third
    FROM responder
    INNER JOIN third ON third.landmark = responder.landmark AND third.journey = responder.journey
),

-- Decimal sums, so the order of the rows does not matter.
figure AS (
    SELECT
        landmark,
        journey,
        correlation(score, CAST(churned AS DOUBLE), $confidence) AS link,
        count(*) FILTER (WHERE third = 'lowest') AS lowest_customers,
        count(*) FILTER (WHERE third = 'lowest' AND churned) AS lowest_churners,
        CAST(sum(days) FILTER (WHERE third = 'lowest') AS DOUBLE) AS lowest_days,
        count(*) FILTER (WHERE third = 'highest') AS highest_customers,
        count(*) FILTER (WHERE third = 'highest' AND churned) AS highest_churners,
        CAST(sum(days) FILTER (WHERE third = 'highest') AS DOUBLE) AS highest_days
    FROM placed
    GROUP BY landmark, journey
),

compared AS (
    SELECT
        figure.*,
        rate_ratio(lowest_churners, lowest_days, highest_churners, highest_days, $confidence) AS ratio
    FROM figure
)

SELECT
    landmark,
    journey,
    link['n'] AS journey_satisfaction_customers,
    link['estimate'] AS journey_satisfaction_link,
    link['lower'] AS journey_satisfaction_link_lower,
    link['upper'] AS journey_satisfaction_link_upper,
    lowest_customers AS satisfaction_lowest_customers,
    lowest_churners AS satisfaction_lowest_churners,
    highest_customers AS satisfaction_highest_customers,
    highest_churners AS satisfaction_highest_churners,
    ratio['estimate'] AS satisfaction_rate_ratio,
    ratio['lower'] AS satisfaction_rate_ratio_lower,
    ratio['upper'] AS satisfaction_rate_ratio_upper,
    CASE
        WHEN lowest_customers = 0 OR highest_customers = 0 THEN 'too many gave the same score'
        WHEN lowest_churners = 0 THEN 'nobody of the lowest third left'
        WHEN highest_churners = 0 THEN 'nobody of the highest third left'
    END AS satisfaction_reason
FROM compared
