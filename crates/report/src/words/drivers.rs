//! Whether a journey's score or its touchpoints' scores explain leaving, in plain words.

use crate::explain::{Drivers, Explanation};
use crate::numbers::{fixed, interval, small, whole};

/// The verdict with its tests, or why there is none.
pub(super) fn sentences(explanation: &Explanation) -> Vec<String> {
    if explanation.drivers.is_empty() {
        let why = explanation.missing.get("drivers").map_or("nothing is published of it", String::as_str);
        return vec![format!("Not available: {why}.")];
    }
    explanation.drivers.iter().flat_map(of_day).collect()
}

fn of_day(drivers: &Drivers) -> Vec<String> {
    let people = format!(
        "{} customers who were on it before {} with both scores, {} of whom left in the time after",
        drivers.responders.map_or_else(|| "no".to_owned(), whole),
        drivers.landmark,
        drivers.churners.map_or_else(|| "?".to_owned(), whole)
    );
    let mut sentences = match &drivers.verdict {
        None => {
            let reason = drivers.reason.as_deref().unwrap_or(&drivers.status);
            vec![format!("No verdict: {reason}; {people}.")]
        }
        Some(verdict) => vec![format!("{}; {people}.", in_words(verdict))],
    };
    sentences.extend(satisfaction(drivers));
    sentences
}

/// A verdict is never that something has no effect.
fn in_words(verdict: &str) -> String {
    match verdict {
        "journey" => "What customers say of the journey as a whole tells more of who leaves than what they say of its \
                      touchpoints"
            .to_owned(),
        "touchpoints" => {
            "What customers say of its touchpoints tells more of who leaves than what they say of the journey as \
                          a whole"
                .to_owned()
        }
        "undecided" => {
            "Undecided whether scores of the journey or of its touchpoints tell more of who leaves, which is not \
                        to say that neither does"
                .to_owned()
        }
        other => {
            let mut signs = other.chars();
            signs.next().map(|first| first.to_uppercase().chain(signs).collect()).unwrap_or_default()
        }
    }
}

/// The tests behind a verdict, in a statistician's words.
pub(super) fn tests(explanation: &Explanation) -> Vec<String> {
    explanation.drivers.iter().filter(|drivers| drivers.verdict.is_some()).flat_map(tests_of_day).collect()
}

fn tests_of_day(drivers: &Drivers) -> Vec<String> {
    let mut sentences = Vec::new();
    let day = &drivers.landmark;
    if let (Some(journey), Some(touchpoint)) =
        (drivers.journey_beyond_touchpoint_p_value, drivers.touchpoint_beyond_journey_p_value)
    {
        sentences.push(format!(
            "Scores at landmark {day}: does the journey score add to touchpoint scores: p {}; the other way round: p {} \
             (likelihood-ratio tests, segment and tenure in both models).",
            small(journey),
            small(touchpoint)
        ));
    }
    if let (Some(journey), Some(touchpoint)) = (drivers.journey_auc, drivers.touchpoint_auc) {
        let difference = drivers.auc_difference;
        let difference = difference.map(|difference| format!(", difference {} (DeLong)", interval(difference, 3)));
        sentences.push(format!(
            "Scores at landmark {day}: AUC {} with the journey score, {} with touchpoint scores{}; in-sample, so both flatter.",
            fixed(journey, 3),
            fixed(touchpoint, 3),
            difference.unwrap_or_default()
        ));
    }
    sentences
}

/// How leaving goes with the score of the journey as a whole.
fn satisfaction(drivers: &Drivers) -> Option<String> {
    let ratio = drivers.satisfaction_rate_ratio;
    let link = drivers.journey_satisfaction_link;
    let words = match (ratio, link) {
        (None, None) => {
            let reason = drivers.satisfaction_reason.as_ref()?;
            return Some(format!("How satisfaction with it goes with leaving is not known: {reason}."));
        }
        (Some(ratio), None) => {
            format!("the least satisfied third leaves {} times as often as the most satisfied", interval(ratio, 2))
        }
        (None, Some(link)) => format!("their score correlates with leaving by {}", interval(link, 2)),
        (Some(ratio), Some(link)) => format!(
            "the least satisfied third leaves {} times as often as the most satisfied; correlation of score and leaving {}",
            interval(ratio, 2),
            interval(link, 2)
        ),
    };
    Some(format!(
        "Of {} customers with a score of the journey before {}, {words}.",
        drivers.journey_satisfaction_customers.map_or_else(|| "the".to_owned(), whole),
        drivers.landmark
    ))
}

#[cfg(test)]
mod tests {
    use throughline_engine::Estimate;

    use super::*;

    #[test]
    fn no_verdict_says_that_something_does_nothing() {
        let drivers = |verdict: Option<&str>| Drivers {
            landmark: "2026-07-01".to_owned(),
            status: "ok".to_owned(),
            responders: Some(400),
            churners: Some(31),
            verdict: verdict.map(str::to_owned),
            ..Drivers::default()
        };
        let words = |verdict: Option<&str>| {
            sentences(&Explanation { drivers: vec![drivers(verdict)], ..Explanation::default() }).join(" ")
        };
        let undecided = words(Some("undecided"));
        assert!(undecided.contains("which is not to say that neither does; 400 customers"), "{undecided}");
        assert!(words(Some("journey")).starts_with("What customers say of the journey as a whole tells more"));
        assert!(words(None).starts_with("No verdict: ok; 400 customers who were on it before 2026-07-01"));

        let ratio = Estimate { value: 2.5, lower: Some(1.4), upper: Some(4.4) };
        let linked = Drivers {
            satisfaction_rate_ratio: Some(ratio),
            journey_satisfaction_customers: Some(612),
            ..drivers(Some("journey"))
        };
        let words = sentences(&Explanation { drivers: vec![linked], ..Explanation::default() }).join(" ");
        let link = "Of 612 customers with a score of the journey before 2026-07-01, the least satisfied third leaves 2.50 \
                    (1.40 to 4.40) times as often as the most satisfied.";
        assert!(words.contains(link), "{words}");
    }
}
