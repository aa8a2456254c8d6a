//! Every figure of `reference/*.csv`, which `reference/make_reference.py` takes from scipy, statsmodels and lifelines.

use throughline_statistics::{
    correlation::CorrelationSums,
    distributions::{Confidence, chi_squared_upper_tail, normal_quantile},
    false_discovery::benjamini_hochberg,
    firth, logistic,
    proportion::wilson,
    roc::{ScoredCount, auc},
    stratified::{excess_churners, mantel_haenszel},
    survival::{FollowUp, kaplan_meier_difference},
    two_by_two::{Cells, odds_ratio, phi, risk_difference, risk_ratio},
};

const TOLERANCE: f64 = 1e-9;
/// Below this a p value may be anything that is as small.
const SMALLEST_P: f64 = 1e-300;
const FILES: [&str; 15] = [
    "two_by_two",
    "stratified",
    "distributions",
    "false_discovery",
    "correlation",
    "roc",
    "survival",
    "logistic",
    "firth",
    "rates",
    "person_time",
    "excess_change",
    "homogeneity",
    "joint",
    "differences",
];

mod figures;
mod person_time;

use figures::{Figures, estimate, named, test};

/// One case of a reference file.
struct Case {
    function: String,
    label: String,
    rows: Vec<Vec<Option<f64>>>,
    confidence: Confidence,
    horizon: f64,
    expected: Vec<(String, String)>,
}

#[test]
fn every_figure_agrees_with_its_reference() {
    let mut mistakes = vec![];
    for file in FILES {
        let (mut figures, mut undefined, mut largest) = (0_u64, 0_u64, (0.0_f64, String::new()));
        for case in read(file) {
            let (computed, status) = compute(&case);
            for (name, expected) in &case.expected {
                if name == "status" {
                    if status != expected.as_str() {
                        mistakes
                            .push(format!("{} ({}): status {status}, expected {expected}", case.function, case.label));
                    }
                    continue;
                }
                let place = format!("{} ({}): {name}", case.function, case.label);
                let computed = computed.get(name).unwrap_or_else(|| panic!("{place} is not computed"));
                match deviation(name, *computed, expected) {
                    None => undefined += 1,
                    Some(distance) => {
                        figures += 1;
                        if distance > largest.0 || distance.is_nan() {
                            largest = (distance, place.clone());
                        }
                        if distance.is_nan() || distance > TOLERANCE {
                            mistakes.push(format!("{place} is {computed:?}, expected {expected}: off by {distance:e}"));
                        }
                    }
                }
            }
        }
        println!(
            "{file}: {figures} figures, {undefined} undefined, largest deviation {:e} at {}",
            largest.0, largest.1
        );
        assert!(figures > 50, "{file} holds only {figures} figures");
    }
    assert!(mistakes.is_empty(), "{} mistakes:\n{}", mistakes.len(), mistakes.join("\n"));
}

/// How far a figure is from the expected one: relative for p values, else relative above 1 and absolute below.
/// `None` when both are undefined.
fn deviation(name: &str, computed: Option<f64>, expected: &str) -> Option<f64> {
    match (computed, expected) {
        (None, "null") => None,
        (None, _) | (Some(_), "null") => Some(f64::INFINITY),
        (Some(computed), expected) => {
            let expected: f64 = expected.parse().unwrap();
            let unit = if name.ends_with("p_value") { expected.max(SMALLEST_P) } else { expected.abs().max(1.0) };
            Some((computed - expected).abs() / unit)
        }
    }
}

fn read(file: &str) -> Vec<Case> {
    let path = crate::crate_folder().join("reference").join(format!("{file}.csv"));
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let cases: Vec<Case> = reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            let value = |text: &str| if text == "null" { None } else { Some(text.parse().unwrap()) };
            let rows = record[2].split(';').filter(|row| !row.is_empty());
            Case {
                function: record[0].to_owned(),
                label: record[1].to_owned(),
                rows: rows.map(|row| row.split(' ').map(value).collect()).collect(),
                confidence: Confidence::new(if record[3].is_empty() { 0.95 } else { record[3].parse().unwrap() })
                    .unwrap(),
                horizon: if record[4].is_empty() { 0.0 } else { record[4].parse().unwrap() },
                expected: record[5]
                    .split(' ')
                    .map(|figure| {
                        figure.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap()
                    })
                    .collect(),
            }
        })
        .collect();
    assert!(!cases.is_empty(), "{file} is empty");
    cases
}

