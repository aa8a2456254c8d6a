//! What an executive takes along from the page in half a minute.

use throughline_engine::EngineError;

use crate::block::{Block, Section, Tile};
use crate::context::Context;
use crate::explain::{Explanation, InPeriod};
use crate::numbers::{fixed, interval, more_or_fewer, rounded, whole};
use crate::sections::performance::gap_tile;
use crate::tier::Tier;
use crate::words::{headline, why_not};

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let mut tiles = churn(context);
    tiles.extend(gap_tile(context).await?);
    let mut blocks = vec![lead(context)];
    if !tiles.is_empty() {
        blocks.push(Block::Tiles { tiles });
    }
    Ok(Section::new("in-short", "In short", blocks))
}

fn lead(context: &Context<'_>) -> Block {
    let period = match context.period() {
        Ok(period) => period,
        Err(reason) => return Block::missing(format!("Nothing can be said of leaving: {reason}.")),
    };
    let first = |tier: Tier| context.in_period().find(|(_, at)| at.tier == tier);
    let text = if let Some((explanation, at)) = first(Tier::Harmful) {
        let label = context.label(&explanation.journey);
        format!("In {}, {label} stands first. {}", period.name, headline(&label, at))
    } else if let Some((explanation, at)) = first(Tier::Unclear) {
        format!("In {} no journey is found harmful, which is not to say that none is{}.", period.name, {
            let limit = at.excess_churners.and_then(|excess| excess.upper);
            let smallest = at.smallest_detectable_excess.map(rounded);
            match (limit, smallest) {
                (Some(limit), Some(smallest)) => format!(
                    ": after {} up to {} more may have left than of like customers, and an excess of fewer than {smallest} \
                     would hardly have been seen",
                    context.label(&explanation.journey),
                    rounded(limit)
                ),
                _ => String::new(),
            }
        })
    } else if first(Tier::Protective).is_some() {
        format!(
            "In {} every ranked journey is protective: fewer of its customers leave than of like ones.",
            period.name
        )
    } else {
        let most = context.in_period().next();
        let why = most.map(|(explanation, at)| {
            format!(": {}, {}", context.label(&explanation.journey), why_not(&context.settings, at))
        });
        return Block::missing(format!("In {} no journey can be ranked{}.", period.name, why.unwrap_or_default()));
    };
    Block::Lead { text }
}

fn churn(context: &Context<'_>) -> Vec<Tile> {
    let Ok(period) = context.period() else { return Vec::new() };
    let all: Vec<(&Explanation, &InPeriod)> = context.in_period().collect();
    let count = |wanted: Tier| all.iter().filter(|(_, at)| at.tier == wanted).count();
    let ranked = all.len() - count(Tier::Unranked);
    let mut tiles = vec![Tile {
        value: format!("{} of {ranked}", count(Tier::Harmful)),
        label: "journeys found harmful: more of their customers leave, beyond chance".to_owned(),
        note: format!(
            "of {ranked} ranked in {}; unclear, which is not to say that they do nothing: {}; with too few customers to be \
             ranked: {}",
            period.name,
            count(Tier::Unclear),
            count(Tier::Unranked)
        ),
    }];
    tiles.extend(together(context, &period.kind));
    if count(Tier::Protective) > 0 {
        tiles.push(Tile {
            value: count(Tier::Protective).to_string(),
            label: "protective: fewer of their customers leave, beyond chance".to_owned(),
            note: format!("of {ranked} ranked in {}", period.name),
        });
    }
    let strongest = all.iter().filter(|(_, at)| at.tier == Tier::Harmful);
    let strongest = strongest.filter_map(|(explanation, at)| Some((explanation, at, at.adjusted_rate_ratio?)));
    if let Some((explanation, at, ratio)) = strongest.max_by(|left, right| left.2.value.total_cmp(&right.2.value)) {
        tiles.push(Tile {
            value: format!("{} ×", fixed(ratio.value, 1)),
            label: format!(
                "as often as like customers, those on {} leave: the strongest link",
                context.label(&explanation.journey)
            ),
            note: format!(
                "{}; {} customers were on it in {}, {} of whom left",
                interval(ratio, 2),
                at.exposed_customers.map_or_else(|| "?".to_owned(), whole),
                period.name,
                at.exposed_leavers.map_or_else(|| "?".to_owned(), whole)
            ),
        });
    }
    tiles
}

/// What the harmful journeys make jointly.
fn together(context: &Context<'_>, span: &str) -> Option<Tile> {
    let jointly = context.explanations.iter().find_map(|explanation| explanation.together.as_ref())?;
    let excess = jointly.excess.filter(|_| jointly.journeys.len() > 1)?;
    let words = more_or_fewer(excess, &format!("in the {span}"));
    let (value, limits) = words.split_once(" (").unwrap_or((&words, ""));
    let limits = limits.trim_end_matches(')');
    Some(Tile {
        value: value.trim_end_matches(&format!(" in the {span}")).to_owned(),
        label: format!("left in the {span} than if nobody had been on any of the harmful ones, if they are the cause"),
        note: format!("{limits}; journeys overlap, so what each of them makes is never added"),
    })
}
