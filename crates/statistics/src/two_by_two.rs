//! Figures of one 2×2 table of exposure and churn.
//!
//! ```text
//!             churned   stayed
//! exposed        a         b      n1
//! unexposed      c         d      n0
//!               m1        m0       N
//! ```

use crate::{
    distributions::Confidence,
    proportion::{Estimate, is_count, wilson},
};

/// The four cells of a table, each finite and at least 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cells {
    /// Exposed and churned.
    pub a: f64,
    /// Exposed and stayed.
    pub b: f64,
    /// Unexposed and churned.
    pub c: f64,
    /// Unexposed and stayed.
    pub d: f64,
}

impl Cells {
    /// `None` when a cell is negative or not finite.
    pub fn new(a: f64, b: f64, c: f64, d: f64) -> Option<Self> {
        [a, b, c, d].into_iter().all(is_count).then_some(Self { a, b, c, d })
    }

    /// n1 = a + b.
    pub fn exposed(&self) -> f64 {
        self.a + self.b
    }

    /// n0 = c + d.
    pub fn unexposed(&self) -> f64 {
        self.c + self.d
    }

    /// m1 = a + c.
    pub fn churned(&self) -> f64 {
        self.a + self.c
    }

    /// m0 = b + d.
    pub fn stayed(&self) -> f64 {
        self.b + self.d
    }

    /// N, customers in all.
    pub fn total(&self) -> f64 {
        self.exposed() + self.unexposed()
    }

    /// Whether all four margins are above 0, so that the table says something about exposure and churn together.
    pub fn has_four_margins(&self) -> bool {
        [self.exposed(), self.unexposed(), self.churned(), self.stayed()].into_iter().all(|margin| margin > 0.0)
    }

    /// ad − bc without cancellation: counts around 1e9 have products beyond the 53 bits of a float.
    pub fn cross_difference(&self) -> f64 {
        // Kahan's difference of products: the rounding error of bc is recovered by a fused multiply-add.
        let bc = self.b * self.c;
        let error = (-self.b).mul_add(self.c, bc);
        self.a.mul_add(self.d, -bc) + error
    }
}

/// p1 − p0 with the hybrid score interval of Newcombe (1998, method 10): Wilson limits of both arms, combined.
///
/// In shares of customers, −1..1. `None` when an arm is empty.
pub fn risk_difference(cells: &Cells, confidence: Confidence) -> Option<Estimate> {
    let exposed = wilson(cells.a, cells.exposed(), confidence)?;
    let unexposed = wilson(cells.c, cells.unexposed(), confidence)?;
    let difference = exposed.estimate - unexposed.estimate;
    let below = (exposed.estimate - exposed.lower).hypot(unexposed.upper - unexposed.estimate);
    let above = (exposed.upper - exposed.estimate).hypot(unexposed.estimate - unexposed.lower);
    Estimate::finite(difference, difference - below, difference + above)
}

/// The correlation of exposure and churn, (ad − bc)/√(n1·n0·m1·m0), −1..1.
///
/// Its interval is the Newcombe interval of the risk difference times √(n1·n0/(m1·m0)), the factor that turns the
/// risk difference into phi; Fisher's z covers badly for a rare exposure. `None` when a margin is empty.
pub fn phi(cells: &Cells, confidence: Confidence) -> Option<Estimate> {
    if !cells.has_four_margins() {
        return None;
    }
    let (n1, n0, m1, m0) = (cells.exposed(), cells.unexposed(), cells.churned(), cells.stayed());
    // Roots of each margin rather than of their product, which overflows for counts that are harmless themselves.
    let correlation = cells.cross_difference() / (n1.sqrt() * n0.sqrt()) / (m1.sqrt() * m0.sqrt());
    let factor = (n1 / m1).sqrt() * (n0 / m0).sqrt();
    let difference = risk_difference(cells, confidence)?;
    let correlation = correlation.clamp(-1.0, 1.0);
    // Both come from the same difference, but round apart where it is next to nothing.
    let (lower, upper) = (difference.lower * factor, difference.upper * factor);
    Estimate::finite(correlation, lower.min(correlation), upper.max(correlation))
}

/// ad/(bc) with the Wald interval on the log scale (Woolf 1955), SE √(1/a + 1/b + 1/c + 1/d).
///
/// `None` with an empty cell: the ratio is then 0, infinite or undefined, and its standard error infinite.
pub fn odds_ratio(cells: &Cells, confidence: Confidence) -> Option<Estimate> {
    let Cells { a, b, c, d } = *cells;
    if [a, b, c, d].contains(&0.0) {
        return None;
    }
    let error = (1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d).sqrt();
    ratio((a / b) * (d / c), error, confidence)
}

/// p1/p0 with the Wald interval on the log scale (Katz 1978), SE √(1/a − 1/n1 + 1/c − 1/n0).
///
/// `None` when nobody churned in one of the arms. Everybody churning in an arm is no obstacle.
pub fn risk_ratio(cells: &Cells, confidence: Confidence) -> Option<Estimate> {
    let Cells { a, b, c, d } = *cells;
    if a == 0.0 || c == 0.0 {
        return None;
    }
    let (n1, n0) = (cells.exposed(), cells.unexposed());
    // 1/a − 1/n1 = (b/n1)/a, which does not cancel.
    let error = ((b / n1) / a + (d / n0) / c).sqrt();
    ratio((a / n1) / (c / n0), error, confidence)
}

/// A ratio with limits `ratio · exp(∓z·log_error)`.
pub(crate) fn ratio(ratio: f64, log_error: f64, confidence: Confidence) -> Option<Estimate> {
    let reach = (confidence.z() * log_error).exp();
    Estimate::finite(ratio, ratio / reach, ratio * reach)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence() -> Confidence {
        Confidence::new(0.95).unwrap()
    }

    #[test]
    fn an_empty_cell_leaves_no_odds_ratio_but_may_leave_a_risk_ratio() {
        let everybody_churned = Cells::new(10.0, 0.0, 5.0, 15.0).unwrap();
        assert_eq!(odds_ratio(&everybody_churned, confidence()), None);
        assert_eq!(risk_ratio(&everybody_churned, confidence()).unwrap().estimate, 4.0);
        let nobody_churned = Cells::new(0.0, 10.0, 5.0, 15.0).unwrap();
        assert_eq!(risk_ratio(&nobody_churned, confidence()), None);
    }

    #[test]
    fn the_cross_difference_keeps_its_last_digit() {
        let cells = Cells::new(999_999_999.0, 1e9, 1e9, 1_000_000_001.0).unwrap();
        assert_eq!(cells.cross_difference(), -1.0);
    }

    #[test]
    fn extreme_counts_are_undefined_rather_than_wrong() {
        let huge = Cells::new(1e308, 1e308, 1e308, 1e308).unwrap();
        assert_eq!(risk_difference(&huge, confidence()), None);
        assert_eq!(phi(&huge, confidence()), None);
        assert_eq!(Cells::new(-1.0, 1.0, 1.0, 1.0), None);
        assert_eq!(Cells::new(f64::NAN, 1.0, 1.0, 1.0), None);
    }
}
