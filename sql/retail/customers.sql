-- One row: a spell of a household as a customer. From: baskets, demographics. Key: customer_id, joined_at.
--
-- Lapse. Nobody tells a grocer that he leaves. A household has churned at the instant it has bought nothing for $lapse:
-- churned_at = last basket + $lapse, whether or not it comes back; a basket at or after that opens a new spell. So the
-- past alone says, at every instant, who has lapsed, and the pipeline's reporting delay is 0.
-- But whoever has stopped buying still counts as a customer for $lapse. At a landmark such households cannot have
-- started a journey lately and are about to lapse: every journey made of baskets would look as if it kept customers
-- (with churn_gap 0, trying another store had odds of lapse of 0.06 in March). Hence the pipeline's churn_gap is
-- $lapse: it compares households that bought at least once more from the landmark on, by whether they bought for the
-- last time in the churn_horizon after it. That is known $lapse after the horizon, which is when a landmark matures.
-- A spell whose $lapse is not over at $as_of has not churned.
--
-- The data begin in the middle of most households' custom, so joined_at is then the first basket seen, and tenure is
-- time in sight. 'segment' is shopping days in the spell's first 28 days, 'new' until they are over; journeys hold it
-- against landmarks after them (their `eligible`). It is there to compare like with like: who shops rarely both lapses
-- more and is on fewer journeys. Demographics are known for 801 households; the source does not date them.
WITH spell AS (
    SELECT
        customer_id,
        spell,
        min(occurred_at) AS joined_at,
        max(occurred_at) AS last_basket_at,
        min(known_since) AS known_since
    FROM baskets
    GROUP BY customer_id, spell
),

first_weeks AS (
    SELECT
        baskets.customer_id,
        baskets.spell,
        count(DISTINCT date_trunc('day', baskets.occurred_at)) AS shopping_days
    FROM baskets
    INNER JOIN spell ON spell.customer_id = baskets.customer_id AND spell.spell = baskets.spell
    WHERE baskets.occurred_at < spell.joined_at + INTERVAL '28 days'
    GROUP BY baskets.customer_id, baskets.spell
)

SELECT
    spell.customer_id,
    spell.joined_at,
    CASE WHEN spell.last_basket_at + $lapse < $as_of THEN spell.last_basket_at + $lapse END AS churned_at,
    -- Nobody is lost from sight but by lapse.
    arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS lost_at,
    -- The source dates no attribute: one row a spell.
    spell.joined_at AS valid_from,
    CASE
        WHEN spell.joined_at + INTERVAL '28 days' > $as_of THEN 'new'
        WHEN first_weeks.shopping_days >= 8 THEN 'twice_a_week'
        WHEN first_weeks.shopping_days >= 4 THEN 'weekly'
        WHEN first_weeks.shopping_days >= 2 THEN 'occasional'
        ELSE 'once'
    END AS segment,
    -- mart_analyst asks for a region; a household is tied to none.
    CAST(NULL AS VARCHAR) AS region,
    spell.known_since,
    demographics.age,
    demographics.income,
    demographics.household_size,
    demographics.kids_count
FROM spell
INNER JOIN first_weeks ON first_weeks.customer_id = spell.customer_id AND first_weeks.spell = spell.spell
LEFT JOIN demographics ON CAST(demographics.household_id AS VARCHAR) = spell.customer_id
