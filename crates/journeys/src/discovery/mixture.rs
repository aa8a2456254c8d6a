//! Where lengths of time fall into short ones and long ones.
//!
//! Two normal distributions of the logarithm are fitted by expectation and maximization; the lengths at which a short
//! and a long one are equally likely is the criterion: to split behaviour into bouts, log-transform the intervals
//! (Tolkamp and Kyriazakis 1999, Animal Behaviour 57:811). Two are taken only where there is a dip between them and the
//! two fit better than one by the Bayesian information criterion (Schwarz 1978).

use crate::discovery::bins::{BINS, limits};

/// Fewer lengths say nothing about their distribution.
const FEWEST: f64 = 50.0;
/// The means are at least so many standard deviations apart: D of Ashman, Bird and Zepf (1994).
const LEAST_SEPARATION: f64 = 2.0;
/// Each of the two holds at least this share of the lengths.
const LEAST_WEIGHT: f64 = 0.005;
/// In the dip the density is at most this share of the lower of the two peaks.
const DEEPEST_DIP: f64 = 0.8;
const ROUNDS: usize = 200;
/// A distribution is not narrower than this, in natural logarithms: about two bins.
const NARROWEST: f64 = 0.15;

/// Numbers of lengths by bin.
pub(crate) type Histogram = [f64; BINS + 1];

#[derive(Debug, Clone, Copy)]
struct Normal {
    weight: f64,
    mean: f64,
    deviation: f64,
}

impl Normal {
    fn density(&self, at: f64) -> f64 {
        let z = (at - self.mean) / self.deviation;
        self.weight * (-0.5 * z * z).exp() / (self.deviation * (2.0 * std::f64::consts::PI).sqrt())
    }

    /// Of the lengths with these shares in each bin.
    fn of(logs: &[f64], numbers: &[f64], all: f64) -> Option<Self> {
        let weight: f64 = numbers.iter().sum();
        if weight <= 0.0 {
            return None;
        }
        let mean = logs.iter().zip(numbers).map(|(log, number)| log * number).sum::<f64>() / weight;
        let spread = logs.iter().zip(numbers).map(|(log, number)| number * (log - mean).powi(2)).sum::<f64>() / weight;
        Some(Self { weight: weight / all, mean, deviation: spread.sqrt().max(NARROWEST) })
    }
}

/// The length above which one is rather of the long ones; `None` where there is one kind only. Lengths of the bins
/// before `from` are left out.
pub(crate) fn long_from(histogram: &Histogram, from: usize) -> Option<i64> {
    let limits = limits();
    let logs: Vec<f64> = limits[from..].iter().map(|limit| (*limit as f64).ln()).collect();
    let numbers: Vec<f64> = histogram[from..BINS].to_vec();
    let all: f64 = numbers.iter().sum();
    if all < FEWEST {
        return None;
    }
    let one = Normal::of(&logs, &numbers, all)?;
    let likelihood = |parts: &[Normal]| -> f64 {
        let density = |log: f64| parts.iter().map(|part| part.density(log)).sum::<f64>().max(f64::MIN_POSITIVE);
        logs.iter().zip(&numbers).filter(|(_, n)| **n > 0.0).map(|(log, number)| number * density(*log).ln()).sum()
    };
    let fits = [0.5, 0.75, 0.9, 0.98].into_iter().filter_map(|share| two(&logs, &numbers, all, share));
    let best = fits.map(|pair| (likelihood(&pair), pair)).max_by(|left, right| left.0.total_cmp(&right.0))?;
    let (both, [short, long]) = best;
    // Three parameters more.
    let better = 2.0 * (both - likelihood(&[one])) > 3.0 * all.ln();
    let apart = std::f64::consts::SQRT_2 * (long.mean - short.mean) / short.deviation.hypot(long.deviation);
    if !better || apart < LEAST_SEPARATION || short.weight.min(long.weight) < LEAST_WEIGHT {
        return None;
    }
    let between = |log: &f64| (short.mean..long.mean).contains(log);
    let (place, log) =
        logs.iter().enumerate().find(|(_, log)| between(log) && long.density(**log) >= short.density(**log))?;
    let density = |at: f64| short.density(at) + long.density(at);
    let lower_peak = density(short.mean).min(density(long.mean));
    let lowest = logs.iter().filter(|log| between(log)).map(|log| density(*log)).fold(density(*log), f64::min);
    (lowest <= DEEPEST_DIP * lower_peak).then(|| limits[from + place])
}

/// Fits two, beginning with those below and above the length that a share of all does not exceed.
fn two(logs: &[f64], numbers: &[f64], all: f64, share: f64) -> Option<[Normal; 2]> {
    let mut below = 0.0;
    let mut of_short: Vec<f64> = Vec::with_capacity(numbers.len());
    for number in numbers {
        of_short.push(if below < share * all { 1.0 } else { 0.0 });
        below += number;
    }
    let mut pair: Option<[Normal; 2]> = None;
    for _ in 0..ROUNDS {
        let short: Vec<f64> = numbers.iter().zip(&of_short).map(|(number, share)| number * share).collect();
        let long: Vec<f64> = numbers.iter().zip(&of_short).map(|(number, share)| number * (1.0 - share)).collect();
        let (short, long) = (Normal::of(logs, &short, all)?, Normal::of(logs, &long, all)?);
        for (of_short, log) in of_short.iter_mut().zip(logs) {
            let (near, far) = (short.density(*log), long.density(*log));
            *of_short = if near + far > 0.0 { near / (near + far) } else { f64::from(u8::from(*log < long.mean)) };
        }
        pair = Some([short, long]);
    }
    pair.filter(|[short, long]| short.mean < long.mean)
}

#[cfg(test)]
mod tests {
    use super::{Histogram, long_from};
    use crate::discovery::bins::{BINS, bin_of, limits};
    use crate::discovery::lengths::{DAY, HOUR};

    fn histogram(lengths: impl Iterator<Item = i64>) -> Histogram {
        let limits = limits();
        let mut histogram = [0.0; BINS + 1];
        lengths.for_each(|length| histogram[bin_of(&limits, length)] += 1.0);
        histogram
    }

    /// Exponential gaps by their quantiles.
    fn exponential(mean: i64, number: usize) -> impl Iterator<Item = i64> {
        (0..number).map(move |place| (-(mean as f64) * ((place as f64 + 0.5) / number as f64).ln()) as i64)
    }

    #[test]
    fn hours_inside_and_months_between_are_told_apart() {
        let gaps = exponential(5 * HOUR, 4000).chain(exponential(90 * DAY, 1000));
        let silence = long_from(&histogram(gaps), 0).expect("two kinds");
        assert!((DAY..=20 * DAY).contains(&silence), "{} hours", silence / HOUR);
    }

    #[test]
    fn gaps_of_one_kind_have_no_silence() {
        assert_eq!(long_from(&histogram(exponential(10 * DAY, 5000)), 0), None);
        assert_eq!(long_from(&histogram((0..5000).map(|n| DAY + n * HOUR)), 0), None);
    }
}
