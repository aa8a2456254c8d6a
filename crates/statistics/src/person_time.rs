//! Figures over strata of person-time: what is left of the link between a journey and leaving among like customers.
//!
//! Every function first puts the strata into one order, so a sum has the same bits in whatever order, and from
//! whatever partial results, the strata arrived. Letters as in [`crate::rates`], summed over strata k; w = n1/n0.

use crate::{
    distributions::Confidence,
    proportion::Estimate,
    rates::PersonTime,
    two_by_two::ratio,
    weighted_counts::{Difference, WeightedCount, WeightedSum},
};

/// z of the power of 80 % with which the smallest detectable excess is seen.
const POWER_DEVIATE: f64 = 0.841_621_233_572_914_3;
/// Days of the year for which revenue is stated.
const YEAR: f64 = 365.0;

/// The Mantel–Haenszel rate ratio over a set of strata.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PooledRateRatio {
    /// Pooled rate ratio with its interval on the log scale; `None` with a reason.
    pub rate_ratio: Option<Estimate>,
    /// Standard error of the log of the pooled rate ratio.
    pub log_error: Option<f64>,
    /// Why there is no ratio.
    pub reason: Option<&'static str>,
    /// Strata seen.
    pub strata: u64,
    /// Strata that say nothing about the ratio: an arm without days, or nobody left.
    pub uninformative_strata: u64,
}

/// Customers who left beyond what the unexposed of the same stratum did; a part that is undefined is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExcessLeavers {
    /// Σ (a − w·c) in customers, negative when the exposed leave less. `None` with a reason.
    pub excess: Option<Estimate>,
    /// Standard error, √(A + s·T).
    pub standard_error: Option<f64>,
    /// One less the level at which the limit just holds 0.
    pub p_value: Option<f64>,
    /// The excess that would be called one with power 80 %; `None` where nobody left.
    pub smallest_detectable: Option<f64>,
    /// T = Σ w·c, the leavers expected of the exposed at the rates of the unexposed, with its limits.
    pub expected: Option<Estimate>,
    /// s: T is taken as s times a Poisson variable.
    pub scale: Option<f64>,
    /// A/T with the limits A/(A − limit of the excess); `None` where that is infinite.
    pub standardized_ratio: [Option<f64>; 3],
    /// E-value of the standardized ratio, and of its limit nearer to no effect (VanderWeele and Ding 2017).
    pub e_value: [Option<f64>; 2],
    /// Excess as a share of all leavers, those of the strata left out among them.
    pub attributable_share: Option<Estimate>,
    /// Leavers that the comparison is worth: (Σ w·c)²/Σ w²·c.
    pub effective_raw: f64,
    /// The same with the smoothed n0·r in place of c.
    pub effective_smoothed: f64,
    /// Leavers, exposed and unexposed, and their person-days over the strata that compare.
    pub compared: PersonTime,
    /// All leavers, those of the strata left out among them.
    pub leavers: f64,
    /// Why there is no excess.
    pub reason: Option<&'static str>,
    /// Strata seen.
    pub strata: u64,
    /// Strata with exposed days and no unexposed ones.
    pub left_out_strata: u64,
    /// Exposed days of those.
    pub left_out_days: f64,
    /// Exposed leavers of those.
    pub left_out_leavers: f64,
}

