//! The journeys' rate ratios adjusted for each other, and what they make together.
//!
//! One Poisson regression of leavers on the controls and the exposures to all journeys at once, with the person-days of
//! each joint cell as its offset. Not being eligible for a journey is a level of its own, since those customers may
//! leave at another rate.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    distributions::{Confidence, chi_squared_upper_tail},
    joint_cells::JointCells,
    joint_design::{Column, JointFit, Missing},
    poisson_regression::predictor,
    proportion::Estimate,
    two_by_two::ratio,
};

pub use crate::joint_design::{EffectStatus, JointStatus, MOST_COLUMNS};

/// A journey's effect, others held fixed.
#[derive(Debug, Clone, PartialEq)]
pub struct JourneyEffect {
    /// The journey.
    pub journey: String,
    /// Rate of leaving while exposed over that while eligible and not exposed, with Wald limits on the log scale.
    pub ratio: Option<Estimate>,
    /// Standard error of the log of the ratio.
    pub log_error: Option<f64>,
    /// Wald's test of a ratio of 1.
    pub p_value: Option<f64>,
    /// Leavers while exposed.
    pub leavers: f64,
    /// Person-days exposed.
    pub days: f64,
    /// Whether there is a ratio, and of what kind the reason is when there is none.
    pub status: EffectStatus,
    /// The journeys that it cannot be told apart from.
    pub inseparable_from: Vec<String>,
    /// Why there is no ratio.
    pub reason: Option<String>,
}

/// The joint model of a period; figures of the fit are `None` unless the status is ok.
#[derive(Debug, Clone, PartialEq)]
pub struct JointRates {
    /// How the fit ended.
    pub status: JointStatus,
    /// One effect for each journey, in the order of their names.
    pub effects: Vec<JourneyEffect>,
    /// All leavers.
    pub leavers: f64,
    /// All person-days.
    pub days: f64,
    /// Cells with person-days.
    pub cells: u64,
    /// Coefficients estimated, the intercept among them.
    pub parameters: Option<u64>,
    /// Natural log of the likelihood at its maximum.
    pub log_likelihood: Option<f64>,
    /// Twice what a model of every cell's own rate gains.
    pub deviance: Option<f64>,
    /// Steps of Newton's method.
    pub steps: Option<u64>,
    /// Levels of the controls at which nobody left.
    pub left_out_levels: Vec<String>,
    /// Person-days at rates that the fit takes to be 0, because nobody left at a level, in a state of a journey or in a
    /// combination of them.
    pub left_out_days: Option<f64>,
}

/// Leavers that would not be there were nobody exposed to some journeys, by the joint model.
#[derive(Debug, Clone, PartialEq)]
pub struct JointExcess {
    /// How the fit ended.
    pub status: JointStatus,
    /// All leavers.
    pub leavers: f64,
    /// Leavers expected were nobody exposed to the journeys, with limits on the log scale.
    pub expected: Option<Estimate>,
    /// Leavers less those expected, with normal limits.
    pub excess: Option<Estimate>,
    /// Standard error of the excess.
    pub standard_error: Option<f64>,
    /// Excess as a share of all leavers.
    pub attributable_share: Option<Estimate>,
    /// The journeys named, in order, each once.
    pub journeys: Vec<String>,
    /// Why there is no figure.
    pub reason: Option<String>,
}

