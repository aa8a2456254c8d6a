//! How long customers are silent between episodes, whatever the touchpoints are about.
//!
//! The gaps of all customers say where short ones end and long ones begin (`mixture`). But a long gap may lie inside an
//! episode as well: the night before the next working day, the wait for a technician. What tells them apart is what
//! stands on both sides. A customer's first touchpoint begins an episode and the last one ends it, so a gap between two
//! episodes has before it what customers end with, and after it what they begin with; a gap inside has neither. Of the
//! criteria that the mixture offers, shortest first, the first is taken that passes this.

use crate::discovery::bins::{BINS, bin_of, limits};
use crate::discovery::lengths::{DAY, HOUR, MINUTE};
use crate::discovery::log::{TouchpointLog, Unit};
use crate::discovery::mixture::{Histogram, long_from};

/// At least this share of what stands beside the gaps is as at the begin (or the end) of customers: one minus the
/// total variation distance of the two distributions.
const LEAST_ALIKE: f64 = 0.6;
/// So many criteria are tried.
const MOST_TRIED: usize = 4;
/// Customers are in sight for at most this share of the log's time, in the middle, when each is taken for one case.
const SHORT_LIVED: f64 = 0.1;

/// What the gaps of whole customers came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// A longer gap lies between two episodes.
    Longer(i64),
    /// No gap does: all that a customer does lies close together, and is one case.
    OneCase,
    /// Contacts overlap or come evenly; what a silence is depends on what it is about.
    None,
}

/// Reads the silence between episodes from the gaps of `log`.
pub(crate) fn silence(log: &TouchpointLog) -> Silence {
    let limits = limits();
    let mut histogram: Histogram = [0.0; BINS + 1];
    for unit in log.each_unit() {
        gaps(&unit).for_each(|(_, gap)| histogram[bin_of(&limits, gap)] += 1.0);
    }
    // Where times are days, several steps on one day say nothing about silence.
    let mut from = bin_of(&limits, resolution(log));
    for _ in 0..MOST_TRIED {
        let Some(criterion) = long_from(&histogram, from) else { break };
        if Sides::of(log, criterion).are_alike() {
            return Silence::Longer(criterion);
        }
        from = bin_of(&limits, criterion) + 1;
    }
    if is_short_lived(log) { Silence::OneCase } else { Silence::None }
}

/// The length that all times of the log are multiples of: a day, an hour, a minute, or nothing as long.
fn resolution(log: &TouchpointLog) -> i64 {
    let is_of = |unit: i64| log.each_unit().all(|touchpoints| touchpoints.at.iter().all(|at| at % unit == 0));
    [DAY, HOUR, MINUTE].into_iter().find(|unit| is_of(*unit)).unwrap_or(0)
}

/// The longest gap that does not stand out, of each unit: 99.5 % of the gaps are shorter.
pub(crate) fn longest_usual_gap(log: &TouchpointLog) -> i64 {
    let limits = limits();
    let mut histogram: Histogram = [0.0; BINS + 1];
    let mut longest = 0;
    for unit in log.each_unit() {
        for (_, gap) in gaps(&unit) {
            histogram[bin_of(&limits, gap)] += 1.0;
            longest = longest.max(gap);
        }
    }
    let all: f64 = histogram.iter().sum();
    let mut shorter = 0.0;
    for (bin, limit) in limits.iter().enumerate() {
        shorter += histogram[bin];
        if shorter >= 0.995 * all {
            return (*limit).min(longest);
        }
    }
    longest
}

/// Each gap of a unit with the row before it.
fn gaps<'a>(unit: &'a Unit<'_>) -> impl Iterator<Item = (usize, i64)> + 'a {
    unit.at.windows(2).enumerate().map(|(row, pair)| (row, pair[1] - pair[0]))
}

/// Which activities stand beside long gaps, and at the begin and the end of customers.
struct Sides {
    before: Vec<f64>,
    after: Vec<f64>,
    first: Vec<f64>,
    last: Vec<f64>,
}

impl Sides {
    fn of(log: &TouchpointLog, criterion: i64) -> Self {
        let none = || vec![0.0; log.activity_count()];
        let mut sides = Self { before: none(), after: none(), first: none(), last: none() };
        for unit in log.each_unit() {
            let (Some(&first), Some(&last)) = (unit.activity.first(), unit.activity.last()) else { continue };
            sides.first[first as usize] += 1.0;
            sides.last[last as usize] += 1.0;
            for (row, _) in gaps(&unit).filter(|(_, gap)| *gap > criterion) {
                sides.before[unit.activity[row] as usize] += 1.0;
                sides.after[unit.activity[row + 1] as usize] += 1.0;
            }
        }
        sides
    }

    fn are_alike(&self) -> bool {
        alike(&self.after, &self.first) >= LEAST_ALIKE && alike(&self.before, &self.last) >= LEAST_ALIKE
    }
}

/// The share that two distributions have in common.
fn alike(left: &[f64], right: &[f64]) -> f64 {
    let (of_left, of_right) = (left.iter().sum::<f64>().max(1.0), right.iter().sum::<f64>().max(1.0));
    left.iter().zip(right).map(|(left, right)| (left / of_left).min(right / of_right)).sum()
}

/// Whether most customers are in sight for a small part of the log's time only.
pub(crate) fn is_short_lived(log: &TouchpointLog) -> bool {
    let mut spans: Vec<i64> =
        log.each_unit().filter_map(|unit| Some(unit.at.last()? - unit.at.first()?)).filter(|span| *span > 0).collect();
    spans.sort_unstable();
    let whole = log.end().saturating_sub(log.begin());
    spans.get(spans.len() / 2).is_some_and(|middle| *middle as f64 <= SHORT_LIVED * whole as f64)
}
