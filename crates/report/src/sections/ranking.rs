//! The ranked journeys with their reasons, in the words of `throughline explain`.

use crate::block::{Block, Card, Fact, Section};
use crate::context::{Context, landmark_name, verdict};
use crate::explain::{AtLandmark, Explanation};
use crate::numbers::{interval, rounded, small, whole};
use crate::verdict::Verdict;
use crate::words;

pub(crate) fn section(context: &Context<'_>) -> Section {
    let blocks = match (&context.no_churn, context.landmark()) {
        (Some(reason), _) => vec![Block::missing(format!("There is no ranking: {reason}."))],
        (None, None) => vec![Block::missing("There is no ranking: no landmark has matured yet.")],
        (None, Some(landmark)) => vec![
            Block::text(format!(
                "Landmark {}, all segments. The rank weighs the lower limit of the excess churners (volume, strength and \
                 certainty in one figure) with experts' judgement where there is any. What each word and figure means, and \
                 everything behind a rank, is in the analyst's view.",
                landmark_name(landmark)
            )),
            Block::Ranking {
                cards: context.explanations.iter().map(|explanation| card(context, explanation)).collect(),
            },
        ],
    };
    Section::new("ranking", "The journeys, ranked", blocks)
}

fn card(context: &Context<'_>, explanation: &Explanation) -> Card {
    let at = explanation.landmark.as_ref();
    Card {
        journey: explanation.journey.clone(),
        rank: at.and_then(|at| at.priority_rank).map_or_else(|| "–".to_owned(), whole),
        label: context.label(&explanation.journey),
        owner: explanation.owner.clone().unwrap_or_default(),
        verdict: at.map_or(Verdict::Unranked, |at| verdict(at, explanation.confidence)),
        facts: at.map(facts).unwrap_or_default(),
        sentences: words::summary(explanation),
    }
}

fn facts(at: &AtLandmark) -> Vec<Fact> {
    let fact = |name: &str, value: String| Fact { name: name.to_owned(), value };
    let share = |rate: Option<throughline_engine::Estimate>| {
        rate.map_or_else(|| "–".to_owned(), |rate| format!("{:.1} %", rate.value * 100.0))
    };
    let mut facts = vec![
        fact("exposed", whole(at.exposed)),
        fact("left", format!("{} against {}", share(at.exposed_churn_rate), share(at.unexposed_churn_rate))),
    ];
    let dash = || "– (a cell is empty)".to_owned();
    facts.push(fact("odds ratio", at.adjusted_odds_ratio.map_or_else(dash, |odds| interval(odds, 2))));
    facts.push(fact("excess churners", at.excess_churners.map_or_else(dash, |excess| interval(excess, 0))));
    facts.extend(at.excess_revenue.map(|revenue| fact("their revenue", rounded(revenue))));
    facts.extend(at.q_value.map(|q| fact("q", small(q))));
    facts
}
