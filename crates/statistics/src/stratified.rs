//! Figures over strata: what is left of the link between exposure and churn inside groups of like customers.
//!
//! Every function first puts the strata into one order, so a sum has the same bits in whatever order, and from
//! whatever partial results, the strata arrived.

use crate::{
    distributions::{Confidence, chi_squared_upper_tail},
    proportion::Estimate,
    two_by_two::{Cells, ratio},
};

/// A test statistic that is χ²-distributed without an effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquaredTest {
    /// The statistic, at least 0.
    pub statistic: f64,
    /// Degrees of freedom.
    pub df: u64,
    /// Probability of a statistic at least this large without an effect.
    pub p_value: f64,
}

impl ChiSquaredTest {
    /// `None` for a statistic that is negative or not finite, or degrees of freedom out of range.
    pub fn new(statistic: f64, df: u64) -> Option<Self> {
        Some(Self { statistic, df, p_value: chi_squared_upper_tail(statistic, df)? })
    }
}

/// The Mantel–Haenszel figures over a set of strata; a part that is undefined is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MantelHaenszel {
    /// Pooled odds ratio with its interval on the log scale.
    pub odds_ratio: Option<Estimate>,
    /// Standard error of the log of the pooled odds ratio.
    pub log_error: Option<f64>,
    /// Cochran–Mantel–Haenszel test of no association, one degree of freedom.
    pub association: Option<ChiSquaredTest>,
    /// Breslow–Day test of one odds ratio in all strata.
    pub homogeneity: Option<ChiSquaredTest>,
    /// Strata seen.
    pub strata: u64,
    /// Strata with an empty margin, which say nothing about the odds ratio.
    pub uninformative_strata: u64,
}

/// Customers who churned beyond what the unexposed of the same stratum did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExcessChurners {
    /// Σ (a − n1·c/n0) in customers, negative when the exposed churn less; normal limits. `None` without a used stratum.
    pub excess: Option<Estimate>,
    /// Σ m1 over the used strata, in customers.
    pub churners: f64,
    /// Excess as a share of `churners`; `None` without churners.
    pub attributable_share: Option<f64>,
    /// Strata without anybody unexposed.
    pub left_out_strata: u64,
    /// Exposed customers in those strata.
    pub left_out_exposed: f64,
}

/// Pooled odds ratio (Mantel and Haenszel 1959) with the variance of Robins, Breslow and Greenland (1986), the
/// Cochran–Mantel–Haenszel test without continuity correction over the strata with N ≥ 2, and the Breslow–Day test.
pub fn mantel_haenszel(strata: &[Cells], confidence: Confidence) -> MantelHaenszel {
    let strata = ordered(strata);
    let pooled = pooled_odds_ratio(&strata);
    MantelHaenszel {
        odds_ratio: pooled.and_then(|(odds_ratio, error)| ratio(odds_ratio, error, confidence)),
        log_error: pooled.map(|(_, error)| error),
        association: association(&strata),
        homogeneity: pooled.and_then(|(odds_ratio, _)| homogeneity(&strata, odds_ratio)),
        strata: strata.len() as u64,
        uninformative_strata: strata.iter().filter(|cells| !cells.has_four_margins()).count() as u64,
    }
}

/// Excess churners with variance Σ n1·p1(1 − p1) + n1²·p0(1 − p0)/n0 over the strata with somebody unexposed.
pub fn excess_churners(strata: &[Cells], confidence: Confidence) -> ExcessChurners {
    let strata = ordered(strata);
    let (used, left_out): (Vec<Cells>, Vec<Cells>) = strata.into_iter().partition(|cells| cells.unexposed() > 0.0);
    let mut excess = 0.0;
    let mut variance = 0.0;
    for cells in &used {
        let (n1, n0) = (cells.exposed(), cells.unexposed());
        // a − n1·c/n0 = (ad − bc)/n0, since n1·c = ac + bc and a·n0 = ac + ad.
        excess += cells.cross_difference() / n0;
        if n1 > 0.0 {
            variance += cells.a * (cells.b / n1);
        }
        variance += (n1 / n0) * (n1 / n0) * cells.c * (cells.d / n0);
    }
    let churners = total(&used, Cells::churned);
    let reach = confidence.z() * variance.sqrt();
    let excess = if used.is_empty() { None } else { Estimate::finite(excess, excess - reach, excess + reach) };
    ExcessChurners {
        excess,
        churners,
        attributable_share: excess
            .map(|excess| excess.estimate / churners)
            .filter(|share| churners > 0.0 && share.is_finite()),
        left_out_strata: left_out.len() as u64,
        left_out_exposed: total(&left_out, Cells::exposed),
    }
}