/// Mutually adjusted rate ratios of all journeys of the cells.
pub fn joint_rate_ratios(cells: &JointCells, confidence: Confidence) -> JointRates {
    let mut journeys: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    let (mut leavers, mut days, mut with_days) = (0.0, 0.0, 0);
    for (state, count) in cells.iter() {
        let (cell_leavers, cell_days) = (count.leavers.value(), count.days.value());
        leavers += cell_leavers;
        days += cell_days;
        with_days += u64::from(cell_days > 0.0);
        for journey in &state.exposed {
            let sums = journeys.entry(journey).or_default();
            *sums = (sums.0 + cell_leavers, sums.1 + cell_days);
        }
        state.not_eligible.iter().for_each(|journey| _ = journeys.entry(journey).or_default());
    }
    let fit = JointFit::new(cells);
    let effect = |(journey, (leavers, days)): (&&str, &(f64, f64))| {
        let coefficient = fit.as_ref().ok().and_then(|fit| fit.coefficient(&Column::Exposed(journey)));
        let ratio = coefficient.and_then(|(log_ratio, variance)| ratio(log_ratio.exp(), variance.sqrt(), confidence));
        let known = coefficient.filter(|_| ratio.is_some());
        let missing = match (&ratio, &fit) {
            (Some(_), _) => None,
            (None, Ok(fit)) => Some(fit.missing(journey)),
            (None, Err(status)) => Some(Missing::new(EffectStatus::NoModel, why(*status))),
        };
        JourneyEffect {
            journey: (*journey).to_owned(),
            ratio,
            log_error: known.map(|(_, variance)| variance.sqrt()),
            p_value: known
                .and_then(|(log_ratio, variance)| chi_squared_upper_tail(log_ratio * log_ratio / variance, 1)),
            leavers: *leavers,
            days: *days,
            status: missing.as_ref().map_or(EffectStatus::Ok, |missing| missing.status),
            inseparable_from: missing.as_ref().map(|missing| missing.others.clone()).unwrap_or_default(),
            reason: missing.map(|missing| missing.reason),
        }
    };
    let effects = journeys.iter().map(effect).collect();
    let fit = fit.as_ref();
    let of_fit = fit.ok().map(|fit| &fit.fit);
    JointRates {
        status: fit.map_or_else(|status| *status, |_| JointStatus::Ok),
        effects,
        leavers,
        days,
        cells: with_days,
        parameters: of_fit.map(|fit| fit.coefficients.len() as u64),
        log_likelihood: of_fit.map(|fit| fit.log_likelihood).filter(|likelihood| likelihood.is_finite()),
        deviance: of_fit.map(|fit| fit.deviance).filter(|deviance| deviance.is_finite()),
        steps: of_fit.map(|fit| fit.steps),
        left_out_levels: fit
            .map_or(vec![], |fit| fit.left_out_levels.iter().map(|level| (*level).to_owned()).collect()),
        left_out_days: fit.ok().map(|fit| fit.left_out_days),
    }
}

/// Leavers less those expected were nobody exposed to `journeys`, others as they are; delta-method limits.
///
/// The model-based attributable count of Greenland and Drescher (1993). Journeys that nobody was exposed to change
/// nothing. `None` figures with a reason when an effect that is needed cannot be told apart from others.
pub fn joint_excess(cells: &JointCells, journeys: &BTreeSet<String>, confidence: Confidence) -> JointExcess {
    let leavers = cells.iter().fold(0.0, |sum, (_, count)| sum + count.leavers.value());
    let without = |status, reason: String| JointExcess {
        status,
        leavers,
        expected: None,
        excess: None,
        standard_error: None,
        attributable_share: None,
        journeys: journeys.iter().cloned().collect(),
        reason: Some(reason),
    };
    let fit = match JointFit::new(cells) {
        Ok(fit) => fit,
        Err(status) => return without(status, why(status).to_owned()),
    };
    let named = |column: &Column| matches!(column, Column::Exposed(journey) if journeys.contains(*journey));
    let exposed: BTreeSet<&String> =
        cells.iter().flat_map(|(state, _)| &state.exposed).filter(|journey| journeys.contains(*journey)).collect();
    if exposed.is_empty() {
        return without(JointStatus::Ok, "no journey is named that anybody was exposed to".to_owned());
    }
    // A journey whose exposed all stayed has no finite effect; alone in a dependence an effect may still be estimated
    // jointly.
    let lost = exposed.iter().find(|journey| fit.without_leavers.contains_key(journey.as_str()));
    let lost = lost.or_else(|| {
        if fit.tells(named) {
            None
        } else {
            exposed.iter().find(|journey| fit.coefficient(&Column::Exposed(journey)).is_none())
        }
    });
    if let Some(journey) = lost {
        return without(JointStatus::Ok, format!("{journey}: {}", fit.missing(journey).reason));
    }

    let width = fit.kept.len();
    // Fitted leavers and those without the journeys, and how both move with the coefficients.
    let (mut fitted, mut expected) = (0.0, 0.0);
    let (mut fitted_slope, mut expected_slope) = (vec![0.0; width], vec![0.0; width]);
    for cell in &fit.cells {
        for (sum, slope, columns) in [
            (&mut fitted, &mut fitted_slope, fit.kept_columns(cell, |_| false)),
            (&mut expected, &mut expected_slope, fit.kept_columns(cell, named)),
        ] {
            let mean = cell.days * predictor(&columns, &fit.fit.coefficients).exp();
            *sum += mean;
            columns.iter().for_each(|column| slope[*column] += mean);
        }
    }
    let slope: Vec<f64> =
        fitted_slope.iter().zip(&expected_slope).map(|(fitted, expected)| fitted - expected).collect();
    let error = quadratic(&fit.fit.covariance, &slope).sqrt();
    let expected_log_error = quadratic(&fit.fit.covariance, &expected_slope).sqrt() / expected;
    // Fitted leavers are the leavers themselves at the maximum, but for rounding.
    let (excess, reach) = (fitted - expected, confidence.z() * error);
    let excess = Estimate::finite(excess, excess - reach, excess + reach);
    JointExcess {
        status: JointStatus::Ok,
        leavers,
        expected: ratio(expected, expected_log_error, confidence),
        excess,
        standard_error: Some(error).filter(|error| error.is_finite()),
        attributable_share: excess.and_then(|excess| {
            Estimate::finite(excess.estimate / leavers, excess.lower / leavers, excess.upper / leavers)
        }),
        journeys: journeys.iter().cloned().collect(),
        reason: None,
    }
}

