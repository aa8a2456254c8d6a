//! Why the excess of a journey differs between two periods: volume, mix, and the two rates of leaving.
//!
//! With d = r1 − r0 a stratum's excess is n1·d, and its change Δn1·d̄ + n̄1·Δr1 − n̄1·Δr0 exactly, bars standing for
//! means of both periods (the symmetric form of the decomposition of Kitagawa 1955). Given the person-days each part is
//! a sum of Poisson counts with known weights, so its limits are recovered from the exact ones of the counts that add
//! and of those that subtract (MOVER, Zou and Donner 2008), as those of the excess itself are.

use crate::{
    distributions::Confidence,
    person_time::{Smoothed, order, ordered, smoothed},
    proportion::Estimate,
    rates::PersonTime,
    weighted_counts::{Difference, WeightedCount, WeightedSum},
};

/// A stratum in the period before and in the later one; all 0 where it did not exist.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoPeriods {
    /// The period before.
    pub before: PersonTime,
    /// The later period.
    pub after: PersonTime,
}

/// The change of excess leavers and its parts, which add up to it; in customers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExcessChange {
    /// Excess of the period before.
    pub before: f64,
    /// Excess of the later period.
    pub after: f64,
    /// The latter less the former.
    pub change: Option<Estimate>,
    /// More or fewer days on the journey.
    pub volume: Option<Estimate>,
    /// The days lie in other strata.
    pub mix: Option<Estimate>,
    /// The exposed leave more or less often.
    pub exposed_rate: Option<Estimate>,
    /// The unexposed leave more or less often.
    pub unexposed_rate: Option<Estimate>,
    /// Strata that compare in at least one of the periods.
    pub strata: u64,
}

/// What one of each count adds: exposed and unexposed of the period before, exposed and unexposed of the later one.
type Weights = [f64; 4];

/// The change of Σ (a − w·c) between two periods, in parts.
///
/// A period in which a stratum has no unexposed days tells nothing of it: its exposed days are left out of that
/// period's excess. A rate that a period does not tell is taken to be that of the other one, so that such a stratum
/// changes volume and mix alone. All parts are `None` when no stratum compares in either period, or on overflow.
pub fn excess_change(strata: &[TwoPeriods], confidence: Confidence) -> ExcessChange {
    let strata: Vec<TwoPeriods> =
        ordered(strata, |left, right| order(&left.before, &right.before).then(order(&left.after, &right.after)))
            .into_iter()
            .filter(|stratum| compared_days(&stratum.before) > 0.0 || compared_days(&stratum.after) > 0.0)
            .collect();
    let days = |read: fn(&TwoPeriods) -> &PersonTime| {
        strata.iter().fold(0.0, |sum, stratum| sum + compared_days(read(stratum)))
    };
    let excess = |read: fn(&TwoPeriods) -> &PersonTime| {
        strata
            .iter()
            .map(read)
            .filter(|stratum| stratum.n0 > 0.0)
            .fold(0.0, |sum, stratum| sum + stratum.cross_difference() / stratum.n0)
    };
    let total_days = (days(|stratum| &stratum.before), days(|stratum| &stratum.after));
    let parts: Vec<[Weights; 4]> = strata.iter().map(|stratum| weights(stratum, total_days)).collect();
    let counts = counts(&strata);
    let part = |pick: &dyn Fn(&[Weights; 4]) -> Weights| {
        let weights: Vec<Weights> = parts.iter().map(pick).collect();
        if strata.is_empty() { None } else { combination(&weights, &counts, confidence) }
    };
    let (before, after) = (excess(|stratum| &stratum.before), excess(|stratum| &stratum.after));
    ExcessChange {
        before,
        after,
        change: part(&|parts| parts.iter().fold([0.0; 4], |sum, part| plus(sum, *part)))
            .and_then(|change| recentred(change, after - before)),
        volume: part(&|parts| parts[0]),
        mix: part(&|parts| parts[1]),
        exposed_rate: part(&|parts| parts[2]),
        unexposed_rate: part(&|parts| parts[3]),
        strata: strata.len() as u64,
    }
}