/// The sum of a margin over strata; the standard sum of no floats is −0.
fn total(strata: &[Cells], margin: fn(&Cells) -> f64) -> f64 {
    strata.iter().fold(0.0, |sum, cells| sum + margin(cells))
}

/// The strata in the order of their cells.
fn ordered(strata: &[Cells]) -> Vec<Cells> {
    let mut strata = strata.to_vec();
    strata.sort_by(|left, right| {
        (left.a.total_cmp(&right.a))
            .then(left.b.total_cmp(&right.b))
            .then(left.c.total_cmp(&right.c))
            .then(left.d.total_cmp(&right.d))
    });
    strata
}

/// The pooled odds ratio and the standard error of its log; `None` when Σ ad/N or Σ bc/N is 0 or overflows.
fn pooled_odds_ratio(strata: &[Cells]) -> Option<(f64, f64)> {
    // In the letters of Robins, Breslow and Greenland: P + Q = 1, R and S the two diagonals over N.
    let (mut r, mut s, mut pr, mut ps_qr, mut qs) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for cells in strata.iter().filter(|cells| cells.has_four_margins()) {
        let n = cells.total();
        let (p, q) = ((cells.a + cells.d) / n, (cells.b + cells.c) / n);
        let (stratum_r, stratum_s) = (cells.a * (cells.d / n), cells.b * (cells.c / n));
        r += stratum_r;
        s += stratum_s;
        pr += p * stratum_r;
        ps_qr += p * stratum_s + q * stratum_r;
        qs += q * stratum_s;
    }
    if r <= 0.0 || s <= 0.0 {
        return None;
    }
    let variance = (pr / r / r + ps_qr / r / s + qs / s / s) / 2.0;
    let (odds_ratio, error) = (r / s, variance.sqrt());
    (odds_ratio.is_finite() && odds_ratio > 0.0 && error.is_finite()).then_some((odds_ratio, error))
}

/// (Σ a − n1·m1/N)² / Σ n1·n0·m1·m0/(N²(N − 1)) over the strata with N ≥ 2 (Cochran 1954, Mantel and Haenszel 1959).
fn association(strata: &[Cells]) -> Option<ChiSquaredTest> {
    let (mut deviation, mut variance) = (0.0, 0.0);
    for cells in strata.iter().filter(|cells| cells.total() >= 2.0) {
        let n = cells.total();
        // a − n1·m1/N = (ad − bc)/N.
        deviation += cells.cross_difference() / n;
        variance += (cells.exposed() / n) * (cells.unexposed() / n) * cells.churned() * (cells.stayed() / (n - 1.0));
    }
    if variance <= 0.0 {
        return None;
    }
    ChiSquaredTest::new(deviation * (deviation / variance), 1)
}

/// Breslow and Day (1980) over the strata with four positive margins; `None` below two of them.
fn homogeneity(strata: &[Cells], odds_ratio: f64) -> Option<ChiSquaredTest> {
    let informative: Vec<&Cells> = strata.iter().filter(|cells| cells.has_four_margins()).collect();
    if informative.len() < 2 {
        return None;
    }
    let statistic: f64 = informative.iter().map(|cells| breslow_day_term(cells, odds_ratio)).sum();
    ChiSquaredTest::new(statistic, informative.len() as u64 - 1)
}

