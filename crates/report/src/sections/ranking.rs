//! The ranked journeys with their reasons, in the words of `throughline explain`.

use crate::block::{Block, Card, Fact, Section};
use crate::context::Context;
use crate::explain::{Explanation, InPeriod, Settings};
use crate::numbers::{interval, level, money, more_or_fewer, of_hundred, rounded, whole};
use crate::tier::Tier;
use crate::words;

pub(crate) fn section(context: &Context<'_>) -> Section {
    let blocks = match context.period() {
        Err(reason) => vec![Block::missing(format!("There is no ranking: {reason}."))],
        Ok(period) => {
            let settings = &context.settings;
            let mut blocks = vec![
                Block::text(format!(
                    "{}, all segments; in brackets {} intervals. Harmful journeys come first, by the excess that they have at \
                     least, then the unclear ones, by the excess that they may have at most, protective ones last. Like \
                     customers are of the same segment, have been customers for about as long and are compared in the same \
                     month. Everything behind a rank is in the analyst's view.",
                    period.name,
                    level(settings.confidence)
                )),
                Block::Ranking {
                    cards: context.explanations.iter().map(|explanation| card(context, explanation)).collect(),
                },
            ];
            blocks.extend(together(context, &period.kind).map(Block::text));
            blocks
        }
    };
    Section::new("ranking", "The journeys, ranked", blocks)
}

/// What the harmful journeys make jointly.
pub(crate) fn together(context: &Context<'_>, span: &str) -> Option<String> {
    let jointly = context.explanations.iter().find_map(|explanation| explanation.together.as_ref())?;
    words::together(jointly, span, |journey| context.label(journey))
}

fn card(context: &Context<'_>, explanation: &Explanation) -> Card {
    let at = explanation.period.as_ref();
    let label = context.label(&explanation.journey);
    Card {
        journey: explanation.journey.clone(),
        rank: at.and_then(|at| at.rank).map_or_else(|| "–".to_owned(), whole),
        owner: explanation.owner.clone().unwrap_or_default(),
        tier: at.map_or(Tier::Unranked, |at| at.tier),
        facts: at.map(|at| facts(&context.settings, at)).unwrap_or_default(),
        sentences: words::summary(explanation, &label),
        label,
    }
}

fn facts(settings: &Settings, at: &InPeriod) -> Vec<Fact> {
    let fact = |name: &str, value: String| Fact { name: name.to_owned(), value };
    let dash = || "–".to_owned();
    let rate = |rate: Option<throughline_engine::Estimate>| rate.map_or_else(dash, |rate| of_hundred(rate.value));
    let mut facts = vec![
        fact("customers on it", at.exposed_customers.map_or_else(dash, whole)),
        fact(
            "left in 90 days, of 100",
            format!("{}, like customers {}", rate(at.exposed_churn_rate), rate(at.like_churn_rate)),
        ),
        fact("times as often", at.adjusted_rate_ratio.map_or_else(dash, |ratio| interval(ratio, 2))),
        fact("left beyond that", at.excess_churners.map_or_else(dash, |excess| more_or_fewer(excess, ""))),
    ];
    let revenue = at.excess_revenue.filter(|_| at.tier != Tier::Unranked);
    facts.extend(revenue.map(|revenue| fact("their revenue a year", money(revenue, settings.currency.as_deref()))));
    let is_unseen = at.tier == Tier::Unclear && !at.is_unclear_beside_others(settings);
    let smallest = at.smallest_detectable_excess.filter(|_| is_unseen);
    facts.extend(smallest.map(|smallest| fact("smallest excess that would have been seen", rounded(smallest))));
    facts
}
