//! Figures of one row of counts or log-likelihoods.

use super::{
    parameters::{Description, Kind, Parameter},
    scalar_figure::Figure,
};
use crate::{
    distributions::{Confidence, normal_quantile},
    logistic::likelihood_ratio_test,
    proportion::{Estimate, wilson},
    two_by_two::{Cells, odds_ratio, phi, risk_difference, risk_ratio},
};

const CELLS: &[Parameter] = &[
    Parameter { name: "a", kind: Kind::Count, meaning: "Exposed customers who churned" },
    Parameter { name: "b", kind: Kind::Count, meaning: "Exposed customers who stayed" },
    Parameter { name: "c", kind: Kind::Count, meaning: "Unexposed customers who churned" },
    Parameter { name: "d", kind: Kind::Count, meaning: "Unexposed customers who stayed" },
];

static WILSON: Description = Description {
    name: "wilson",
    syntax: "wilson(successes, trials[, level])",
    text: "A proportion in 0..1 with its score interval, as struct{estimate, lower, upper} (Wilson 1927). Null without \
           trials, with more successes than trials, or for values that are no counts.",
    example: "SELECT wilson(12, 80)['lower'];",
    parameters: &[
        Parameter { name: "successes", kind: Kind::Count, meaning: "Trials with the outcome" },
        Parameter { name: "trials", kind: Kind::Count, meaning: "All trials" },
    ],
    takes_level: true,
};
static RISK_DIFFERENCE: Description = Description {
    name: "risk_difference",
    syntax: "risk_difference(a, b, c, d[, level])",
    text: "Churn rate of the exposed less that of the unexposed, in shares (-1..1), with the hybrid score interval, as \
           struct{estimate, lower, upper} (Newcombe 1998, method 10). Null when an arm is empty.",
    example: "SELECT risk_difference(30, 70, 20, 180);",
    parameters: CELLS,
    takes_level: true,
};
static PHI: Description = Description {
    name: "phi",
    syntax: "phi(a, b, c, d[, level])",
    text: "Correlation of exposure and churn, -1..1, as struct{estimate, lower, upper}: Pearson's correlation of the two \
           0/1 columns. Limits are those of risk_difference times √(n1·n0/(m1·(N−m1))), the factor that turns the risk \
           difference into phi; they may reach beyond ±1. Null when a margin is empty.",
    example: "SELECT phi(30, 70, 20, 180)['estimate'];",
    parameters: CELLS,
    takes_level: true,
};
static ODDS_RATIO: Description = Description {
    name: "odds_ratio",
    syntax: "odds_ratio(a, b, c, d[, level])",
    text: "Odds of churn of the exposed over those of the unexposed with the Wald interval on the log scale, as \
           struct{estimate, lower, upper} (Woolf 1955). Null when a cell is empty.",
    example: "SELECT odds_ratio(30, 70, 20, 180);",
    parameters: CELLS,
    takes_level: true,
};
static RISK_RATIO: Description = Description {
    name: "risk_ratio",
    syntax: "risk_ratio(a, b, c, d[, level])",
    text: "Churn rate of the exposed over that of the unexposed with the Wald interval on the log scale, as \
           struct{estimate, lower, upper} (Katz 1978). Null when nobody churned in one of the arms.",
    example: "SELECT risk_ratio(30, 70, 20, 180);",
    parameters: CELLS,
    takes_level: true,
};
static NORMAL_QUANTILE: Description = Description {
    name: "normal_quantile",
    syntax: "normal_quantile(p)",
    text: "The p-quantile of the standard normal distribution (Wichura 1988, AS 241). Null outside (0, 1).",
    example: "SELECT normal_quantile(0.975);",
    parameters: &[Parameter { name: "p", kind: Kind::Probability, meaning: "Probability below the quantile" }],
    takes_level: false,
};
static LIKELIHOOD_RATIO_TEST: Description = Description {
    name: "likelihood_ratio_test",
    syntax: "likelihood_ratio_test(ll_small, ll_big, df)",
    text: "Twice the gain in log-likelihood of the bigger of two nested models fitted to the same rows, with its χ² tail \
           probability, as struct{statistic, p_value} (Wilks 1938). Null when the bigger model fits worse, or unless df \
           is a whole number from 1 to 100000.",
    example: "SELECT likelihood_ratio_test(-120.5, -117.2, 2)['p_value'];",
    parameters: &[
        Parameter { name: "ll_small", kind: Kind::Number, meaning: "Log-likelihood of the smaller model" },
        Parameter { name: "ll_big", kind: Kind::Number, meaning: "Log-likelihood of the bigger model" },
        Parameter { name: "df", kind: Kind::Count, meaning: "Coefficients that only the bigger model has" },
    ],
    takes_level: false,
};

/// The functions with what they compute.
pub(crate) fn figures() -> Vec<(&'static Description, Figure)> {
    vec![
        (&WILSON, Figure::Estimate(|row, confidence| wilson(row[0], row[1], confidence))),
        (&RISK_DIFFERENCE, Figure::Estimate(|row, confidence| of_table(row, confidence, risk_difference))),
        (&PHI, Figure::Estimate(|row, confidence| of_table(row, confidence, phi))),
        (&ODDS_RATIO, Figure::Estimate(|row, confidence| of_table(row, confidence, odds_ratio))),
        (&RISK_RATIO, Figure::Estimate(|row, confidence| of_table(row, confidence, risk_ratio))),
        (&NORMAL_QUANTILE, Figure::Number(|row| normal_quantile(row[0]))),
        (&LIKELIHOOD_RATIO_TEST, Figure::Test(|row| likelihood_ratio_test(row[0], row[1], whole_number(row[2])?))),
    ]
}

fn of_table(
    row: &[f64],
    confidence: Confidence,
    figure: fn(&Cells, Confidence) -> Option<Estimate>,
) -> Option<Estimate> {
    figure(&Cells::new(row[0], row[1], row[2], row[3])?, confidence)
}

/// A count without a fraction that every float up to it can hold.
fn whole_number(value: f64) -> Option<u64> {
    (value.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&value)).then_some(value as u64)
}
