//! What holds for any person-time: intervals and p values say the same, one stratum is the closed form, the order and
//! the split of the rows do not show, and no number makes anything panic.

use std::collections::BTreeSet;

use proptest::prelude::*;
use throughline_statistics::{
    delong::{TwoScores, auc_difference},
    distributions::Confidence,
    excess_change::{TwoPeriods, excess_change},
    gamma_quantile::{Tail, gamma_quantile_distance},
    homogeneity::cochran_q,
    joint_cells::{JointCells, JointState},
    joint_rates::{joint_excess, joint_rate_ratios},
    person_time::{e_value, excess_leavers, excess_revenue, mantel_haenszel_rates},
    proportion::Estimate,
    rates::{PersonTime, churn_correlation, garwood_reach, poisson_rate, rate_difference, rate_ratio},
    roc::{ScoredCount, auc},
    welch::{Sample, welch_difference},
};

use crate::generators::{anything, close, confidence, shuffled, stratum};

fn holds(estimate: Option<Estimate>) -> bool {
    estimate.is_none_or(|estimate| {
        let finite = [estimate.estimate, estimate.lower, estimate.upper].into_iter().all(f64::is_finite);
        finite && estimate.lower <= estimate.estimate && estimate.estimate <= estimate.upper
    })
}

/// Cells of two controls and three journeys.
fn joint_rows() -> impl Strategy<Value = Vec<(JointState, f64, f64)>> {
    let row = (0..3_u8, 0..2_u8, [0..3_u8, 0..3_u8, 0..3_u8], 1..5000_u32, 0.0..0.01).prop_map(
        |(segment, month, states, days, rate): (u8, u8, [u8; 3], u32, f64)| {
            let journeys = |state: u8| {
                let states = states.iter().enumerate().filter(move |(_, other)| **other == state);
                states.map(|(place, _)| format!("j{place}")).collect::<Vec<_>>()
            };
            let controls = vec![format!("segment {segment}"), format!("month {month}")];
            let state = JointState::new(controls, journeys(1), journeys(2)).unwrap();
            (state, (f64::from(days) * rate).floor(), f64::from(days))
        },
    );
    prop::collection::vec(row, 0..60)
}

fn cells(rows: &[(JointState, f64, f64)]) -> JointCells {
    let mut cells = JointCells::default();
    rows.iter().for_each(|(state, leavers, days)| cells.add(state.clone(), *leavers, *days));
    cells
}

