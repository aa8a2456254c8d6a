//! What holds for any data: identities between figures, independence of the order of rows, and no panic on any number.

use proptest::prelude::*;
use throughline_statistics::{
    correlation::CorrelationSums,
    distributions::{Confidence, MOST_DEGREES_OF_FREEDOM, chi_squared_upper_tail, normal_quantile},
    exact_sum::ExactSum,
    false_discovery::benjamini_hochberg,
    logistic::{self, FitStatus},
    proportion::wilson,
    roc::{ScoredCount, auc},
    stratified::{excess_churners, mantel_haenszel},
    survival::{FollowUp, kaplan_meier_difference},
    two_by_two::{Cells, odds_ratio, phi, risk_difference, risk_ratio},
};

use crate::generators::{anything, close, confidence, shuffled, table};

fn follow_up() -> impl Strategy<Value = FollowUp> {
    let duration = prop_oneof![(0..120).prop_map(f64::from), 0.0..1e308];
    (duration, any::<bool>(), any::<bool>()).prop_map(|(duration, event, exposed)| FollowUp {
        duration,
        event,
        exposed,
    })
}

proptest! {
    #[test]
    fn scalars_have_a_finite_figure_or_none(values in [anything(), anything(), anything(), anything()], level in anything()) {
        let confidence = Confidence::new(level).unwrap_or(confidence());
        let [a, b, c, d] = values;
        let mut estimates = vec![wilson(a, b, confidence)];
        if let Some(cells) = Cells::new(a, b, c, d) {
            estimates.extend([risk_difference, phi, odds_ratio, risk_ratio].map(|figure| figure(&cells, confidence)));
        }
        for estimate in estimates.into_iter().flatten() {
            prop_assert!(estimate.estimate.is_finite() && estimate.lower.is_finite() && estimate.upper.is_finite());
            prop_assert!(estimate.lower <= estimate.estimate && estimate.estimate <= estimate.upper, "{estimate:?}");
        }
        prop_assert!(normal_quantile(a).is_none_or(f64::is_finite));
        let tail = chi_squared_upper_tail(a, b as u64 % (MOST_DEGREES_OF_FREEDOM + 2));
        prop_assert!(tail.is_none_or(|p| (0.0..=1.0).contains(&p)));
        let test = logistic::likelihood_ratio_test(a, b, c as u64);
        prop_assert!(test.is_none_or(|test| (0.0..=1.0).contains(&test.p_value)));
    }

    #[test]
    fn aggregates_take_any_finite_number(
        cells in prop::collection::vec([anything(), anything(), anything(), anything()], 0..8),
        pairs in prop::collection::vec((anything(), anything()), 0..20),
        follow_ups in prop::collection::vec(follow_up(), 0..30),
        observations in prop::collection::vec((any::<bool>(), anything(), anything()), 0..30),
    ) {
        let cells: Vec<Cells> = cells.into_iter().filter_map(|[a, b, c, d]| Cells::new(a, b, c, d)).collect();
        let pooled = mantel_haenszel(&cells, confidence());
        prop_assert!(pooled.association.is_none_or(|test| (0.0..=1.0).contains(&test.p_value)));
        excess_churners(&cells, confidence());

        let mut sums = CorrelationSums::default();
        pairs.iter().filter(|(x, y)| x.is_finite() && y.is_finite()).for_each(|(x, y)| sums.add(*x, *y));
        prop_assert!(sums.estimate(confidence()).is_none_or(|r| r.lower <= r.estimate && r.estimate <= r.upper));

        let result = kaplan_meier_difference(&follow_ups, 90.0, confidence());
        prop_assert!(result.exposed_survival.is_none_or(|share| (0.0..=1.0).contains(&share)));

        let rows: Vec<f64> = observations
            .iter()
            .filter(|(_, x, y)| x.is_finite() && y.is_finite())
            .flat_map(|(outcome, x, y)| [f64::from(u8::from(*outcome)), *x, *y])
            .collect();
        let fit = logistic::fit(&rows, 2);
        prop_assert_eq!(fit.status == FitStatus::Ok, fit.coefficients.is_some());
    }

    #[test]
    fn phi_is_the_risk_difference_in_other_units(cells in table(2000)) {
        if let Some(phi) = phi(&cells, confidence()) {
            let difference = risk_difference(&cells, confidence()).unwrap();
            let factor = (cells.exposed() * cells.unexposed() / cells.churned() / cells.stayed()).sqrt();
            prop_assert!(close(phi.estimate, difference.estimate * factor));
            prop_assert!(close(phi.lower, difference.lower * factor));
        }
    }

    #[test]
    fn swapping_the_arms_turns_every_figure(cells in table(2000)) {
        let swapped = Cells::new(cells.c, cells.d, cells.a, cells.b).unwrap();
        if let (Some(one), Some(other)) = (odds_ratio(&cells, confidence()), odds_ratio(&swapped, confidence())) {
            prop_assert!(close(one.estimate * other.estimate, 1.0) && close(one.lower * other.upper, 1.0));
        }
        if let (Some(one), Some(other)) = (risk_difference(&cells, confidence()), risk_difference(&swapped, confidence())) {
            prop_assert!(close(one.estimate, -other.estimate) && close(one.lower, -other.upper));
        }
    }

    #[test]
    fn one_stratum_pools_to_its_own_odds_ratio(cells in table(2000)) {
        let pooled = mantel_haenszel(&[cells], confidence()).odds_ratio;
        if let Some(own) = odds_ratio(&cells, confidence()) {
            let pooled = pooled.unwrap();
            prop_assert!(close(own.estimate, pooled.estimate) && close(own.lower, pooled.lower));
        }
    }

    #[test]
    fn without_effect_nobody_leaves_in_excess(row in 1u32..500, other in 1u32..500, churned in 0u32..90, stayed in 1u32..90) {
        let [row, other, churned, stayed] = [row, other, churned, stayed].map(f64::from);
        let cells = Cells::new(row * churned, row * stayed, other * churned, other * stayed).unwrap();
        prop_assert_eq!(excess_churners(&[cells], confidence()).excess.unwrap().estimate, 0.0);
    }

    #[test]
    fn strata_in_any_order_give_the_same_bits((one, other) in shuffled(prop::collection::vec(table(300), 0..12))) {
        prop_assert_eq!(mantel_haenszel(&one, confidence()), mantel_haenszel(&other, confidence()));
        prop_assert_eq!(excess_churners(&one, confidence()), excess_churners(&other, confidence()));
    }

    #[test]
    fn exact_sums_do_not_know_the_order(
        (values, other) in shuffled(prop::collection::vec(-1e100..1e100, 0..40)),
        cut in 0usize..40,
    ) {
        let whole = ExactSum::from_parts(values.iter().copied());
        let (left, right) = other.split_at(cut.min(other.len()));
        let mut merged = ExactSum::from_parts(left.iter().copied());
        merged.merge(&ExactSum::from_parts(right.iter().copied()));
        prop_assert_eq!(whole.value().to_bits(), merged.value().to_bits());
    }

    #[test]
    fn the_correlation_of_two_flags_is_phi(cells in table(40)) {
        let mut sums = CorrelationSums::default();
        for (count, x, y) in [(cells.a, 1.0, 1.0), (cells.b, 1.0, 0.0), (cells.c, 0.0, 1.0), (cells.d, 0.0, 0.0)] {
            (0..count as u32).for_each(|_| sums.add(x, y));
        }
        let (correlation, phi) = (sums.estimate(confidence()), phi(&cells, confidence()));
        prop_assert_eq!(correlation.is_some(), phi.is_some());
        if let (Some(correlation), Some(phi)) = (correlation, phi) {
            prop_assert!(close(correlation.estimate, phi.estimate));
        }
    }

    #[test]
    fn turning_the_score_turns_the_area(scores in prop::collection::vec((0i32..20, any::<bool>()), 0..60)) {
        let counts = |sign: f64| scores.iter().map(move |(score, outcome)| ScoredCount {
            score: sign * f64::from(*score),
            positives: u64::from(*outcome),
            negatives: u64::from(!outcome),
        }).collect::<Vec<_>>();
        if let (Some(one), Some(other)) = (auc(counts(1.0)), auc(counts(-1.0))) {
            prop_assert!(close(one + other, 1.0));
        }
    }

    #[test]
    fn without_censoring_survival_is_one_less_the_rate(cells in table(60)) {
        let mut follow_ups = vec![];
        for (count, event, exposed) in [(cells.a, true, true), (cells.b, false, true), (cells.c, true, false), (cells.d, false, false)] {
            follow_ups.extend((0..count as u32).map(|day| FollowUp {
                duration: if event { f64::from(day % 90) } else { 90.0 },
                event,
                exposed,
            }));
        }
        let result = kaplan_meier_difference(&follow_ups, 90.0, confidence());
        if let (Some(survival), Some(risk)) = (result.difference, risk_difference(&cells, confidence())) {
            prop_assert!(close(survival.estimate, -risk.estimate));
        }
    }

    #[test]
    fn a_dummy_model_is_the_odds_ratio(a in 1u32..40, b in 1u32..40, c in 1u32..40, d in 1u32..40) {
        let mut rows = vec![];
        for (count, outcome, exposed) in [(a, 1.0, 1.0), (b, 0.0, 1.0), (c, 1.0, 0.0), (d, 0.0, 0.0)] {
            (0..count).for_each(|_| rows.extend([outcome, exposed]));
        }
        let cells = Cells::new(f64::from(a), f64::from(b), f64::from(c), f64::from(d)).unwrap();
        let ratio = odds_ratio(&cells, confidence()).unwrap().estimate;
        let fit = logistic::fit(&rows, 1);
        if fit.status != FitStatus::Insufficient {
            prop_assert!(close(fit.coefficients.unwrap()[1].unwrap(), ratio.ln()));
        }
    }

    #[test]
    fn separated_outcomes_are_called_separated(
        low in prop::collection::vec(-50i32..0, 3..20),
        high in prop::collection::vec(0i32..50, 3..20),
        noise in prop::collection::vec(-9i32..9, 40),
    ) {
        let rows: Vec<f64> = low.iter().map(|x| (0.0, x)).chain(high.iter().map(|x| (1.0, x))).zip(&noise)
            .flat_map(|((outcome, x), noise)| [outcome, f64::from(*x), f64::from(*noise)])
            .collect();
        let status = logistic::fit(&rows, 2).status;
        prop_assert!(matches!(status, FitStatus::Separation | FitStatus::Singular), "{status:?}");
    }

    #[test]
    fn q_values_are_above_p_and_in_the_same_order(p_values in prop::collection::vec(prop::option::of(0.0..=1.0), 0..40)) {
        let q_values = benjamini_hochberg(&p_values);
        let pairs: Vec<(f64, f64)> = p_values.iter().zip(&q_values).filter_map(|(p, q)| p.zip(*q)).collect();
        prop_assert_eq!(pairs.len(), p_values.iter().flatten().count());
        for (p, q) in &pairs {
            prop_assert!(q >= p && *q <= 1.0);
            prop_assert!(pairs.iter().all(|(other_p, other_q)| other_p < p || other_q >= q));
        }
    }
}
