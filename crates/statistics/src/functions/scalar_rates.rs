//! Figures of one row of rates, means or ratios.

use super::{
    parameters::{Description, Kind, Parameter},
    scalar_figure::Figure,
};
use crate::{
    distributions::Confidence,
    person_time::e_value,
    proportion::Estimate,
    rates::{PersonTime, churn_correlation, poisson_rate, rate_difference, rate_ratio},
    welch::{Sample, welch_difference},
};

const A: Parameter = Parameter { name: "a", kind: Kind::Count, meaning: "Leavers while exposed" };
const N1: Parameter = Parameter { name: "n1", kind: Kind::Duration, meaning: "Exposed person-days" };
const C: Parameter = Parameter { name: "c", kind: Kind::Count, meaning: "Leavers while unexposed" };
const N0: Parameter = Parameter { name: "n0", kind: Kind::Duration, meaning: "Unexposed person-days" };

static POISSON_RATE: Description = Description {
    name: "poisson_rate",
    syntax: "poisson_rate(events, time[, level])",
    text: "Events a unit of time at risk with exact Poisson limits, as struct{estimate, lower, upper} (Garwood 1936). Give \
           person-days / 90 as time for a rate in 90 days. Null without time at risk and for values that are no counts.",
    example: "SELECT poisson_rate(81, 90000 / 90.0)['upper'];",
    parameters: &[
        Parameter { name: "events", kind: Kind::Count, meaning: "Events, such as leavers" },
        Parameter { name: "time", kind: Kind::Duration, meaning: "Time at risk, in the unit the rate is wanted in" },
    ],
    takes_level: true,
};
static RATE_RATIO: Description = Description {
    name: "rate_ratio",
    syntax: "rate_ratio(a, n1, c, n0[, level])",
    text: "Rate of leaving of the exposed over that of the unexposed with the Wald interval on the log scale, SE \
           √(1/a + 1/c), as struct{estimate, lower, upper}. Null when nobody left in one of the arms.",
    example: "SELECT rate_ratio(30, 1000, 40, 2000);",
    parameters: &[A, N1, C, N0],
    takes_level: true,
};
static RATE_DIFFERENCE: Description = Description {
    name: "rate_difference",
    syntax: "rate_difference(a, n1, c, n0[, level])",
    text: "Rate of leaving of the exposed less that of the unexposed, a person-day, with limits recovered from the exact \
           Poisson ones of both (MOVER, Zou and Donner 2008), as struct{estimate, lower, upper}. Null when an arm has no \
           day at risk.",
    example: "SELECT rate_difference(30, 1000, 40, 2000)['lower'];",
    parameters: &[A, N1, C, N0],
    takes_level: true,
};
static CHURN_CORRELATION: Description = Description {
    name: "churn_correlation",
    syntax: "churn_correlation(a, n1, c, n0, horizon[, level])",
    text: "Correlation of being exposed with leaving within the horizon at these rates, -1..1, as struct{estimate, lower, \
           upper}: with p = 1 - exp(-horizon·rate), π = n1/N and p̄ = π·p1 + (1 - π)·p0, (p1 - p0)·√(π(1 - π)/(p̄(1 - p̄))). \
           Limits are those of p1 - p0 (MOVER of the exact Poisson ones, Zou and Donner 2008) times the same factor; they \
           may reach beyond ±1. Null when an arm has no day at risk, when nobody left and unless the horizon is above 0.",
    example: "SELECT churn_correlation(30, 1000, 40, 2000, 90)['estimate'];",
    parameters: &[
        A,
        N1,
        C,
        N0,
        Parameter { name: "horizon", kind: Kind::Duration, meaning: "Days within which leaving counts" },
    ],
    takes_level: true,
};
static E_VALUE: Description = Description {
    name: "e_value",
    syntax: "e_value(ratio)",
    text: "How strongly a cause that nobody sees would have to be linked with both exposure and leaving, as a ratio, to \
           explain this ratio away: RR + √(RR(RR - 1)), with 1/RR below 1 (VanderWeele and Ding 2017). At least 1. For a \
           limit give the one nearer to 1, or 1 when the interval holds 1. Null unless the ratio is above 0.",
    example: "SELECT e_value(1.5);",
    parameters: &[Parameter { name: "ratio", kind: Kind::Positive, meaning: "Ratio of rates or risks" }],
    takes_level: false,
};
static WELCH_DIFFERENCE: Description = Description {
    name: "welch_difference",
    syntax: "welch_difference(mean1, variance1, n1, mean2, variance2, n2[, level])",
    text: "Difference of two means, first less second, without the assumption of equal variances, as struct{estimate, \
           lower, upper}; limits from Student's t at the degrees of freedom of Satterthwaite (Welch 1947). Variances are \
           sample variances, as var_samp gives. Null below two values in a sample.",
    example: "SELECT welch_difference(3.1, 0.8, 120, 2.9, 0.7, 110)['lower'];",
    parameters: &[
        Parameter { name: "mean1", kind: Kind::Number, meaning: "Mean of the first sample" },
        Parameter { name: "variance1", kind: Kind::Count, meaning: "Sample variance of the first sample" },
        Parameter { name: "n1", kind: Kind::Count, meaning: "Values of the first sample" },
        Parameter { name: "mean2", kind: Kind::Number, meaning: "Mean of the second sample" },
        Parameter { name: "variance2", kind: Kind::Count, meaning: "Sample variance of the second sample" },
        Parameter { name: "n2", kind: Kind::Count, meaning: "Values of the second sample" },
    ],
    takes_level: true,
};

/// The functions with what they compute.
pub(crate) fn figures() -> Vec<(&'static Description, Figure)> {
    vec![
        (&POISSON_RATE, Figure::Estimate(|row, confidence| poisson_rate(row[0], row[1], confidence))),
        (&RATE_RATIO, Figure::Estimate(|row, confidence| of_arms(row, confidence, rate_ratio))),
        (&RATE_DIFFERENCE, Figure::Estimate(|row, confidence| of_arms(row, confidence, rate_difference))),
        (
            &CHURN_CORRELATION,
            Figure::Estimate(|row, confidence| {
                churn_correlation(&PersonTime::new(row[0], row[1], row[2], row[3])?, row[4], confidence)
            }),
        ),
        (&E_VALUE, Figure::Number(|row| e_value(row[0]))),
        (
            &WELCH_DIFFERENCE,
            Figure::Estimate(|row, confidence| {
                let sample = |at: usize| Sample { mean: row[at], variance: row[at + 1], size: row[at + 2] };
                welch_difference(sample(0), sample(3), confidence)
            }),
        ),
    ]
}

fn of_arms(
    row: &[f64],
    confidence: Confidence,
    figure: fn(&PersonTime, Confidence) -> Option<Estimate>,
) -> Option<Estimate> {
    figure(&PersonTime::new(row[0], row[1], row[2], row[3])?, confidence)
}
