-- One row: a spell of a household as a customer from valid_from on, the day since which its attributes hold. From:
-- baskets, demographics. Key: customer_id, joined_at, valid_from.
--
-- Nobody tells a grocer that he leaves; silence does. A household that buys nothing for $lapse left with its last
-- basket, whether or not it comes back; a basket at or after that opens a new spell. So churned_at is the last
-- basket, and it is learnt $lapse later, which is the pipeline's churn_reporting_delay: the days that count are
-- those on which it is known by now of every household whether it bought again. Were churned_at the end of the
-- silence, every journey made of baskets would look as if it kept customers, for whoever has just bought is not
-- about to be silent long enough. A spell whose $lapse is not over at $as_of has not churned. A household seen once
-- only, or on one day only, has no day at risk.
--
-- The data begin in the middle of most households' custom, so joined_at is then the first basket seen, and tenure is
-- time in sight. 'segment' is shopping days in the spell's first 28 days. It is known when they are over and holds
-- from then on; until then it is 'new', since who leaves within them would otherwise be told by it. It is there to
-- compare like with like: who shops rarely both lapses more and is on fewer journeys. Demographics are known for 801
-- households; the source does not date them. Nobody gives notice, nobody is lost from sight but by silence, and a
-- household is tied to no region: notice_at, lost_at and region are left out.
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
),

version AS (
    SELECT
        customer_id,
        spell,
        joined_at AS valid_from,
        'new' AS segment
    FROM spell

    UNION ALL

    SELECT
        spell.customer_id,
        spell.spell,
        spell.joined_at + INTERVAL '28 days' AS valid_from,
        CASE
            WHEN first_weeks.shopping_days >= 8 THEN 'twice_a_week'
            WHEN first_weeks.shopping_days >= 4 THEN 'weekly'
            WHEN first_weeks.shopping_days >= 2 THEN 'occasional'
            ELSE 'once'
        END AS segment
    FROM spell
    INNER JOIN first_weeks ON first_weeks.customer_id = spell.customer_id AND first_weeks.spell = spell.spell
    WHERE spell.joined_at + INTERVAL '28 days' <= $as_of
)

SELECT
    spell.customer_id,
    spell.joined_at,
    CASE WHEN spell.last_basket_at + $lapse < $as_of THEN spell.last_basket_at END AS churned_at,
    version.valid_from,
    version.segment,
    spell.known_since,
    demographics.age,
    demographics.income,
    demographics.household_size,
    demographics.kids_count
FROM spell
INNER JOIN version ON version.customer_id = spell.customer_id AND version.spell = spell.spell
LEFT JOIN demographics ON CAST(demographics.household_id AS VARCHAR) = spell.customer_id