/// Pooled rate ratio R/S with R = Σ a·n0/N, S = Σ c·n1/N (Mantel and Haenszel for person-time, Rothman and Boice 1979)
/// and var(log) = (Σ m1·n1·n0/N²)/(R·S) (Greenland and Robins 1985).
pub fn mantel_haenszel_rates(strata: &[PersonTime], confidence: Confidence) -> PooledRateRatio {
    let strata = ordered(strata, order);
    let (r, s) = halves(&strata);
    let variance = strata.iter().filter(|stratum| stratum.days() > 0.0).fold(0.0, |sum, stratum| {
        let days = stratum.days();
        sum + stratum.leavers() * (stratum.n1 / days) * (stratum.n0 / days)
    });
    let log_error = (variance / r / s).sqrt();
    let rate_ratio =
        if r > 0.0 && s > 0.0 && log_error.is_finite() { ratio(r / s, log_error, confidence) } else { None };
    let informs = |stratum: &&PersonTime| stratum.n1 > 0.0 && stratum.n0 > 0.0 && stratum.leavers() > 0.0;
    PooledRateRatio {
        rate_ratio,
        log_error: rate_ratio.map(|_| log_error),
        reason: match rate_ratio {
            Some(_) => None,
            None if strata.iter().all(|stratum| stratum.n1 == 0.0 || stratum.n0 == 0.0) => Some("nothing to compare"),
            None if r == 0.0 && s == 0.0 => Some("nobody left"),
            None if r == 0.0 => Some("nobody left while exposed"),
            None if s == 0.0 => Some("nobody left while unexposed"),
            None => Some("counts too large"),
        },
        strata: strata.len() as u64,
        uninformative_strata: (strata.len() - strata.iter().filter(informs).count()) as u64,
    }
}

/// Excess leavers Σ (a − w·c) over the strata with unexposed days, with limits by MOVER (Zou and Donner 2008) from
/// Garwood's of A = Σ a and of T = Σ w·c, taken as s·Poisson(T/s).
pub fn excess_leavers(strata: &[PersonTime], confidence: Confidence) -> ExcessLeavers {
    let strata = ordered(strata, order);
    let (used, left_out): (Vec<PersonTime>, Vec<PersonTime>) =
        strata.iter().copied().filter(|stratum| stratum.days() > 0.0).partition(|stratum| stratum.n0 > 0.0);
    let smoothed = smoothed(&used);
    let subtracted: Vec<WeightedCount> = used
        .iter()
        .zip(&smoothed.unexposed)
        .map(|(stratum, expected)| WeightedCount {
            weight: stratum.n1 / stratum.n0,
            count: stratum.c,
            expected: *expected,
            days: stratum.n0,
        })
        .collect();
    let compared = PersonTime {
        a: total(&used, |stratum| stratum.a),
        n1: total(&used, |stratum| stratum.n1),
        c: total(&used, |stratum| stratum.c),
        n0: total(&used, |stratum| stratum.n0),
    };
    let difference = Difference {
        // a − n1·c/n0 = (a·n0 − c·n1)/n0.
        estimate: total(&used, |stratum| stratum.cross_difference() / stratum.n0),
        added: WeightedSum { total: compared.a, scale: 1.0 },
        subtracted: WeightedSum::new(&subtracted),
    };
    let excess = if compared.n1 > 0.0 { difference.interval(confidence) } else { None };
    let known = |figure: Option<f64>| figure.filter(|figure| excess.is_some() && figure.is_finite());
    let standard_error = known(Some(difference.standard_error()));
    let leavers = total(&strata, PersonTime::leavers);
    ExcessLeavers {
        excess,
        standard_error,
        p_value: excess.and_then(|_| difference.p_value()),
        smallest_detectable: standard_error
            .filter(|error| *error > 0.0)
            .map(|error| (confidence.z() + POWER_DEVIATE) * error),
        expected: excess.and_then(|_| difference.subtracted.estimate(confidence)),
        scale: known(Some(difference.subtracted.scale)),
        standardized_ratio: standardized_ratio(compared.a, difference.subtracted.total, excess),
        e_value: excess_e_values(compared.a, difference.subtracted.total, excess),
        attributable_share: excess.and_then(|excess| {
            Estimate::finite(excess.estimate / leavers, excess.lower / leavers, excess.upper / leavers)
        }),
        effective_raw: effective(&subtracted, |count| count.count),
        effective_smoothed: if smoothed.unexposed_leave { effective(&subtracted, |count| count.expected) } else { 0.0 },
        compared,
        leavers,
        reason: match excess {
            Some(_) => None,
            None if strata.iter().all(|stratum| stratum.n1 == 0.0) => Some("nobody was exposed"),
            None if compared.n1 == 0.0 => Some("nobody to compare with"),
            None => Some("counts too large"),
        },
        strata: strata.len() as u64,
        left_out_strata: left_out.len() as u64,
        left_out_days: total(&left_out, |stratum| stratum.n1),
        left_out_leavers: total(&left_out, |stratum| stratum.a),
    }
}

