//! Pearson's correlation with the interval of Fisher's z.

use crate::{distributions::Confidence, exact_sum::ExactSum, proportion::Estimate};

/// Values beyond this size have no correlation here: their squares would leave the range in which sums are exact.
pub const LARGEST_VALUE: f64 = 1e100;
/// Values below this size count as 0, for the same reason.
pub const SMALLEST_VALUE: f64 = 1e-100;

/// The five sums of a correlation, exact, so that any order and any split of the rows gives the same bits.
///
/// Welford's and Chan's updates are as stable, but their last bits depend on the order of the rows, and an
/// incremental run has to equal a full rebuild. Uncentred sums would cancel; exact ones cannot.
#[derive(Debug, Clone, Default)]
pub struct CorrelationSums {
    /// Pairs seen.
    pub n: u64,
    /// Whether a value beyond [`LARGEST_VALUE`] was seen.
    pub overflowed: bool,
    /// Σx, Σy, Σx², Σxy, Σy².
    pub sums: [ExactSum; 5],
}

impl CorrelationSums {
    /// Adds one pair of finite values.
    pub fn add(&mut self, x: f64, y: f64) {
        self.n += 1;
        if x.abs() > LARGEST_VALUE || y.abs() > LARGEST_VALUE {
            self.overflowed = true;
            return;
        }
        let [x, y] = [x, y].map(|value| if value.abs() < SMALLEST_VALUE { 0.0 } else { value });
        let [sum_x, sum_y, sum_xx, sum_xy, sum_yy] = &mut self.sums;
        sum_x.add(x);
        sum_y.add(y);
        sum_xx.add_product(x, x);
        sum_xy.add_product(x, y);
        sum_yy.add_product(y, y);
    }

    /// Adds the pairs of another set.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.overflowed |= other.overflowed;
        for (sum, other) in self.sums.iter_mut().zip(&other.sums) {
            sum.merge(other);
        }
    }

    /// r with limits tanh(atanh r ∓ z/√(n − 3)) (Fisher 1921).
    ///
    /// `None` below two pairs, when x or y does not vary, or after an overflow. Up to three pairs say nothing about
    /// the spread of r: the limits are −1 and 1.
    pub fn estimate(&self, confidence: Confidence) -> Option<Estimate> {
        if self.n < 2 || self.overflowed {
            return None;
        }
        let n = self.n as f64;
        let [x, y, xx, xy, yy] = &self.sums;
        let (spread_x, spread_y) = (ExactSum::centred(n, xx, x, x), ExactSum::centred(n, yy, y, y));
        if spread_x <= 0.0 || spread_y <= 0.0 {
            return None;
        }
        let r = (ExactSum::centred(n, xy, x, y) / spread_x.sqrt() / spread_y.sqrt()).clamp(-1.0, 1.0);
        if self.n <= 3 {
            return Estimate::finite(r, -1.0, 1.0);
        }
        let (centre, reach) = (r.atanh(), confidence.z() / (n - 3.0).sqrt());
        Estimate::finite(r, (centre - reach).tanh(), (centre + reach).tanh())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn correlation(pairs: &[(f64, f64)]) -> Option<Estimate> {
        let mut sums = CorrelationSums::default();
        pairs.iter().for_each(|(x, y)| sums.add(*x, *y));
        sums.estimate(Confidence::new(0.95).unwrap())
    }

    #[test]
    fn a_large_offset_takes_no_digit() {
        let near = [(1.0, 2.0), (2.0, 1.0), (3.0, 5.0), (4.0, 3.0), (5.0, 8.0)];
        let far = near.map(|(x, y)| (x + 4_503_599_627_370_496.0, y - 1_048_576.0));
        assert_eq!(correlation(&near), correlation(&far));
    }

    #[test]
    fn what_does_not_vary_or_overflows_has_no_correlation() {
        assert_eq!(correlation(&[]), None);
        assert_eq!(correlation(&[(1.0, 2.0)]), None);
        assert_eq!(correlation(&[(0.1, 2.0), (0.1, 3.0), (0.1, 4.0)]), None);
        assert_eq!(correlation(&[(1e308, 2.0), (1.0, 3.0), (2.0, 4.0)]), None);
    }

    #[test]
    fn a_line_is_one_with_the_limits_it_can_have() {
        let line = correlation(&[(1.0, 2.0), (2.0, 4.0), (3.0, 6.0), (4.0, 8.0)]).unwrap();
        assert_eq!((line.estimate, line.lower, line.upper), (1.0, 1.0, 1.0));
        assert_eq!(correlation(&[(1.0, 2.0), (2.0, 5.0)]).unwrap().lower, -1.0);
    }
}
