//! What an executive takes along from the page in half a minute.

use throughline_engine::EngineError;

use crate::block::{Block, Section, Tile};
use crate::context::{Context, landmark_name, verdict};
use crate::numbers::{interval, rounded, whole};
use crate::sections::performance::gap_tile;
use crate::verdict::Verdict;

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
    if let Some(reason) = &context.no_churn {
        return Block::missing(format!("Nothing can be said of churn: {reason}."));
    }
    let Some(landmark) = context.landmark() else {
        return Block::missing("Nothing can be said of churn: no landmark has matured yet.");
    };
    let worst = context.matured().filter(|(explanation, at)| verdict(at, explanation.confidence) == Verdict::More);
    // The ranking weighs experts' judgement too; what loses most customers is a matter of the data.
    let worst = worst.max_by(|(_, left), (_, right)| lower(left).total_cmp(&lower(right)));
    let text = match worst.and_then(|(explanation, at)| Some((explanation, at, at.excess_churners?))) {
        Some((explanation, at, excess)) => format!(
            "{} loses most customers: after {}, {} more left than among like customers who were not on it ({}), if the \
             journey is the cause.",
            context.label(&explanation.journey),
            landmark_name(at),
            rounded(excess.value),
            limits(excess)
        ),
        None => format!("At {} no journey is linked to more churn beyond chance.", landmark_name(landmark)),
    };
    Block::Lead { text }
}

fn lower(at: &crate::explain::AtLandmark) -> f64 {
    at.excess_churners.and_then(|excess| excess.lower).unwrap_or(f64::NEG_INFINITY)
}

fn limits(estimate: throughline_engine::Estimate) -> String {
    match (estimate.lower, estimate.upper) {
        (Some(lower), Some(upper)) => format!("{} to {}", rounded(lower), rounded(upper)),
        _ => "no interval".to_owned(),
    }
}

fn churn(context: &Context<'_>) -> Vec<Tile> {
    let Some(landmark) = context.landmark() else { return Vec::new() };
    let all: Vec<_> = context.matured().collect();
    let count = |wanted| all.iter().filter(|(explanation, at)| verdict(at, explanation.confidence) == wanted).count();
    let ranked = all.len() - count(Verdict::Unranked);
    let at = landmark_name(landmark);
    let mut tiles = vec![Tile {
        value: format!("{} of {ranked}", count(Verdict::More)),
        label: "journeys after which more customers leave, beyond chance".to_owned(),
        note: format!("of {ranked} with enough customers to be ranked, at landmark {at}"),
    }];
    if count(Verdict::Fewer) > 0 {
        tiles.push(Tile {
            value: count(Verdict::Fewer).to_string(),
            label: "after which fewer leave, beyond chance".to_owned(),
            note: format!("of {ranked}, at the same landmark"),
        });
    }
    let strongest = all.iter().filter(|(explanation, at)| verdict(at, explanation.confidence) == Verdict::More);
    let strongest = strongest.filter_map(|(explanation, at)| Some((explanation, at, at.adjusted_odds_ratio?)));
    if let Some((explanation, at, odds)) = strongest.max_by(|left, right| left.2.value.total_cmp(&right.2.value)) {
        tiles.push(Tile {
            value: format!("{:.1} ×", odds.value),
            label: format!("the odds of leaving after {}, the strongest link", context.label(&explanation.journey)),
            note: format!(
                "{}, same segment and tenure; {} customers exposed, {} of whom left",
                interval(odds, 2),
                whole(at.exposed),
                whole(at.exposed_churners)
            ),
        });
    }
    tiles
}
