//! Why a journey has its rank, what experts say, and why the rank is another than before.

use throughline_engine::{Estimate, ExcessChange};

use super::leaving::{headline, span, why_not};
use crate::explain::{Explanation, InPeriod};
use crate::numbers::{fixed, more_or_fewer, rounded, signed, whole};
use crate::tier::Tier;

/// Its place, or why it has none, in this period and in those around it.
pub(super) fn sentences(explanation: &Explanation) -> Vec<String> {
    let mut sentences = Vec::new();
    match &explanation.period {
        None => sentences.push(format!(
            "It has no rank: {}.",
            explanation.missing.get("churn").map_or("no period has figures yet", String::as_str)
        )),
        Some(at) if at.rank.is_none() => sentences.extend(unranked(explanation, at)),
        Some(at) => {
            sentences.push(place(explanation, at));
            sentences.extend(judgement(explanation, at));
        }
    }
    if let Some(last) = &explanation.last_ranked {
        sentences.push(format!(
            "The newest {} in which it is ranked is {}, number {}, {}. {}",
            span(last),
            last.period,
            last.rank.map_or_else(|| "?".to_owned(), whole),
            last.tier.word(),
            headline(&explanation.journey, last)
        ));
    }
    if let Some(at) = &explanation.period {
        sentences.extend(moved(at));
    }
    sentences.extend(explanation.running.iter().map(running));
    sentences
}

fn unranked(explanation: &Explanation, at: &InPeriod) -> Vec<String> {
    let settings = &explanation.settings;
    let mut sentences = vec![format!("It is not ranked in {}: {}.", at.period, why_not(settings, at))];
    if at.status == "insufficient" {
        sentences.push(format!(
            "Asked for are at least {} customers on it, {} of them leaving, and others who leave worth {} to compare with; \
             there are {} customers, {} of whom left, and others worth {}.",
            whole(settings.minimum_exposed),
            whole(settings.minimum_churners),
            whole(settings.minimum_compared),
            at.exposed_customers.map_or_else(|| "no".to_owned(), whole),
            at.exposed_leavers.map_or_else(|| "none".to_owned(), whole),
            at.effective_leavers.map_or_else(|| "0".to_owned(), |worth| fixed(worth, 1))
        ));
    }
    sentences
}

fn running(at: &InPeriod) -> String {
    let so_far = match at.excess_churners {
        Some(excess) => format!(": so far {}, if the journey is the cause", more_or_fewer(excess, "left")),
        None => String::new(),
    };
    format!("{} is still running and not ranked{so_far}.", at.period)
}

fn place(explanation: &Explanation, at: &InPeriod) -> String {
    let limit = |pick: fn(Estimate) -> Option<f64>| {
        at.excess_churners.and_then(pick).map_or_else(String::new, |limit| format!(": here {}", rounded(limit)))
    };
    let mut text = format!(
        "Number {} of {} ranked in {}, all segments. ",
        at.rank.map_or_else(|| "?".to_owned(), whole),
        explanation.ranking.len(),
        at.period
    );
    text.push_str(&match at.tier {
        Tier::Harmful => {
            format!(
                "Harmful journeys come first, by the excess that they have at least{}.",
                limit(|excess| excess.lower)
            )
        }
        Tier::Protective => "Protective journeys come last.".to_owned(),
        Tier::Unclear | Tier::Unranked => format!(
            "Unclear journeys come after the harmful ones, by the excess that they may have at most{}.",
            limit(|excess| excess.upper)
        ),
    });
    if let Some(next) = next(explanation, at) {
        text.push_str(&format!(" Next comes {next}."));
    }
    text
}

/// The journey right behind, with its tier or with the limit that it is ranked by.
fn next(explanation: &Explanation, at: &InPeriod) -> Option<String> {
    let next = explanation.ranking.iter().find(|other| other.rank > at.rank)?;
    if next.tier != at.tier {
        return Some(format!("{}, {}", next.journey, next.tier.word()));
    }
    let limit = match at.tier {
        Tier::Harmful => next.excess_churners?.lower?,
        _ => next.excess_churners?.upper?,
    };
    Some(format!("{} with {}", next.journey, rounded(limit)))
}

fn judgement(explanation: &Explanation, at: &InPeriod) -> Vec<String> {
    let weight = explanation.settings.priority_weight;
    let priority = match (at.priority, at.data_priority, at.expert_priority) {
        (Some(priority), Some(data), Some(expert)) => Some(format!(
            "Priority {priority:.2} = {} × {data:.2} (data) + {} × {expert:.2} (experts).",
            plain(weight),
            plain(1.0 - weight)
        )),
        _ => None,
    };
    let Some(importance) = explanation.importance else {
        let mut sentences = vec!["No expert has judged it.".to_owned()];
        sentences.extend(priority);
        return sentences;
    };
    let why = explanation.rationale.as_ref().map(|why| format!(" (\"{why}\")")).unwrap_or_default();
    let agreement = match at.agreement.as_deref() {
        Some("both") => " Data and experts agree that it matters.",
        Some("data_only") => " The data finds it harmful, the experts do not put it among the important ones.",
        Some("expert_only") => {
            " The experts put it among the important ones; the data does not find it harmful, which is not to say that it \
             does no harm."
        }
        Some("neither") => " Neither does the data find it harmful, nor do experts put it among the important ones.",
        _ => "",
    };
    let mut sentences = vec![format!("Experts give it {importance} of 5{why}.{agreement}")];
    sentences.extend(priority);
    sentences
}

/// `0.7`, without what binary fractions add.
fn plain(weight: f64) -> String {
    let text = fixed(weight, 2);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Why rank and excess are others than in the period before.
fn moved(at: &InPeriod) -> Option<String> {
    let before = at.period_before.as_ref()?;
    let rank = match (at.rank_before, at.rank) {
        (Some(was), Some(is)) if was == is => format!("In {before} it was number {} too. ", whole(was)),
        (Some(was), _) => format!("In {before} it was number {}. ", whole(was)),
        (None, Some(_)) => format!("In {before} it was not ranked. "),
        (None, None) => String::new(),
    };
    let change = at.change.as_ref()?;
    let total = change.total?;
    Some(format!(
        "{rank}Against {before} its excess changed by {} customers{} The parts add up; one whose interval holds 0 may be \
         chance.",
        signed(total),
        parts(change)
    ))
}

/// The parts of a change, which add up to it.
pub fn parts(change: &ExcessChange) -> String {
    let parts = [
        (change.volume, "as more or fewer customers were on it"),
        (change.mix, "as they were others (segment, time as a customer, month)"),
        (change.exposed_rate, "as those on it leave more or less often"),
        (change.unexposed_rate, "as like customers do"),
    ];
    let parts: Vec<String> =
        parts.into_iter().filter_map(|(part, why)| Some(format!("{} {why}", signed(part?)))).collect();
    if parts.is_empty() { ".".to_owned() } else { format!(": {}.", parts.join(", ")) }
}
