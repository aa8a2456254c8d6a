//! How a journey performs, in plain words.

use crate::explain::{Explanation, Performance};
use crate::numbers::{days, interval, percent_interval, scaled_by, whole};

/// Its quarters, one after another.
pub(super) fn sentences(explanation: &Explanation) -> Vec<String> {
    let mut sentences: Vec<String> = explanation.performance.iter().flat_map(quarter).collect();
    for what in ["performance", "completion"] {
        if let Some(why) = explanation.missing.get(what) {
            sentences.push(format!("Missing, {what}: {why}."));
        }
    }
    sentences
}

fn quarter(performance: &Performance) -> Vec<String> {
    let mut sentences = vec![completion(performance)];
    if performance.maturity_reason.is_some() && performance.measured_instances.is_none_or(|measured| measured == 0) {
        return sentences;
    }
    if let Some(median) = performance.duration_p50_s {
        let ninety = performance.duration_p90_s.map(|p90| format!(", nine of ten within {}", days(p90)));
        let target = performance.duration_p50_s_target.map(|target| format!("; target {}", days(target)));
        sentences.push(format!(
            "{}: half of the {} completed took {} or less{}{}.",
            performance.period,
            performance.measured_completed.or(performance.completed).map_or_else(|| "?".to_owned(), whole),
            days(median),
            ninety.unwrap_or_default(),
            target.unwrap_or_default()
        ));
    }
    if let (Some(per_instance), Some(contacts)) = (performance.contacts_per_instance, performance.contacts) {
        let repeated = performance.repeat_contact_rate.map(|rate| {
            format!(", {:.0} % of them about a topic that already had one within seven days", rate * 100.0)
        });
        sentences.push(format!(
            "{}: {per_instance:.1} contacts an instance ({} in {} instances){}.",
            performance.period,
            whole(contacts),
            whole(performance.measured_instances.unwrap_or(performance.instances)),
            repeated.unwrap_or_default()
        ));
    }
    sentences.push(satisfaction(performance));
    sentences
}

fn completion(performance: &Performance) -> String {
    let parts = [
        (performance.completed, "completed"),
        (performance.abandoned, "given up"),
        (performance.expired, "run out of time"),
        (performance.restarted, "restarted"),
        (performance.open, "open"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter_map(|(number, word)| Some(format!("{} {word}", whole(number.filter(|number| *number > 0)?))))
        .collect();
    let target = performance.completion_rate_target.map(|target| format!(", target {:.0} %", target * 100.0));
    let rate = |rate| format!("completion {}{}", percent_interval(rate), target.unwrap_or_default());
    let rate = match (performance.completion_rate, &performance.maturity_reason) {
        (Some(completed), None) => rate(completed),
        // The short ones are over first, so those that are over by chance say nothing of all.
        (Some(completed), Some(reason)) => format!(
            "{reason}, so what follows is of the {} that started so early that they are over however they went: {}",
            performance.measured_instances.map_or_else(|| "?".to_owned(), whole),
            rate(completed)
        ),
        (None, Some(reason)) => format!("no figures yet, {reason}"),
        (None, None) => "no completion rate".to_owned(),
    };
    format!(
        "{}: {} instances started, of them {}; {rate}.",
        performance.period,
        whole(performance.instances),
        parts.join(", ")
    )
}

/// The gap that a company sees only when it asks about the whole.
fn satisfaction(performance: &Performance) -> String {
    let period = &performance.period;
    let (Some(touchpoints), Some(journey)) = (performance.touchpoint_satisfaction, performance.journey_satisfaction)
    else {
        return format!(
            "{period}: satisfaction cannot be compared, there are no answers about the journey or none about its touchpoints."
        );
    };
    let share = |part: Option<i64>, all: Option<i64>| match (part, all) {
        (Some(part), Some(all)) if all > 0 => format!("{} of {}", whole(part), whole(all)),
        _ => "none".to_owned(),
    };
    let target = performance.journey_satisfaction_target.map(|target| format!(" (target {:.0})", target * 100.0));
    format!(
        "{period}: touchpoints score {:.1} of 100 ({} answers), the journey {:.1} ({} answers){}; {}; satisfied at every \
         touchpoint asked about were {} instances, with the journey as a whole {}.",
        touchpoints * 100.0,
        performance.touchpoint_responses.map_or_else(|| "?".to_owned(), whole),
        journey * 100.0,
        performance.journey_responses.map_or_else(|| "?".to_owned(), whole),
        target.unwrap_or_default(),
        gap(performance),
        share(performance.all_satisfied_instances, performance.touchpoint_answered_instances),
        share(performance.journey_satisfied_instances, performance.journey_answered_instances)
    )
}

/// Of the instances that have both scores: others would compare different customers.
fn gap(performance: &Performance) -> String {
    match (performance.satisfaction_gap, performance.gap_instances) {
        (Some(gap), Some(instances)) => format!(
            "where both were asked, in {} instances, the gap is {} points",
            whole(instances),
            interval(scaled_by(gap, 100.0), 1)
        ),
        (None, Some(instances)) => {
            format!("both were asked in {} instances, too few for a gap", whole(instances))
        }
        _ => "no gap is given".to_owned(),
    }
}