/// A year's worth of revenue of the excess leavers: Σ (a − w·c) × billed ÷ n1 × 365, in the currency of `billed`.
///
/// Each stratum comes with what its exposed were billed over their person-days; a credit is negative. Limits as those
/// of [`excess_leavers`], with the revenue among the weights. `None` without a stratum that compares.
pub fn excess_revenue(strata: &[(PersonTime, f64)], confidence: Confidence) -> Option<Estimate> {
    let by_billed =
        |left: &(PersonTime, f64), right: &(PersonTime, f64)| order(&left.0, &right.0).then(left.1.total_cmp(&right.1));
    let strata: Vec<(PersonTime, f64)> =
        ordered(strata, by_billed).into_iter().filter(|(stratum, _)| stratum.n1 > 0.0 && stratum.n0 > 0.0).collect();
    if strata.is_empty() {
        return None;
    }
    let used: Vec<PersonTime> = strata.iter().map(|(stratum, _)| *stratum).collect();
    let smoothed = smoothed(&used);
    let (mut estimate, mut added, mut subtracted) = (0.0, vec![], vec![]);
    for (index, (stratum, billed)) in strata.iter().enumerate() {
        let value = billed / stratum.n1 * YEAR;
        estimate += stratum.cross_difference() / stratum.n0 * value;
        let exposed = WeightedCount {
            weight: value.abs(),
            count: stratum.a,
            expected: smoothed.exposed[index],
            days: stratum.n1,
        };
        let unexposed = WeightedCount {
            weight: value.abs() * (stratum.n1 / stratum.n0),
            count: stratum.c,
            expected: smoothed.unexposed[index],
            days: stratum.n0,
        };
        if value >= 0.0 {
            added.push(exposed);
            subtracted.push(unexposed);
        } else {
            added.push(unexposed);
            subtracted.push(exposed);
        }
    }
    let difference =
        Difference { estimate, added: WeightedSum::new(&added), subtracted: WeightedSum::new(&subtracted) };
    difference.interval(confidence)
}

/// How strong a cause that nobody sees would have to be linked with both exposure and leaving, as a ratio, to explain
/// `ratio` away: RR + √(RR(RR − 1)), with 1/RR for a ratio below 1 (VanderWeele and Ding 2017).
///
/// At least 1. `None` unless the ratio is positive and finite.
pub fn e_value(ratio: f64) -> Option<f64> {
    let ratio = if ratio < 1.0 { 1.0 / ratio } else { ratio };
    let value = ratio + ratio.sqrt() * (ratio - 1.0).sqrt();
    (ratio > 0.0 && value.is_finite()).then_some(value)
}

/// What each count of the strata would be expected to be, at rates smoothed over the arms of each stratum.
pub(crate) struct Smoothed {
    /// n1·r·R with r = m1/(n0 + R·n1) and R the pooled rate ratio.
    pub(crate) exposed: Vec<f64>,
    /// n0·r, or where it is 0 in every stratum, since R is infinite, its proportions.
    pub(crate) unexposed: Vec<f64>,
    /// Whether any unexposed leaver is expected.
    pub(crate) unexposed_leave: bool,
}

