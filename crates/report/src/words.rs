//! The figures behind a rank in a planner's words: who left and how many more, how sure it is, what to mind.
//!
//! What needs a statistician's words is in one chapter of its own, [`ANALYST`].

mod leaving;
mod rank;
mod compared;
mod flags;
mod performance;
mod drivers;
mod analyst;
mod robustness;

use crate::explain::{Explanation, InPeriod, Together};
use crate::numbers::day;
use crate::tier::Tier;

pub(crate) use leaving::{ONE_OF_MANY, headline};
pub use leaving::{one_of_many, together, why_not};
pub use rank::parts as change_in_parts;
pub use robustness::{length, robustness, robustness_title};

/// A heading and the sentences under it.
pub type Chapter = (&'static str, Vec<String>);

/// The heading of what the figures do not say.
pub const PITFALLS: &str = "What this is not";

/// The heading of what needs a statistician's words.
pub const ANALYST: &str = "For analysts";

/// The journey, its label and owner, and the cut.
pub fn title(explanation: &Explanation) -> String {
    let label = explanation.label.as_ref().map(|label| format!(", {label}")).unwrap_or_default();
    let owner = explanation.owner.as_ref().map(|owner| format!(" (owner: {owner})")).unwrap_or_default();
    format!("{}{label}{owner}, from the tables as of {}", explanation.journey, day(&explanation.as_of))
}

/// What is known, in the order in which a reader asks.
pub fn chapters(explanation: &Explanation) -> Vec<Chapter> {
    let mut chapters = Vec::new();
    if let Some(at) = &explanation.period {
        chapters.push(("In short", in_short(explanation, at)));
    }
    chapters.push(("Its rank", rank::sentences(explanation)));
    if let Some(at) = &explanation.period {
        chapters.push(("Who was compared with whom", compared::sentences(explanation, at)));
        chapters.push(("How soon they leave", compared::since_touchpoint(explanation, at)));
        chapters.push(("What to mind", flags::sentences(explanation, at)));
    }
    chapters.push(("How it performs", performance::sentences(explanation)));
    chapters.push(("Journey or touchpoints", drivers::sentences(explanation)));
    let mut analysts = explanation.period.as_ref().map_or_else(Vec::new, |at| analyst::sentences(explanation, at));
    analysts.extend(drivers::tests(explanation));
    chapters.push((ANALYST, analysts));
    chapters.push((PITFALLS, pitfalls(explanation)));
    chapters.retain(|(_, sentences)| !sentences.is_empty());
    chapters
}

/// The tier first, then who left, how much that is, and what could explain it away.
fn in_short(explanation: &Explanation, at: &InPeriod) -> Vec<String> {
    let mut sentences = vec![leaving::tier(explanation, at), headline(&explanation.journey, at)];
    sentences.extend(leaving::unseen_cause(at));
    sentences.extend(leaving::how_much(&explanation.settings, at));
    let together = explanation.together.as_ref();
    sentences.extend(together.and_then(|jointly| together_with(jointly, explanation, at)));
    sentences
}

fn together_with(jointly: &Together, explanation: &Explanation, at: &InPeriod) -> Option<String> {
    let is_one_of_them = jointly.journeys.contains(&explanation.journey) && jointly.journeys.len() > 1;
    if is_one_of_them { together(jointly, leaving::span(at), str::to_owned) } else { None }
}

/// The same for a card of the ranking, which shows the tier and the figures already.
pub fn summary(explanation: &Explanation, label: &str) -> Vec<String> {
    let Some(at) = &explanation.period else { return rank::sentences(explanation) };
    let mut sentences = vec![headline(label, at)];
    match at.tier {
        Tier::Harmful | Tier::Protective => sentences.extend(leaving::unseen_cause(at)),
        Tier::Unclear => sentences.push(leaving::tier(explanation, at)),
        Tier::Unranked => sentences.extend(rank::sentences(explanation)),
    }
    sentences.extend(at.flags.iter().map(|flag| format!("Mind: {}", flags::sentence(flag, explanation, at))));
    sentences.extend(leaving::one_of_many(at).map(|caution| format!("Mind: {caution}")));
    sentences
}

fn pitfalls(explanation: &Explanation) -> Vec<String> {
    let mut sentences = vec![
        "Customers were compared, nobody was assigned to a journey: \"if the journey is the cause\" stands beside every \
         excess."
            .to_owned(),
        "Like customers are of the same segment, have been customers for about as long and are compared in the same month; \
         whatever else tells them apart is not accounted for."
            .to_owned(),
        "Whether a customer is on a journey is settled before each day begins, by what the company knew then: nobody counts as \
         on it for having stayed long enough to get there."
            .to_owned(),
        "Customers are on several journeys at once, so excesses of different journeys overlap and are never added."
            .to_owned(),
    ];
    let named_elsewhere = ["churn", "performance", "completion", "drivers", "profile"];
    for (what, why) in explanation.missing.iter().filter(|(what, _)| !named_elsewhere.contains(&what.as_str())) {
        sentences.push(format!("Missing, {what}: {why}."));
    }
    sentences
}