/// Exposed days that the excess is computed from.
fn compared_days(stratum: &PersonTime) -> f64 {
    if stratum.n0 > 0.0 { stratum.n1 } else { 0.0 }
}

/// The weights of a stratum's four counts in volume, mix, exposed and unexposed rate.
fn weights(stratum: &TwoPeriods, total_days: (f64, f64)) -> [Weights; 4] {
    let TwoPeriods { before, after } = stratum;
    let (n1_before, n1_after) = (compared_days(before), compared_days(after));
    let (r1_before, r1_after) = known_rates(n1_before, n1_after, [0, 2]);
    let (r0_before, r0_after) = known_rates(before.n0, after.n0, [1, 3]);
    let mean_difference = scaled(minus(plus(r1_before, r1_after), plus(r0_before, r0_after)), 0.5);

    let share = |days: f64, total: f64| if total > 0.0 { Some(days / total) } else { None };
    let (before_share, after_share) = (share(n1_before, total_days.0), share(n1_after, total_days.1));
    // A period without any exposed day has no mix of its own.
    let before_share = before_share.or(after_share).unwrap_or(0.0);
    let after_share = after_share.unwrap_or(before_share);
    let volume = (total_days.1 - total_days.0) * (before_share + after_share) / 2.0;
    let mix = (total_days.0 + total_days.1) / 2.0 * (after_share - before_share);
    let mean_days = (n1_before + n1_after) / 2.0;
    [
        scaled(mean_difference, volume),
        scaled(mean_difference, mix),
        scaled(minus(r1_after, r1_before), mean_days),
        scaled(minus(r0_before, r0_after), mean_days),
    ]
}

/// The rates of both periods as weights of the counts in `places`; one that is unknown is the other.
fn known_rates(before: f64, after: f64, places: [usize; 2]) -> (Weights, Weights) {
    let rate = |days: f64, place: usize| {
        let mut weights = [0.0; 4];
        weights[place] = 1.0 / days;
        (days > 0.0).then_some(weights)
    };
    let (before, after) = (rate(before, places[0]), rate(after, places[1]));
    (before.or(after).unwrap_or_default(), after.or(before).unwrap_or_default())
}

/// The four counts of each stratum, with what would be expected at smoothed rates; weights are still to be filled in.
fn counts(strata: &[TwoPeriods]) -> Vec<[WeightedCount; 4]> {
    let smooth = |read: fn(&TwoPeriods) -> &PersonTime| -> Smoothed {
        // A stratum that does not compare in a period says nothing about its rates then.
        let period = strata
            .iter()
            .map(read)
            .map(|stratum| if stratum.n0 > 0.0 { *stratum } else { PersonTime { a: 0.0, n1: 0.0, c: 0.0, n0: 0.0 } });
        smoothed(&period.collect::<Vec<_>>())
    };
    let (before, after) = (smooth(|stratum| &stratum.before), smooth(|stratum| &stratum.after));
    let count = |count: f64, expected: f64, days: f64| WeightedCount { weight: 0.0, count, expected, days };
    strata
        .iter()
        .enumerate()
        .map(|(index, stratum)| {
            [
                count(stratum.before.a, before.exposed[index], stratum.before.n1),
                count(stratum.before.c, before.unexposed[index], stratum.before.n0),
                count(stratum.after.a, after.exposed[index], stratum.after.n1),
                count(stratum.after.c, after.unexposed[index], stratum.after.n0),
            ]
        })
        .collect()
}