pub(crate) fn smoothed(strata: &[PersonTime]) -> Smoothed {
    let (r, s) = halves(strata);
    // R/S is infinite when nobody left while unexposed: then n1·r·R tends to m1, and n0·r to 0 like n0·m1/n1. It says
    // nothing when nobody left in a stratum that compares; then both arms leave alike.
    let unexposed_leave = s > 0.0 || r == 0.0;
    let pooled = if s > 0.0 { r / s } else { 1.0 };
    let (mut exposed, mut unexposed) = (vec![], vec![]);
    for stratum in strata {
        if !unexposed_leave {
            exposed.push(if stratum.n1 > 0.0 { stratum.leavers() } else { 0.0 });
            unexposed.push(if stratum.n1 > 0.0 { stratum.n0 / stratum.n1 * stratum.leavers() } else { 0.0 });
            continue;
        }
        let days = stratum.n0 + pooled * stratum.n1;
        let rate = if days > 0.0 { stratum.leavers() / days } else { 0.0 };
        exposed.push(stratum.n1 * pooled * rate);
        unexposed.push(stratum.n0 * rate);
    }
    Smoothed { exposed, unexposed, unexposed_leave }
}

/// R = Σ a·n0/N and S = Σ c·n1/N.
fn halves(strata: &[PersonTime]) -> (f64, f64) {
    strata.iter().filter(|stratum| stratum.days() > 0.0).fold((0.0, 0.0), |(r, s), stratum| {
        (r + stratum.a * (stratum.n0 / stratum.days()), s + stratum.c * (stratum.n1 / stratum.days()))
    })
}

/// (Σ weight·count)²/Σ weight²·count: the number of equally weighted counts that would be as uncertain.
fn effective(counts: &[WeightedCount], read: fn(&WeightedCount) -> f64) -> f64 {
    let (first, second) = counts.iter().fold((0.0, 0.0), |(first, second), count| {
        let weighted = count.weight * read(count);
        (first + weighted, second + count.weight * weighted)
    });
    if second > 0.0 { first * (first / second) } else { 0.0 }
}

/// A/T and, from the limits of the excess, A/(A − limit).
fn standardized_ratio(a: f64, expected: f64, excess: Option<Estimate>) -> [Option<f64>; 3] {
    let ratio = |expected: f64| Some(a / expected).filter(|ratio| expected > 0.0 && ratio.is_finite());
    excess.map_or([None; 3], |excess| [ratio(expected), ratio(a - excess.lower), ratio(a - excess.upper)])
}

/// E-values of A/T and of its limit nearer to no effect, which is 1 when the interval of the excess holds 0.
fn excess_e_values(a: f64, expected: f64, excess: Option<Estimate>) -> [Option<f64>; 2] {
    let [ratio, lower, upper] = standardized_ratio(a, expected, excess);
    let limit = match excess {
        Some(excess) if excess.lower > 0.0 => lower.and_then(e_value),
        Some(excess) if excess.upper < 0.0 => upper.and_then(e_value),
        Some(_) => Some(1.0),
        None => None,
    };
    [ratio.and_then(e_value), limit]
}

/// The sum of a figure over strata; the standard sum of no floats is −0.
fn total(strata: &[PersonTime], figure: impl Fn(&PersonTime) -> f64) -> f64 {
    strata.iter().fold(0.0, |sum, stratum| sum + figure(stratum))
}

/// The strata in the order of all their values.
pub(crate) fn ordered<T: Copy>(strata: &[T], order: impl Fn(&T, &T) -> std::cmp::Ordering) -> Vec<T> {
    let mut strata = strata.to_vec();
    strata.sort_by(order);
    strata
}

