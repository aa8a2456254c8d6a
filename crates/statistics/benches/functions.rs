//! Rows a second through the statistics as SQL functions, in one partition.

use datafusion::prelude::{SessionConfig, SessionContext};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

/// Rows of a relation that stands for counts, strata or observations.
const ROWS: usize = 200_000;

/// Counts `a` to `d` that vary, a score, an outcome it explains a little, a time and a p value.
const OBSERVATIONS: &str = "
    CREATE TABLE observation AS
    SELECT
        i, 1 + i % 97 AS a, 1 + i % 193 AS b, 1 + i % 89 AS c, 1 + i % 211 AS d,
        CAST(i % 1009 AS DOUBLE) / 1009 AS score,
        CAST(i % 503 AS DOUBLE) / 503 AS other,
        (i * 7919 % 1013) < 300 + i % 1009 / 4 AS outcome,
        CAST(1 + i % 90 AS DOUBLE) AS days,
        CAST(1 + i * 7919 % 100003 AS DOUBLE) / 100004 AS p_value
    FROM (SELECT unnest(generate_series(1, 200000)) AS i)";

fn main() {
    divan::main();
}

#[divan::bench(args = [
    "SELECT max(wilson(a, a + b)['upper']) FROM observation",
    "SELECT max(risk_difference(a, b, c, d)['upper']) FROM observation",
    "SELECT mantel_haenszel(a, b, c, d) FROM observation",
    "SELECT excess_churners(a, b, c, d) FROM observation",
    "SELECT max(lower_limit(rate_difference(a, 1000 * a, c, 1000 * d))) FROM observation WHERE a < 10",
    "SELECT excess_leavers(a, 1000 * b, c, 1000 * d) FROM observation",
    "SELECT joint_rate_ratios(a, 1000 * b, [CAST(c % 6 AS VARCHAR), CAST(d % 24 AS VARCHAR)], [CAST(i % 9 AS VARCHAR)], NULL) FROM observation",
    "SELECT auc_difference(score, other, outcome) FROM observation",
    "SELECT correlation(score, CAST(outcome AS INT)) FROM observation",
    "SELECT auc(score, outcome) FROM observation",
    "SELECT logistic_fit(outcome, score, other) FROM observation",
    "SELECT max(q) FROM (SELECT benjamini_hochberg(p_value) OVER () AS q FROM observation)",
], sample_count = 5, sample_size = 1)]
fn function(bencher: Bencher<'_, '_>, query: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    throughline_statistics::register(&context);
    let run = |query: &str| {
        runtime.block_on(async { context.sql(query).await.expect("planned").collect().await.expect("ran") })
    };
    run(OBSERVATIONS);
    bencher.counter(ItemsCount::new(ROWS)).bench(|| black_box(run(query)));
}
