//! The figures behind the words, with the names that statisticians give them.

use throughline_engine::Estimate;

use super::flags::opposite;
use crate::explain::{Explanation, InPeriod};
use crate::numbers::{fixed, interval, level, small, whole};

/// Tests, ratios, numbers.
pub(super) fn sentences(explanation: &Explanation, at: &InPeriod) -> Vec<String> {
    let mut sentences = vec![tests(explanation, at), ratios(at)];
    sentences.extend(excess(at));
    let numbers = [
        ("person-days exposed", at.exposed_days.map(whole)),
        ("unexposed", at.unexposed_days.map(whole)),
        ("left out", at.left_out_days.map(whole)),
        ("leavers exposed", at.exposed_leavers.map(whole)),
        ("unexposed", at.unexposed_leavers.map(whole)),
        ("effective number of leavers compared with", at.effective_leavers.map(|worth| fixed(worth, 1))),
    ];
    let numbers: Vec<String> =
        numbers.into_iter().filter_map(|(name, number)| Some(format!("{name} {}", number?))).collect();
    if !numbers.is_empty() {
        sentences.push(format!("In numbers: {}.", numbers.join(", ")));
    }
    if let Some(p) = at.homogeneity_p_value {
        sentences.push(format!("Homogeneity of the segments' log rate ratios, Cochran's Q: p {}.", small(p)));
    }
    if !at.flags.is_empty() {
        sentences.push(format!("Flags: {}.", at.flags.join(", ")));
    }
    sentences.push(format!(
        "Intervals: {}. Rates: exact Poisson (Garwood); excess: MOVER of those; adjusted rate ratio: Mantel-Haenszel for \
         person-time over segment × tenure × month (Greenland and Robins).",
        level(explanation.settings.confidence)
    ));
    sentences
}

fn tests(explanation: &Explanation, at: &InPeriod) -> String {
    match (at.p_value, at.q_value) {
        (Some(p), Some(q)) => format!(
            "p {} by itself; q {} among the {} journeys ranked in the period (Benjamini-Hochberg): of all called harmful or \
             protective at q below {}, at most that share is expected to be false. Looking at many periods or segments and \
             picking the best is not covered.",
            small(p),
            small(q),
            explanation.ranking.len(),
            fixed(explanation.settings.false_discovery_rate, 3).trim_end_matches('0')
        ),
        (Some(p), None) => {
            format!("p {} by itself; there is no q, for only ranked journeys are tested together.", small(p))
        }
        _ => "There is no p value: nothing can be compared.".to_owned(),
    }
}

fn ratios(at: &InPeriod) -> String {
    let words = |ratio: Option<Estimate>| ratio.map_or_else(|| "unknown".to_owned(), |ratio| interval(ratio, 2));
    let mutual = match (at.mutual_rate_ratio, &at.mutual_reason) {
        (Some(ratio), _) => interval(ratio, 2),
        (None, Some(reason)) => format!("none, {reason}"),
        (None, None) => "none".to_owned(),
    };
    let phi =
        at.phi.map(|phi| format!(" Correlation φ of being on it with leaving within 90 days: {}.", interval(phi, 3)));
    let q = at.mutual_q_value.map(|q| format!(", q {}", small(q))).unwrap_or_default();
    let decides = match at.rate_ratio.zip(at.adjusted_rate_ratio) {
        Some((crude, adjusted)) if opposite(crude, adjusted) => {
            " Crude and adjusted are on different sides of 1: the adjusted one decides, for it is of like customers."
        }
        _ => "",
    };
    format!(
        "Rate ratio: crude {}, adjusted {}, mutually adjusted for the other journeys (Poisson regression) {mutual}{q}.{decides}{}",
        words(at.rate_ratio),
        words(at.adjusted_rate_ratio),
        phi.unwrap_or_default()
    )
}

fn excess(at: &InPeriod) -> Option<String> {
    let excess = at.excess_churners?;
    let beside = [
        ("expected", at.expected_churners.map(|expected| interval(expected, 1))),
        ("standard error", at.excess_standard_error.map(|error| fixed(error, 1))),
        ("detectable with 80 % power", at.smallest_detectable_excess.map(|smallest| fixed(smallest, 1))),
        ("E-value", at.e_value.map(|value| fixed(value, 2))),
        ("E-value of the limit", at.e_value_limit.map(|value| fixed(value, 2))),
    ];
    let beside = beside.into_iter().filter_map(|(name, figure)| Some(format!(", {name} {}", figure?)));
    Some(format!("Excess: {}{}.", interval(excess, 1), beside.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_on_different_sides_of_1_say_which_decides() {
        let ratio = |value: f64| Some(Estimate { value, lower: Some(value / 2.0), upper: Some(value * 2.0) });
        let mut at = InPeriod {
            rate_ratio: ratio(1.4),
            adjusted_rate_ratio: ratio(0.9),
            mutual_rate_ratio: ratio(0.8),
            mutual_q_value: Some(0.31),
            ..InPeriod::default()
        };
        let words = ratios(&at);
        assert!(words.contains("0.80 (0.40 to 1.60), q 0.31"), "{words}");
        assert!(words.contains("different sides of 1: the adjusted one decides"), "{words}");
        at.adjusted_rate_ratio = ratio(1.1);
        assert!(!ratios(&at).contains("decides"));
    }
}