fn why(status: JointStatus) -> &'static str {
    match status {
        JointStatus::Ok => "fitted",
        JointStatus::Insufficient => "nobody left",
        JointStatus::TooManyLevels => "too many levels and journeys",
        JointStatus::NotConverged => "the model did not converge",
    }
}

/// vᵀ·M·v of a row-major square matrix.
fn quadratic(matrix: &[f64], vector: &[f64]) -> f64 {
    matrix.chunks_exact(vector.len()).zip(vector).fold(0.0, |sum, (row, left)| {
        sum + left * row.iter().zip(vector).fold(0.0, |sum, (value, right)| sum + value * right)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::joint_cells::JointState;

    fn confidence() -> Confidence {
        Confidence::new(0.95).unwrap()
    }

    /// Cells as controls, exposed and not eligible (names separated by blanks), leavers and person-days.
    fn cells(rows: &[(&str, &str, &str, f64, f64)]) -> JointCells {
        let names = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let mut cells = JointCells::default();
        for (controls, exposed, not_eligible, leavers, days) in rows {
            cells.add(JointState::new(names(controls), names(exposed), names(not_eligible)).unwrap(), *leavers, *days);
        }
        cells
    }

    fn named(journeys: &[&str]) -> BTreeSet<String> {
        journeys.iter().map(|journey| (*journey).to_owned()).collect()
    }

    #[test]
    fn two_journeys_that_multiply_are_told_apart() {
        let rates = joint_rate_ratios(
            &cells(&[
                ("home", "", "", 20.0, 1000.0),
                ("home", "bill", "", 40.0, 1000.0),
                ("home", "bill move", "", 120.0, 1000.0),
                ("work", "move", "", 30.0, 1000.0),
                ("work", "", "", 10.0, 1000.0),
            ]),
            confidence(),
        );
        assert_eq!((rates.status, rates.parameters, rates.leavers), (JointStatus::Ok, Some(4), 220.0));
        let ratios: Vec<f64> = rates.effects.iter().map(|effect| effect.ratio.unwrap().estimate).collect();
        assert!((ratios[0] - 2.0).abs() < 1e-12 && (ratios[1] - 3.0).abs() < 1e-12, "{ratios:?}");
        assert!(rates.deviance.unwrap().abs() < 1e-9);
    }

    #[test]
    fn journeys_always_lived_through_together_are_not_told_apart() {
        let cells = cells(&[
            ("home", "", "", 20.0, 1000.0),
            ("home", "bill move", "", 40.0, 1000.0),
            ("home", "other", "", 30.0, 1000.0),
        ]);
        let rates = joint_rate_ratios(&cells, confidence());
        let reasons: Vec<Option<&str>> = rates.effects.iter().map(|effect| effect.reason.as_deref()).collect();
        assert_eq!(reasons, [Some("cannot be told apart from move"), Some("cannot be told apart from bill"), None]);
        // The kind and the names stand beside the words, so that nobody has to read them out of a sentence.
        let kinds: Vec<(EffectStatus, String)> =
            rates.effects.iter().map(|effect| (effect.status, effect.inseparable_from.join(","))).collect();
        let expected = [
            (EffectStatus::AsOtherJourneys, "move".to_owned()),
            (EffectStatus::AsOtherJourneys, "bill".to_owned()),
            (EffectStatus::Ok, String::new()),
        ];
        assert_eq!(kinds, expected);
        assert!((rates.effects[2].ratio.unwrap().estimate - 1.5).abs() < 1e-12);
        // Together they are known, one of them is not.
        let excess = |journeys: &[&str]| joint_excess(&cells, &named(journeys), confidence());
        assert!((excess(&["bill", "move"]).excess.unwrap().estimate - 20.0).abs() < 1e-9);
        assert_eq!(excess(&["bill"]).reason.as_deref(), Some("bill: cannot be told apart from move"));
        assert_eq!(excess(&["nothing"]).excess, None);
    }

    #[test]
    fn what_has_no_leaver_is_named_and_changes_nothing_else() {
        let with = cells(&[
            ("home", "", "", 20.0, 1000.0),
            ("home", "bill", "", 40.0, 1000.0),
            ("home", "calm", "", 0.0, 500.0),
            ("empty", "bill", "", 0.0, 300.0),
        ]);
        let rates = joint_rate_ratios(&with, confidence());
        assert!((rates.effects[0].ratio.unwrap().estimate - 2.0).abs() < 1e-12);
        assert_eq!(rates.effects[1].reason.as_deref(), Some("nobody left while exposed"));
        assert_eq!(rates.effects[1].status, EffectStatus::NoLeavers);
        assert_eq!(
            (rates.left_out_levels.as_slice(), rates.left_out_days),
            (["empty".to_owned()].as_slice(), Some(800.0))
        );
        assert_eq!(
            joint_excess(&with, &named(&["calm"]), confidence()).reason.as_deref(),
            Some("calm: nobody left while exposed")
        );
    }

    #[test]
    fn a_combination_without_leavers_is_found_by_its_direction() {
        // Exposed to `rare` are only customers of whom nobody left but those who were on `bill` in the other segment.
        let rates = joint_rate_ratios(
            &cells(&[
                ("home", "", "", 20.0, 1000.0),
                ("home", "bill", "", 40.0, 1000.0),
                ("home", "bill rare", "", 0.0, 400.0),
                ("work", "", "", 10.0, 1000.0),
                ("work", "bill", "", 25.0, 1000.0),
                ("work", "bill rare", "", 0.0, 300.0),
            ]),
            confidence(),
        );
        assert_eq!(rates.status, JointStatus::Ok);
        assert!(rates.effects[0].ratio.is_some());
        assert_eq!(rates.effects[1].reason.as_deref(), Some("nobody left while exposed"));
    }

    #[test]
    fn everybody_exposed_cannot_be_compared() {
        let rates = joint_rate_ratios(
            &cells(&[("home", "bill", "", 20.0, 1000.0), ("work", "", "bill", 10.0, 1000.0)]),
            confidence(),
        );
        assert_eq!(rates.effects[0].reason.as_deref(), Some("cannot be told apart from segment, tenure and month"));
        assert_eq!(rates.effects[0].status, EffectStatus::AsStrata);
        assert!(rates.effects[0].inseparable_from.is_empty());
        let never = joint_rate_ratios(&cells(&[("home", "", "bill", 20.0, 1000.0)]), confidence());
        assert_eq!(never.effects[0].reason.as_deref(), Some("nobody was exposed"));
        assert_eq!(never.effects[0].status, EffectStatus::NobodyExposed);
        assert_eq!(joint_rate_ratios(&cells(&[]), confidence()).status, JointStatus::Insufficient);
        let nobody_left = joint_rate_ratios(&cells(&[("home", "bill", "", 0.0, 9.0)]), confidence());
        assert_eq!(nobody_left.effects[0].reason.as_deref(), Some("nobody left"));
        assert_eq!(nobody_left.effects[0].status, EffectStatus::NoModel);
    }

    #[test]
    fn the_excess_of_one_journey_in_one_stratum_is_the_closed_form() {
        let excess = joint_excess(
            &cells(&[("home", "bill", "", 30.0, 1000.0), ("home", "", "", 40.0, 2000.0)]),
            &named(&["bill"]),
            confidence(),
        );
        // a − n1·c/n0 with variance a + w²·c.
        assert!((excess.excess.unwrap().estimate - 10.0).abs() < 1e-9);
        assert!((excess.standard_error.unwrap() - 40.0_f64.sqrt()).abs() < 1e-9);
        assert!((excess.expected.unwrap().estimate - 60.0).abs() < 1e-9);
    }
}
