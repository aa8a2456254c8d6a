//! Figures of person-time, of the joint model and of differences, by the names of the reference files.

use std::collections::BTreeSet;

use throughline_statistics::{
    delong::{TwoScores, auc_difference},
    distributions::Confidence,
    excess_change::{TwoPeriods, excess_change},
    homogeneity::cochran_q,
    joint_cells::{JointCells, JointState},
    joint_rates::{joint_excess, joint_rate_ratios},
    person_time::{e_value, excess_leavers, excess_revenue, mantel_haenszel_rates},
    proportion::Estimate,
    rates::{PersonTime, churn_correlation, poisson_rate, rate_difference, rate_ratio},
    welch::{Sample, welch_difference},
};

use super::figures::{Figures, estimate, named, test};

pub(super) fn figures(function: &str, rows: &[Vec<f64>], horizon: f64, confidence: Confidence) -> Figures {
    let strata = || -> Vec<PersonTime> { rows.iter().map(|row| stratum(row)).collect() };
    match function {
        "poisson_rate" => estimate(poisson_rate(rows[0][0], rows[0][1], confidence)),
        "rate_difference" => estimate(rate_difference(&strata()[0], confidence)),
        "rate_ratio" => estimate(rate_ratio(&strata()[0], confidence)),
        "churn_correlation" => estimate(churn_correlation(&strata()[0], horizon, confidence)),
        "e_value" => named([("value", e_value(rows[0][0]))]),
        "excess_leavers" => excess(&strata(), confidence),
        "mantel_haenszel_rates" => {
            let result = mantel_haenszel_rates(&strata(), confidence);
            let mut figures = estimate(result.rate_ratio);
            figures.extend(named([
                ("log_se", result.log_error),
                ("strata", Some(result.strata as f64)),
                ("uninformative_strata", Some(result.uninformative_strata as f64)),
            ]));
            figures
        }
        "excess_revenue" => {
            let billed: Vec<(PersonTime, f64)> = rows.iter().map(|row| (stratum(row), row[4])).collect();
            estimate(excess_revenue(&billed, confidence))
        }
        "excess_change" => change(rows, confidence),
        "cochran_q" => test("", cochran_q(&rows.iter().map(|row| (row[0], row[1])).collect::<Vec<_>>())),
        "joint_rate_ratios" => {
            let result = joint_rate_ratios(&joint_cells(rows), confidence);
            let mut figures = named([
                ("parameters", result.parameters.map(|parameters| parameters as f64)),
                ("log_likelihood", result.log_likelihood),
                ("deviance", result.deviance),
            ]);
            for effect in result.effects {
                let journey = effect.journey;
                figures.extend(limits(&journey, effect.ratio));
                figures.insert(format!("{journey}_log_se"), effect.log_error);
                figures.insert(format!("{journey}_p_value"), effect.p_value);
            }
            figures
        }
        "joint_excess" => {
            let journeys = (0..8).filter(|place| horizon as u64 & (1 << place) != 0).map(|place| format!("j{place}"));
            let result = joint_excess(&joint_cells(rows), &journeys.collect::<BTreeSet<_>>(), confidence);
            let mut figures = estimate(result.excess);
            figures.insert("standard_error".to_owned(), result.standard_error);
            figures.extend(limits("expected", result.expected));
            figures
        }
        "welch_difference" => {
            let sample = |at: usize| Sample { mean: rows[0][at], variance: rows[0][at + 1], size: rows[0][at + 2] };
            estimate(welch_difference(sample(0), sample(3), confidence))
        }
        "auc_difference" => auc(rows, confidence),
        unknown => panic!("no function {unknown}"),
    }
}

fn stratum(row: &[f64]) -> PersonTime {
    PersonTime::new(row[0], row[1], row[2], row[3]).unwrap()
}

/// An estimate under its own name, with its limits.
fn limits(name: &str, estimate: Option<Estimate>) -> Figures {
    [
        (name.to_owned(), estimate.map(|estimate| estimate.estimate)),
        (format!("{name}_lower"), estimate.map(|estimate| estimate.lower)),
        (format!("{name}_upper"), estimate.map(|estimate| estimate.upper)),
    ]
    .into()
}

fn excess(strata: &[PersonTime], confidence: Confidence) -> Figures {
    let result = excess_leavers(strata, confidence);
    let mut figures = estimate(result.excess);
    figures.extend(limits("expected", result.expected));
    figures.extend(limits("attributable_share", result.attributable_share));
    figures.extend(named([
        ("standard_error", result.standard_error),
        ("p_value", result.p_value),
        ("smallest_detectable", result.smallest_detectable),
        ("scale", result.scale),
        ("standardized_ratio", result.standardized_ratio[0]),
        ("standardized_ratio_lower", result.standardized_ratio[1]),
        ("standardized_ratio_upper", result.standardized_ratio[2]),
        ("e_value", result.e_value[0]),
        ("e_value_limit", result.e_value[1]),
        ("effective_leavers_raw", Some(result.effective_raw)),
        ("effective_leavers_smoothed", Some(result.effective_smoothed)),
        ("exposed_leavers", Some(result.compared.a)),
        ("exposed_days", Some(result.compared.n1)),
        ("unexposed_leavers", Some(result.compared.c)),
        ("unexposed_days", Some(result.compared.n0)),
        ("leavers", Some(result.leavers)),
        ("left_out_strata", Some(result.left_out_strata as f64)),
        ("left_out_days", Some(result.left_out_days)),
        ("left_out_leavers", Some(result.left_out_leavers)),
    ]));
    figures
}

fn change(rows: &[Vec<f64>], confidence: Confidence) -> Figures {
    let strata: Vec<TwoPeriods> =
        rows.iter().map(|row| TwoPeriods { before: stratum(&row[..4]), after: stratum(&row[4..]) }).collect();
    let result = excess_change(&strata, confidence);
    let mut figures = estimate(result.change);
    for (name, part) in [
        ("volume", result.volume),
        ("mix", result.mix),
        ("exposed_rate", result.exposed_rate),
        ("unexposed_rate", result.unexposed_rate),
    ] {
        figures.extend(limits(name, part));
    }
    figures.extend(named([
        ("before", Some(result.before)),
        ("after", Some(result.after)),
        ("strata", Some(result.strata as f64)),
    ]));
    figures
}

/// Leavers, person-days, two controls, then the state of each journey: 0 unexposed, 1 exposed, 2 not eligible.
fn joint_cells(rows: &[Vec<f64>]) -> JointCells {
    let mut cells = JointCells::default();
    for row in rows {
        let controls = row[2..4].iter().map(|level| format!("level {level}")).collect();
        let journeys = |state: f64| {
            let states = row[4..].iter().enumerate().filter(move |(_, other)| **other == state);
            states.map(|(place, _)| format!("j{place}")).collect()
        };
        cells.add(JointState::new(controls, journeys(1.0), journeys(2.0)).unwrap(), row[0], row[1]);
    }
    cells
}

fn auc(rows: &[Vec<f64>], confidence: Confidence) -> Figures {
    let observations: Vec<TwoScores> =
        rows.iter().map(|row| TwoScores { first: row[0], second: row[1], outcome: row[2] == 1.0 }).collect();
    let result = auc_difference(&observations, confidence);
    let mut figures = estimate(result.difference);
    figures.extend(limits("first_auc", result.first));
    figures.extend(limits("second_auc", result.second));
    figures.extend(named([
        ("standard_error", result.standard_error),
        ("p_value", result.p_value),
        ("positives", Some(result.positives as f64)),
        ("negatives", Some(result.negatives as f64)),
    ]));
    figures
}