proptest! {
    #[test]
    fn any_number_has_a_finite_figure_or_none(values in prop::collection::vec(anything(), 8), level in anything()) {
        let confidence = Confidence::new(level).unwrap_or(confidence());
        prop_assert!(holds(poisson_rate(values[0], values[1], confidence)));
        prop_assert!(garwood_reach(values[0], confidence).is_none_or(|(below, above)| below >= 0.0 && above >= 0.0));
        for tail in [Tail::Lower, Tail::Upper] {
            prop_assert!(gamma_quantile_distance(values[0], tail, values[1]).is_none_or(f64::is_finite));
        }
        let periods = (
            PersonTime::new(values[0], values[1], values[2], values[3]),
            PersonTime::new(values[4], values[5], values[6], values[7]),
        );
        if let (Some(arms), Some(other)) = periods {
            prop_assert!(holds(rate_ratio(&arms, confidence)) && holds(rate_difference(&arms, confidence)));
            prop_assert!(holds(churn_correlation(&arms, 90.0, confidence)));
            prop_assert!(holds(mantel_haenszel_rates(&[arms, other], confidence).rate_ratio));
            let excess = excess_leavers(&[arms, other], confidence);
            prop_assert!(holds(excess.excess) && holds(excess.expected));
            prop_assert!(excess.p_value.is_none_or(|p| (0.0..=1.0).contains(&p)));
            prop_assert_eq!(excess.excess.is_none(), excess.reason.is_some());
            prop_assert!(holds(excess_revenue(&[(arms, values[1]), (other, values[2])], confidence)));
            let change = excess_change(&[TwoPeriods { before: arms, after: other }], confidence);
            prop_assert!([change.change, change.volume, change.mix, change.exposed_rate].into_iter().all(holds));
        }
        prop_assert!(e_value(values[0]).is_none_or(|value| value >= 1.0 && value.is_finite()));
        cochran_q(&[(values[0], values[1]), (values[2], values[3])]);
        let sample = |at: usize| Sample { mean: values[at], variance: values[at + 1], size: values[at + 2] };
        prop_assert!(holds(welch_difference(sample(0), sample(3), confidence)));
    }

    #[test]
    fn strata_in_any_order_give_the_same_bits((one, other) in shuffled(prop::collection::vec((stratum(90000), -50..900), 0..12))) {
        let strata = |rows: &[(PersonTime, i32)]| rows.iter().map(|(stratum, _)| *stratum).collect::<Vec<_>>();
        prop_assert_eq!(excess_leavers(&strata(&one), confidence()), excess_leavers(&strata(&other), confidence()));
        prop_assert_eq!(mantel_haenszel_rates(&strata(&one), confidence()), mantel_haenszel_rates(&strata(&other), confidence()));
        let billed = |rows: &[(PersonTime, i32)]| rows.iter().map(|(stratum, billed)| (*stratum, f64::from(*billed))).collect::<Vec<_>>();
        prop_assert_eq!(excess_revenue(&billed(&one), confidence()), excess_revenue(&billed(&other), confidence()));
    }

    #[test]
    fn the_p_value_and_the_interval_say_the_same(strata in prop::collection::vec(stratum(90000), 1..8), level in 0.5..0.999) {
        let confidence = Confidence::new(level).unwrap();
        let result = excess_leavers(&strata, confidence);
        if let (Some(excess), Some(p_value)) = (result.excess, result.p_value) {
            prop_assert!(excess.lower <= excess.estimate && excess.estimate <= excess.upper);
            let leaves_out_none = excess.lower > 0.0 || excess.upper < 0.0;
            prop_assert_eq!(p_value < 1.0 - level, leaves_out_none, "{} {:?}", p_value, excess);
            // And the limit at the level of the p value is 0.
            if let Some(at_p) = Confidence::new(1.0 - p_value).filter(|_| p_value < 1.0 && p_value > 1e-12) {
                let excess = excess_leavers(&strata, at_p).excess.unwrap();
                let limit = if excess.estimate > 0.0 { excess.lower } else { excess.upper };
                prop_assert!(limit.abs() < 1e-6 * result.compared.leavers().max(1.0), "{limit}");
            }
        }
    }

    #[test]
    fn one_stratum_is_the_closed_form(arms in stratum(90000)) {
        let pooled = mantel_haenszel_rates(&[arms], confidence()).rate_ratio;
        prop_assert_eq!(pooled.is_some(), rate_ratio(&arms, confidence()).is_some() );
        if let (Some(own), Some(pooled)) = (rate_ratio(&arms, confidence()), pooled) {
            prop_assert!(close(own.estimate, pooled.estimate) && close(own.lower, pooled.lower) && close(own.upper, pooled.upper));
        }
        let excess = excess_leavers(&[arms], confidence());
        // In one stratum every weight is the same, so the excess is the difference of the rates times the days.
        if let (Some(difference), Some(excess)) = (rate_difference(&arms, confidence()), excess.excess) {
            for (rate, customers) in [(difference.estimate, excess.estimate), (difference.lower, excess.lower), (difference.upper, excess.upper)] {
                prop_assert!(close(rate * arms.n1, customers), "{rate} {customers}");
            }
        }
        let comparable = if arms.n1 > 0.0 { arms.c } else { 0.0 };
        prop_assert!(close(excess.effective_raw, comparable));
    }

    #[test]
    fn a_stratum_without_unexposed_changes_only_what_is_left_out(strata in prop::collection::vec(stratum(90000), 1..6), days in 1..5000_u32) {
        let (few, mut more) = (excess_leavers(&strata, confidence()), strata.clone());
        more.push(PersonTime::new(1.0, f64::from(days), 0.0, 0.0).unwrap());
        let more = excess_leavers(&more, confidence());
        prop_assert_eq!((few.excess, few.p_value, few.expected), (more.excess, more.p_value, more.expected));
        prop_assert_eq!(more.left_out_days - few.left_out_days, f64::from(days));
        prop_assert_eq!((more.left_out_leavers - few.left_out_leavers, more.leavers - few.leavers), (1.0, 1.0));
        prop_assert_eq!(more.left_out_strata, few.left_out_strata + 1);
    }

    #[test]
    fn the_parts_of_a_change_add_up((one, other) in shuffled(prop::collection::vec((stratum(9000), stratum(9000)), 1..8))) {
        let periods = |rows: &[(PersonTime, PersonTime)]| {
            rows.iter().map(|(before, after)| TwoPeriods { before: *before, after: *after }).collect::<Vec<_>>()
        };
        let result = excess_change(&periods(&one), confidence());
        prop_assert_eq!(result, excess_change(&periods(&other), confidence()));
        let parts = [result.volume, result.mix, result.exposed_rate, result.unexposed_rate];
        prop_assert_eq!(result.change.is_some(), parts.into_iter().all(|part| part.is_some()));
        if let Some(change) = result.change {
            prop_assert!(close(change.estimate, parts.iter().flatten().map(|part| part.estimate).sum()));
            prop_assert!(close(change.estimate, result.after - result.before));
            let excess = |period: fn(&(PersonTime, PersonTime)) -> PersonTime| {
                excess_leavers(&one.iter().map(period).collect::<Vec<_>>(), confidence()).excess.map_or(0.0, |excess| excess.estimate)
            };
            prop_assert!(close(result.before, excess(|row| row.0)) && close(result.after, excess(|row| row.1)));
            // Turned about in time every part changes its sign.
            let back: Vec<TwoPeriods> = one.iter().map(|(before, after)| TwoPeriods { before: *after, after: *before }).collect();
            let back = excess_change(&back, confidence());
            for (part, back) in [(result.volume, back.volume), (result.mix, back.mix), (result.exposed_rate, back.exposed_rate)] {
                let (part, back) = (part.unwrap(), back.unwrap());
                prop_assert!(close(part.estimate, -back.estimate) && close(part.lower, -back.upper));
            }
        }
    }

    #[test]
    fn joint_cells_in_any_order_and_split_give_the_same_bits((one, other) in shuffled(joint_rows())) {
        // Every row of the second is split over two.
        let split: Vec<_> = other.iter().flat_map(|(state, leavers, days)| {
            let part = (days / 3.0).floor();
            [(state.clone(), 0.0, part), (state.clone(), *leavers, days - part)]
        }).collect();
        let (one, other) = (cells(&one), cells(&split));
        prop_assert_eq!(joint_rate_ratios(&one, confidence()), joint_rate_ratios(&other, confidence()));
        let journeys: BTreeSet<String> = ["j0", "j2"].map(str::to_owned).into();
        prop_assert_eq!(joint_excess(&one, &journeys, confidence()), joint_excess(&other, &journeys, confidence()));
    }

    #[test]
    fn every_journey_has_a_ratio_or_a_reason(rows in joint_rows()) {
        let result = joint_rate_ratios(&cells(&rows), confidence());
        for effect in &result.effects {
            prop_assert_eq!(effect.ratio.is_some(), effect.reason.is_none(), "{:?}", effect);
            prop_assert!(holds(effect.ratio));
        }
        prop_assert!(matches!(result.status.as_str(), "ok" | "insufficient"), "{:?}", result);
    }

    #[test]
    fn alone_a_journey_has_its_own_rate_ratio(arms in stratum(90000)) {
        let row = |exposed: &[&str], leavers, days| {
            (JointState::new(vec!["all".to_owned()], exposed.iter().map(|name| (*name).to_owned()).collect(), vec![]).unwrap(), leavers, days)
        };
        let result = joint_rate_ratios(&cells(&[row(&["j"], arms.a, arms.n1), row(&[], arms.c, arms.n0)]), confidence());
        match (rate_ratio(&arms, confidence()), result.effects[0].ratio) {
            (Some(own), Some(fitted)) => prop_assert!(close(own.estimate, fitted.estimate) && close(own.upper, fitted.upper)),
            (own, fitted) => prop_assert_eq!(own, fitted),
        }
    }

    #[test]
    fn the_difference_of_two_areas_is_that_of_each(rows in prop::collection::vec((0..20_i32, 0..20_i32, any::<bool>()), 4..40)) {
        let observations: Vec<TwoScores> = rows.iter().map(|(first, second, outcome)| {
            TwoScores { first: f64::from(*first), second: f64::from(*second), outcome: *outcome }
        }).collect();
        let result = auc_difference(&observations, confidence());
        let area = |score: fn(&TwoScores) -> f64| auc(observations.iter().map(|row| ScoredCount {
            score: score(row), positives: u64::from(row.outcome), negatives: u64::from(!row.outcome),
        }).collect());
        if let Some(difference) = result.difference {
            prop_assert!(close(result.first.unwrap().estimate, area(|row| row.first).unwrap()));
            prop_assert!(close(difference.estimate, area(|row| row.first).unwrap() - area(|row| row.second).unwrap()));
            let turned: Vec<TwoScores> = observations.iter().rev().map(|row| TwoScores { first: row.second, second: row.first, ..*row }).collect();
            let turned = auc_difference(&turned, confidence());
            prop_assert_eq!(turned.difference.unwrap().estimate.to_bits(), (0.0 - difference.estimate).to_bits());
            prop_assert_eq!(turned.standard_error, result.standard_error);
        }
    }
}
