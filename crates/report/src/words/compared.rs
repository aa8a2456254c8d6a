//! Who was compared with whom, and how soon after a touchpoint customers leave.

use super::leaving::span;
use crate::explain::{Explanation, InPeriod};
use crate::numbers::{fixed, interval, more_or_fewer, whole};

/// Days on it and off it, who left on them, and who is left out.
pub(super) fn sentences(explanation: &Explanation, at: &InPeriod) -> Vec<String> {
    let count = |number: Option<i64>| number.map_or_else(|| "an unknown number of".to_owned(), whole);
    let horizon = fixed(explanation.settings.exposure_horizon_days, 0);
    let mut sentences = vec![
        format!(
            "On it: {} customers. A customer is on it on each day that follows a touchpoint of it by at most {horizon} days, as \
             far as the company knew of it by then; that makes {} days, on which {} left.",
            count(at.exposed_customers),
            count(at.exposed_days),
            count(at.exposed_leavers)
        ),
        format!(
            "Compared with: {} days off it of customers who could have been on it, of the same segment, as long a customer and \
             in the same month; on them {} left.",
            count(at.unexposed_days),
            count(at.unexposed_leavers)
        ),
    ];
    if at.left_out_days.is_some_and(|days| days > 0) {
        sentences.push(format!(
            "Left out: {} days on it, on which {} left, for nobody like them was off it.",
            count(at.left_out_days),
            count(at.left_out_leavers)
        ));
    }
    if let (Some(on_it), Some(off_it)) = (at.exposed_lost, at.unexposed_lost)
        && on_it + off_it > 0
    {
        sentences.push(format!(
            "Lost from sight for another reason than leaving, so that their days end there: {} while on it, {} while off it.",
            whole(on_it),
            whole(off_it)
        ));
    }
    sentences.push(eligible(explanation));
    if let (Some(instances), Some(customers)) = (at.instances, at.customers) {
        sentences.push(format!(
            "{} instances of {} customers started in the {}.",
            whole(instances),
            whole(customers),
            span(at)
        ));
    }
    sentences
}

fn eligible(explanation: &Explanation) -> String {
    let parts = [
        explanation.eligible.clone(),
        explanation.eligible_from.as_ref().map(|from| format!("from {from}")),
        explanation.eligible_until.as_ref().map(|until| format!("until {until}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        "Every customer could have been on it.".to_owned()
    } else {
        format!("Who could have been on it: {}.", parts.join(", "))
    }
}

/// How often they leave by the time since the latest touchpoint, and what going well would have saved.
pub(super) fn since_touchpoint(explanation: &Explanation, at: &InPeriod) -> Vec<String> {
    let mut sentences: Vec<String> = explanation
        .profile
        .iter()
        .map(|band| {
            let days = band.days.replace('-', " to ");
            match band.adjusted_rate_ratio {
                Some(ratio) => format!(
                    "{days} days after their latest touchpoint of it they leave {} times as often as like customers off it; {} \
                     left.",
                    interval(ratio, 2),
                    band.leavers.map_or_else(|| "an unknown number".to_owned(), whole)
                ),
                None => format!("{days} days after their latest touchpoint of it: too few were there or left to tell."),
            }
        })
        .collect();
    if let Some(why) = explanation.missing.get("profile") {
        sentences.push(format!("Not available by days: {why}."));
    }
    if let Some(avoidable) = at.avoidable_churners {
        sentences.push(format!(
            "Of those whose run did not go well (not completed, something unresolved or a contact repeated), {}, than of like \
             customers whose run went well{}.",
            more_or_fewer(avoidable, &format!("left in the {}", span(at))),
            if avoidable.value > 0.0 { ": what going well would have saved, if how it goes is the cause" } else { "" }
        ));
    }
    sentences
}