fn compute(case: &Case) -> (Figures, &'static str) {
    let rows: Vec<Vec<f64>> =
        case.rows.iter().map(|row| row.iter().map(|value| value.unwrap_or(f64::NAN)).collect()).collect();
    let tables =
        || -> Vec<Cells> { rows.iter().map(|row| Cells::new(row[0], row[1], row[2], row[3]).unwrap()).collect() };
    let confidence = case.confidence;
    let figures = match case.function.as_str() {
        "wilson" => estimate(wilson(rows[0][0], rows[0][1], confidence)),
        "risk_difference" => estimate(risk_difference(&tables()[0], confidence)),
        "phi" => estimate(phi(&tables()[0], confidence)),
        "odds_ratio" => estimate(odds_ratio(&tables()[0], confidence)),
        "risk_ratio" => estimate(risk_ratio(&tables()[0], confidence)),
        "normal_quantile" => named([("quantile", normal_quantile(rows[0][0]))]),
        "chi_squared_upper_tail" => named([("p_value", chi_squared_upper_tail(rows[0][0], rows[0][1] as u64))]),
        "likelihood_ratio_test" => test("", logistic::likelihood_ratio_test(rows[0][0], rows[0][1], rows[0][2] as u64)),
        "mantel_haenszel" => mantel_haenszel_figures(&tables(), confidence),
        "excess_churners" => excess_churners_figures(&tables(), confidence),
        "benjamini_hochberg" => {
            let p_values: Vec<Option<f64>> = case.rows.iter().map(|row| row[0]).collect();
            benjamini_hochberg(&p_values).into_iter().enumerate().map(|(row, q)| (format!("q{row}"), q)).collect()
        }
        "correlation" => {
            let mut sums = CorrelationSums::default();
            rows.iter().for_each(|row| sums.add(row[0], row[1]));
            let mut figures = estimate(sums.estimate(confidence));
            figures.insert("n".to_owned(), Some(sums.n as f64));
            figures
        }
        "auc" => named([("auc", auc(rows.iter().map(|row| scored(row)).collect()))]),
        "kaplan_meier_difference" => survival_figures(&rows, case.horizon, confidence),
        "logistic_fit" => return logistic_figures(&rows),
        "firth_fit" => return firth_figures(&rows),
        "firth_test" => return firth_test_figures(&rows, case.horizon as usize),
        function => person_time::figures(function, &rows, case.horizon, confidence),
    };
    (figures, "ok")
}

fn mantel_haenszel_figures(tables: &[Cells], confidence: Confidence) -> Figures {
    let result = mantel_haenszel(tables, confidence);
    let mut figures = test("homogeneity_", result.homogeneity);
    figures.extend(named([
        ("odds_ratio", result.odds_ratio.map(|ratio| ratio.estimate)),
        ("lower", result.odds_ratio.map(|ratio| ratio.lower)),
        ("upper", result.odds_ratio.map(|ratio| ratio.upper)),
        ("log_se", result.log_error),
        ("cmh_statistic", result.association.map(|test| test.statistic)),
        ("p_value", result.association.map(|test| test.p_value)),
        ("strata", Some(result.strata as f64)),
        ("uninformative_strata", Some(result.uninformative_strata as f64)),
    ]));
    figures
}

fn excess_churners_figures(tables: &[Cells], confidence: Confidence) -> Figures {
    let result = excess_churners(tables, confidence);
    let mut figures = estimate(result.excess);
    figures.extend(named([
        ("churners", Some(result.churners)),
        ("attributable_share", result.attributable_share),
        ("left_out_strata", Some(result.left_out_strata as f64)),
        ("left_out_exposed", Some(result.left_out_exposed)),
    ]));
    figures
}

fn scored(row: &[f64]) -> ScoredCount {
    let outcome = row[1] as u64;
    ScoredCount { score: row[0], positives: outcome, negatives: 1 - outcome }
}

fn survival_figures(rows: &[Vec<f64>], horizon: f64, confidence: Confidence) -> Figures {
    let follow_ups: Vec<FollowUp> =
        rows.iter().map(|row| FollowUp { duration: row[0], event: row[1] == 1.0, exposed: row[2] == 1.0 }).collect();
    let result = kaplan_meier_difference(&follow_ups, horizon, confidence);
    named([
        ("exposed_survival", result.exposed_survival),
        ("unexposed_survival", result.unexposed_survival),
        ("difference", result.difference.map(|difference| difference.estimate)),
        ("lower", result.difference.map(|difference| difference.lower)),
        ("upper", result.difference.map(|difference| difference.upper)),
        ("log_rank_statistic", result.log_rank.map(|test| test.statistic)),
        ("p_value", result.log_rank.map(|test| test.p_value)),
    ])
}

fn logistic_figures(rows: &[Vec<f64>]) -> (Figures, &'static str) {
    let covariates = rows.first().map_or(1, |row| row.len() - 1);
    let fit = logistic::fit(&rows.concat(), covariates);
    let mut figures = named([
        ("log_likelihood", fit.log_likelihood),
        ("null_log_likelihood", fit.null_log_likelihood),
        ("mcfadden_r2", fit.mcfadden_r2),
        ("auc", fit.auc),
        ("n", Some(fit.n as f64)),
    ]);
    for (position, coefficient) in fit.coefficients.unwrap_or_default().into_iter().enumerate() {
        figures.insert(format!("b{position}"), coefficient);
    }
    (figures, fit.status.as_str())
}

fn firth_figures(rows: &[Vec<f64>]) -> (Figures, &'static str) {
    let fit = firth::fit(&rows.concat(), rows[0].len() - 1);
    let mut figures = named([
        ("log_likelihood", fit.log_likelihood),
        ("penalized_log_likelihood", fit.penalized_log_likelihood),
        ("null_log_likelihood", fit.null_log_likelihood),
        ("mcfadden_r2", fit.mcfadden_r2),
        ("auc", fit.auc),
        ("n", Some(fit.n as f64)),
    ]);
    for (position, coefficient) in fit.coefficients.unwrap_or_default().into_iter().enumerate() {
        figures.insert(format!("b{position}"), coefficient);
    }
    (figures, fit.status.as_str())
}

fn firth_test_figures(rows: &[Vec<f64>], tested: usize) -> (Figures, &'static str) {
    let result = firth::test(&rows.concat(), rows[0].len() - 1, tested);
    let mut figures = test("", result.test);
    figures.extend(named([
        ("penalized_log_likelihood", result.penalized_log_likelihood),
        ("restricted_log_likelihood", result.restricted_log_likelihood),
    ]));
    (figures, result.status.as_str())
}