/// One order for strata.
pub(crate) fn order(left: &PersonTime, right: &PersonTime) -> std::cmp::Ordering {
    (left.a.total_cmp(&right.a))
        .then(left.n1.total_cmp(&right.n1))
        .then(left.c.total_cmp(&right.c))
        .then(left.n0.total_cmp(&right.n0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence() -> Confidence {
        Confidence::new(0.95).unwrap()
    }

    fn stratum(a: f64, n1: f64, c: f64, n0: f64) -> PersonTime {
        PersonTime::new(a, n1, c, n0).unwrap()
    }

    #[test]
    fn strata_without_unexposed_are_left_out_and_counted() {
        let result = excess_leavers(
            &[stratum(30.0, 1000.0, 40.0, 2000.0), stratum(5.0, 600.0, 0.0, 0.0), stratum(0.0, 0.0, 0.0, 0.0)],
            confidence(),
        );
        assert_eq!(result.excess.unwrap().estimate, 10.0);
        assert_eq!(result.attributable_share.unwrap().estimate, 10.0 / 75.0);
        assert_eq!((result.strata, result.left_out_strata), (3, 1));
        assert_eq!((result.left_out_days, result.left_out_leavers), (600.0, 5.0));
        assert_eq!((result.compared.a, result.compared.n1), (30.0, 1000.0));
        assert_eq!((result.effective_raw, result.effective_smoothed.round()), (40.0, 40.0));
    }

    #[test]
    fn nothing_to_compare_has_a_reason_and_no_figure() {
        for (strata, reason) in [
            (vec![], "nobody was exposed"),
            (vec![stratum(0.0, 0.0, 3.0, 500.0)], "nobody was exposed"),
            (vec![stratum(3.0, 500.0, 0.0, 0.0)], "nobody to compare with"),
            (vec![stratum(1e308, 1e308, 1e308, 1e-300)], "counts too large"),
        ] {
            let result = excess_leavers(&strata, confidence());
            assert_eq!((result.excess, result.p_value, result.reason), (None, None, Some(reason)));
        }
        let nobody_left = excess_leavers(&[stratum(0.0, 500.0, 0.0, 500.0)], confidence());
        assert_eq!((nobody_left.p_value, nobody_left.smallest_detectable), (Some(1.0), None));
        let excess = nobody_left.excess.unwrap();
        assert!(excess.lower < -3.6 && excess.upper > 3.6, "{excess:?}");
    }

    #[test]
    fn a_ratio_that_is_none_says_why() {
        let reason = |strata: &[PersonTime]| mantel_haenszel_rates(strata, confidence()).reason;
        assert_eq!(reason(&[]), Some("nothing to compare"));
        assert_eq!(reason(&[stratum(0.0, 9.0, 0.0, 9.0)]), Some("nobody left"));
        assert_eq!(reason(&[stratum(0.0, 9.0, 2.0, 9.0)]), Some("nobody left while exposed"));
        assert_eq!(reason(&[stratum(2.0, 9.0, 0.0, 9.0)]), Some("nobody left while unexposed"));
        assert_eq!(reason(&[stratum(2.0, 9.0, 1.0, 9.0)]), None);
    }

    #[test]
    fn the_e_value_of_a_ratio_and_of_its_inverse_are_the_same() {
        // VanderWeele and Ding (2017): 3.9 with limits 1.8 to 8.7 has E-values 7.26 and 3.0.
        assert_eq!((e_value(3.9).unwrap() * 100.0).round(), 726.0);
        assert_eq!(e_value(1.8), Some(3.0));
        assert_eq!((e_value(1.0), e_value(0.5)), (Some(1.0), e_value(2.0)));
        assert_eq!((e_value(0.0), e_value(-1.0), e_value(f64::NAN)), (None, None, None));
    }

    #[test]
    fn revenue_at_one_value_is_the_excess_times_it() {
        let strata = [stratum(30.0, 1000.0, 40.0, 2000.0), stratum(12.0, 500.0, 9.0, 900.0)];
        // Two a day: both strata are billed twice their days.
        let billed = strata.map(|stratum| (stratum, 2.0 * stratum.n1));
        let (excess, revenue) =
            (excess_leavers(&strata, confidence()).excess.unwrap(), excess_revenue(&billed, confidence()).unwrap());
        for (customers, money) in
            [(excess.estimate, revenue.estimate), (excess.lower, revenue.lower), (excess.upper, revenue.upper)]
        {
            assert!((money - 730.0 * customers).abs() < 1e-9 * money.abs(), "{money} {customers}");
        }
        assert_eq!(excess_revenue(&[], confidence()), None);
    }
}