/// (a − e)²·Σ 1/expected cell, where the expected cells keep the margins and have the pooled odds ratio.
fn breslow_day_term(cells: &Cells, odds_ratio: f64) -> f64 {
    let (n1, n0, m1, m0, n) = (cells.exposed(), cells.unexposed(), cells.churned(), cells.stayed(), cells.total());
    // Each cell by its own root: differences from the margins cancel when the odds ratio is extreme.
    let a = expected_cell(n1, m1, n, odds_ratio);
    let b = expected_cell(n1, m0, n, 1.0 / odds_ratio);
    let c = expected_cell(n0, m1, n, 1.0 / odds_ratio);
    let d = expected_cell(n0, m0, n, odds_ratio);
    // The four deviations are equal but for their sign; the smallest cell is the one whose difference keeps its digits.
    let observed_and_expected = [(cells.a, a), (cells.b, b), (cells.c, c), (cells.d, d)];
    let (observed, expected) = observed_and_expected
        .into_iter()
        .min_by(|left, right| left.0.max(left.1).total_cmp(&right.0.max(right.1)))
        .unwrap_or((cells.a, a));
    let deviation = observed - expected;
    deviation * deviation * (1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d)
}

/// The cell e in `row` and `column` of a table of `total` with e·(total − row − column + e) = ψ·(row − e)(column − e).
///
/// The quadratic (ψ − 1)e² − B·e + ψ·row·column = 0 is solved by whichever of its two equal forms adds rather than
/// subtracts; the textbook form also divides by ψ − 1, which is 0 without an effect.
fn expected_cell(row: f64, column: f64, total: f64, psi: f64) -> f64 {
    let b = psi * (row + column) + (total - row - column);
    let root = (b * b - 4.0 * (psi - 1.0) * psi * row * column).max(0.0).sqrt();
    if b >= 0.0 { 2.0 * psi * row * column / (b + root) } else { (root - b) / (2.0 * (1.0 - psi)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence() -> Confidence {
        Confidence::new(0.95).unwrap()
    }

    fn cells(a: f64, b: f64, c: f64, d: f64) -> Cells {
        Cells::new(a, b, c, d).unwrap()
    }

    #[test]
    fn one_stratum_is_its_own_odds_ratio_and_has_no_homogeneity() {
        let result = mantel_haenszel(&[cells(10.0, 20.0, 5.0, 40.0)], confidence());
        assert!((result.odds_ratio.unwrap().estimate - 4.0).abs() < 1e-12);
        assert_eq!(result.homogeneity, None);
        assert_eq!((result.strata, result.uninformative_strata), (1, 0));
    }

    #[test]
    fn strata_without_four_margins_are_counted_and_change_nothing() {
        let informative = [cells(10.0, 20.0, 5.0, 40.0), cells(3.0, 9.0, 8.0, 12.0)];
        let mut all = informative.to_vec();
        all.extend([cells(0.0, 0.0, 0.0, 0.0), cells(1.0, 0.0, 0.0, 0.0), cells(0.0, 7.0, 0.0, 9.0)]);
        let (few, many) = (mantel_haenszel(&informative, confidence()), mantel_haenszel(&all, confidence()));
        assert_eq!(many.uninformative_strata, 3);
        assert_eq!(few.odds_ratio, many.odds_ratio);
        assert_eq!(few.association, many.association);
        assert_eq!(few.homogeneity, many.homogeneity);
    }

    #[test]
    fn nothing_is_defined_without_strata() {
        let result = mantel_haenszel(&[], confidence());
        assert_eq!((result.odds_ratio, result.association, result.homogeneity), (None, None, None));
        let excess = excess_churners(&[], confidence());
        assert_eq!((excess.excess, excess.churners, excess.attributable_share), (None, 0.0, None));
    }

    #[test]
    fn strata_without_unexposed_are_left_out_and_counted() {
        let result = excess_churners(&[cells(30.0, 70.0, 20.0, 180.0), cells(5.0, 6.0, 0.0, 0.0)], confidence());
        assert_eq!(result.excess.unwrap().estimate, 20.0);
        assert_eq!((result.churners, result.attributable_share), (50.0, Some(0.4)));
        assert_eq!((result.left_out_strata, result.left_out_exposed), (1, 11.0));
    }

    #[test]
    fn overflowing_counts_are_undefined() {
        let huge = [cells(1e308, 1e308, 1e308, 1e308), cells(1e308, 1.0, 1.0, 1e308)];
        let result = mantel_haenszel(&huge, confidence());
        assert!(result.odds_ratio.is_none_or(|estimate| estimate.estimate.is_finite()));
        assert!(excess_churners(&huge, confidence()).excess.is_none());
    }
}