/// Σ weight·count with the limits recovered from those of its two signs.
fn combination(weights: &[Weights], counts: &[[WeightedCount; 4]], confidence: Confidence) -> Option<Estimate> {
    let (mut added, mut subtracted) = (vec![], vec![]);
    for (weight, count) in weights.iter().flatten().zip(counts.iter().flatten()) {
        let side = if *weight >= 0.0 { &mut added } else { &mut subtracted };
        if *weight != 0.0 {
            side.push(WeightedCount { weight: weight.abs(), ..*count });
        }
    }
    let (added, subtracted) = (WeightedSum::new(&added), WeightedSum::new(&subtracted));
    Difference { estimate: added.total - subtracted.total, added, subtracted }.interval(confidence)
}

/// The interval about the same estimate, computed with fewer cancellations.
fn recentred(interval: Estimate, estimate: f64) -> Option<Estimate> {
    let moved = estimate - interval.estimate;
    Estimate::finite(estimate, interval.lower + moved, interval.upper + moved)
}

fn plus(left: Weights, right: Weights) -> Weights {
    std::array::from_fn(|place| left[place] + right[place])
}

fn minus(left: Weights, right: Weights) -> Weights {
    std::array::from_fn(|place| left[place] - right[place])
}

fn scaled(weights: Weights, factor: f64) -> Weights {
    weights.map(|weight| weight * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence() -> Confidence {
        Confidence::new(0.95).unwrap()
    }

    fn stratum(before: [f64; 4], after: [f64; 4]) -> TwoPeriods {
        let period = |[a, n1, c, n0]: [f64; 4]| PersonTime::new(a, n1, c, n0).unwrap();
        TwoPeriods { before: period(before), after: period(after) }
    }

    fn estimates(strata: &[TwoPeriods]) -> [f64; 5] {
        let result = excess_change(strata, confidence());
        [result.change, result.volume, result.mix, result.exposed_rate, result.unexposed_rate]
            .map(|part| (part.unwrap().estimate * 1e9).round() / 1e9)
    }

    #[test]
    fn each_part_moves_alone() {
        // Twice the days at the same rates.
        assert_eq!(
            estimates(&[stratum([20.0, 100.0, 10.0, 100.0], [40.0, 200.0, 20.0, 200.0])]),
            [10.0, 10.0, 0.0, 0.0, 0.0]
        );
        assert_eq!(
            estimates(&[stratum([20.0, 100.0, 10.0, 100.0], [30.0, 100.0, 10.0, 100.0])]),
            [10.0, 0.0, 0.0, 10.0, 0.0]
        );
        assert_eq!(
            estimates(&[stratum([20.0, 100.0, 10.0, 100.0], [20.0, 100.0, 15.0, 100.0])]),
            [-5.0, 0.0, 0.0, 0.0, -5.0]
        );
        // The same days and rates, but half of the days of one stratum moved to the other, where nothing is in excess.
        let moved = [
            stratum([20.0, 100.0, 10.0, 100.0], [10.0, 50.0, 10.0, 100.0]),
            stratum([10.0, 100.0, 10.0, 100.0], [15.0, 150.0, 10.0, 100.0]),
        ];
        assert_eq!(estimates(&moved), [-5.0, 0.0, -5.0, 0.0, 0.0]);
    }

    #[test]
    fn a_stratum_that_compares_in_one_period_changes_volume_and_mix_alone() {
        let strata = [
            stratum([20.0, 100.0, 10.0, 100.0], [20.0, 100.0, 10.0, 100.0]),
            stratum([0.0, 0.0, 0.0, 0.0], [30.0, 100.0, 10.0, 100.0]),
            stratum([7.0, 70.0, 0.0, 0.0], [9.0, 90.0, 0.0, 0.0]),
        ];
        let [change, volume, mix, exposed, unexposed] = estimates(&strata);
        assert_eq!((change, exposed, unexposed), (20.0, 0.0, 0.0));
        assert!((volume + mix - 20.0).abs() < 1e-9 && volume > 0.0 && mix > 0.0);
        assert_eq!(excess_change(&strata, confidence()).strata, 2);
        assert_eq!(excess_change(&strata[2..], confidence()).change, None);
    }
}
