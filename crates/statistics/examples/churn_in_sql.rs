//! The statistics of churn as functions of plain SQL.
//!
//! A company asks which of two journeys makes customers leave: those who had a bill disputed, or those who paid one by
//! hand. Leaving may as well depend on who the customers are, so they are counted in strata, groups of like customers,
//! with and without the journey, who left and who stayed:
//!
//!     cargo run --example churn_in_sql
#![allow(clippy::print_stdout, reason = "an example prints")]

use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use throughline_statistics::{aggregate_functions, register, scalar_functions, window_functions};

/// a, b: on the journey and left, stayed; c, d: not on it and left, stayed.
const STRATA: &str = "
CREATE TABLE strata (journey VARCHAR, segment VARCHAR, a BIGINT, b BIGINT, c BIGINT, d BIGINT) AS VALUES
    ('billing_dispute', 'value',    45,  255, 180, 1920),
    ('billing_dispute', 'premium',  12,  188,  60, 1940),
    ('paying_by_hand',  'value',   150, 1350, 100,  900),
    ('paying_by_hand',  'premium',   9,  291,  51, 1649)";

const QUESTIONS: [(&str, &str); 4] = [
    (
        "How many left? Shares with their 95 % intervals (Wilson), stratum by stratum",
        "SELECT journey, segment, a + b AS exposed,
                round(100 * on_it['estimate'], 1) AS left_pct,
                round(100 * on_it['lower'], 1) AS lower, round(100 * on_it['upper'], 1) AS upper,
                round(100 * off_it['estimate'], 1) AS others_pct
         FROM (SELECT *, wilson(a, a + b) AS on_it, wilson(c, c + d) AS off_it FROM strata)
         ORDER BY journey, segment",
    ),
    (
        "Is it the journey, or who is on it? Crude odds ratio beside the one among like customers (Mantel-Haenszel)",
        "SELECT journey, round(crude['estimate'], 2) AS crude, round(adjusted['odds_ratio'], 2) AS adjusted,
                round(adjusted['lower'], 2) AS lower, round(adjusted['upper'], 2) AS upper,
                round(adjusted['homogeneity_p_value'], 2) AS strata_alike_p
         FROM (SELECT journey, odds_ratio(sum(a), sum(b), sum(c), sum(d)) AS crude, mantel_haenszel(a, b, c, d) AS adjusted
               FROM strata GROUP BY journey)
         ORDER BY journey",
    ),
    (
        "How many customers is that, if the journey is the cause, and how sure after two tests? (Benjamini-Hochberg)",
        "SELECT journey, round(excess['estimate'], 1) AS excess_churners, round(excess['lower'], 1) AS lower,
                round(excess['upper'], 1) AS upper, round(p_value, 6) AS p_value,
                round(benjamini_hochberg(p_value) OVER (), 6) AS q_value
         FROM (SELECT journey, excess_churners(a, b, c, d) AS excess, mantel_haenszel(a, b, c, d)['p_value'] AS p_value
               FROM strata GROUP BY journey)
         ORDER BY journey",
    ),
    (
        "The same customers one by one: does the dispute tell who leaves beyond the segment? (logistic regression)",
        "WITH cell AS (
             SELECT segment = 'value' AS is_value, true AS on_it, true AS has_left, a AS customers FROM strata
             WHERE journey = 'billing_dispute'
             UNION ALL SELECT segment = 'value', true, false, b FROM strata WHERE journey = 'billing_dispute'
             UNION ALL SELECT segment = 'value', false, true, c FROM strata WHERE journey = 'billing_dispute'
             UNION ALL SELECT segment = 'value', false, false, d FROM strata WHERE journey = 'billing_dispute'
         ),
         customer AS (SELECT is_value, on_it, has_left, unnest(range(customers)) AS number FROM cell),
         fit AS (
             SELECT logistic_fit(has_left, is_value) AS segment_alone, logistic_fit(has_left, is_value, on_it) AS with_journey
             FROM customer
         )
         SELECT with_journey['n'] AS customers, round(exp(with_journey['coefficients'][3]), 2) AS odds_ratio,
                round(segment_alone['auc'], 3) AS auc_segment, round(with_journey['auc'], 3) AS auc_with_journey,
                likelihood_ratio_test(segment_alone['log_likelihood'], with_journey['log_likelihood'], 1)['p_value'] < 0.001
                    AS is_beyond_chance
         FROM fit",
    ),
];

#[tokio::main]
async fn main() -> Result<()> {
    let session = SessionContext::new();
    register(&session);
    session.sql(STRATA).await?.collect().await?;
    for (question, sql) in QUESTIONS {
        println!("{question}\n{}\n", session.sql(sql).await?.to_string().await?);
    }

    println!(
        "All functions; `documentation()` says of each what it returns, where it comes from and what happens at the edges:"
    );
    let scalars = scalar_functions();
    let aggregates = aggregate_functions();
    let windows = window_functions();
    let documented = scalars.iter().filter_map(|function| function.documentation());
    let documented = documented.chain(aggregates.iter().filter_map(|function| function.documentation()));
    let documented = documented.chain(windows.iter().filter_map(|function| function.documentation()));
    for documentation in documented {
        println!("  {}", documentation.syntax_example);
    }
    Ok(())
}
