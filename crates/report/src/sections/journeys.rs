//! Everything about one journey: the explanation, segments, other outcomes, strata and the definition.

use throughline_config::JourneyDefinition;
use throughline_engine::{EngineError, Figures};

use crate::block::{Block, Chapter, Section};
use crate::context::{Context, Found, landmark_name};
use crate::explain::Explanation;
use crate::numbers::{interval, percent_interval, small, whole};
use crate::table::Table;
use crate::words;

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let segments = context.rows("fct_key_journeys", &["journey", "landmark", "segment", "status"], &[]).await?;
    let outcome_columns = ["journey", "landmark", "segment", "outcome", "status", "exposed_mean", "unexposed_mean"];
    let outcomes = context.rows("fct_key_journeys_outcome", &outcome_columns, &[("segment", "all")]).await?;
    let common = common_pitfalls(&context.explanations);
    let mut blocks = Vec::new();
    if !common.is_empty() {
        blocks.push(Block::heading("What none of this is"));
        blocks.push(Block::List { sentences: common.clone() });
    }
    let mut told: Vec<&str> = Vec::new();
    for explanation in &context.explanations {
        told.push(&explanation.journey);
        let mut inside = vec![Block::Chapters { chapters: own_chapters(explanation, &common) }];
        inside.extend(by_segment(explanation, &segments));
        inside.extend(by_outcome(explanation, &outcomes));
        inside.extend(strata(explanation));
        inside.extend(context.pipeline.journeys.get(&explanation.journey).map(definition));
        let rank = explanation.landmark.as_ref().and_then(|at| at.priority_rank);
        blocks.push(Block::Details {
            id: format!("journey-{}", explanation.journey),
            summary: context.label(&explanation.journey),
            note: rank.map_or_else(|| "not ranked".to_owned(), |rank| format!("number {rank}")),
            on_paper: true,
            blocks: inside,
        });
    }
    for (name, journey) in &context.pipeline.journeys {
        if !told.contains(&name.as_str()) {
            blocks.push(Block::Details {
                id: format!("journey-{name}"),
                summary: context.label(name),
                note: "no churn figures".to_owned(),
                on_paper: false,
                blocks: vec![definition(journey)],
            });
        }
    }
    if !told.is_empty() {
        blocks.push(Block::OnPaper {
            text: "Left out on paper: strata, definitions, and which relations and columns are made of which. The page on a screen has them."
                .to_owned(),
        });
    }
    if told.is_empty() && context.pipeline.journeys.is_empty() {
        blocks.push(Block::missing("The pipeline defines no journey."));
    }
    Ok(Section::new("journeys", "Journey by journey", blocks))
}

/// What would stand word for word under every journey.
fn common_pitfalls(explanations: &[Explanation]) -> Vec<String> {
    let pitfalls = |explanation: &Explanation| {
        let chapters = words::chapters(explanation).into_iter();
        chapters.filter(|(heading, _)| *heading == words::PITFALLS).flat_map(|(_, sentences)| sentences).collect()
    };
    let all: Vec<Vec<String>> = explanations.iter().map(pitfalls).collect();
    let Some((first, others)) = all.split_first().filter(|(_, others)| !others.is_empty()) else { return Vec::new() };
    first.iter().filter(|sentence| others.iter().all(|other| other.contains(sentence))).cloned().collect()
}

/// The chapters without what is told of all journeys.
fn own_chapters(explanation: &Explanation, common: &[String]) -> Vec<Chapter> {
    let chapters = words::chapters(explanation).into_iter().map(|(heading, mut sentences)| {
        sentences.retain(|sentence| !common.contains(sentence));
        Chapter { heading: heading.to_owned(), sentences }
    });
    chapters.filter(|chapter| !chapter.sentences.is_empty()).collect()
}

fn of_landmark<'a>(rows: &'a Found, explanation: &Explanation) -> Vec<&'a Figures> {
    let (Ok(rows), Some(at)) = (rows, &explanation.landmark) else { return Vec::new() };
    let here = |row: &&Figures| {
        row.text("journey").as_deref() == Some(&explanation.journey)
            && row.day("landmark").as_deref() == Some(&at.landmark)
    };
    rows.iter().filter(here).collect()
}

fn by_segment(explanation: &Explanation, rows: &Found) -> Vec<Block> {
    let mut rows = of_landmark(rows, explanation);
    rows.sort_by_key(|row| (row.text("segment").as_deref() != Some("all"), row.text("segment")));
    let (Some(at), false) = (&explanation.landmark, rows.len() < 2) else { return Vec::new() };
    let mut table = Table::new(
        format!("By segment at landmark {}", landmark_name(at)),
        &["Segment", "#Exposed", "#Left", "#Unexposed", "#Left", "#Adjusted odds ratio", "#q", "Why not"],
    );
    for row in rows {
        let dash = || "–".to_owned();
        let estimate = |name: &str| row.estimate(name);
        table.push(vec![
            row.text("segment").unwrap_or_default(),
            row.whole("exposed").map_or_else(dash, whole),
            estimate("exposed_churn_rate").map_or_else(dash, percent_interval),
            row.whole("unexposed").map_or_else(dash, whole),
            estimate("unexposed_churn_rate").map_or_else(dash, percent_interval),
            estimate("adjusted_odds_ratio").map_or_else(dash, |odds| interval(odds, 2)),
            row.number("q_value").map_or_else(dash, small),
            if row.text("status").as_deref() == Some("ok") {
                String::new()
            } else {
                row.text("reason").unwrap_or_default()
            },
        ]);
    }
    vec![Block::heading("By segment"), Block::Table { table }]
}

fn by_outcome(explanation: &Explanation, rows: &Found) -> Vec<Block> {
    let heading = Block::heading("Money and repurchase");
    if let Err(reason) = rows {
        return vec![heading, Block::missing(format!("Not told: {reason}."))];
    }
    let mut rows = of_landmark(rows, explanation);
    rows.sort_by_key(|row| row.text("outcome"));
    let (Some(at), false) = (&explanation.landmark, rows.is_empty()) else { return Vec::new() };
    let mut table = Table::new(
        format!("Other outcomes at landmark {}", landmark_name(at)),
        &["Outcome", "#Exposed", "#Mean", "#Unexposed", "#Mean", "#Difference, adjusted", "#q", "Why not"],
    );
    for row in rows {
        let dash = || "–".to_owned();
        let outcome = row.text("outcome").unwrap_or_default();
        let is_share = row.whole("a").is_some();
        let written = |estimate: Option<throughline_engine::Estimate>| match estimate {
            Some(estimate) if is_share => percent_interval(estimate),
            Some(estimate) => interval(estimate, 1),
            None => dash(),
        };
        table.push(vec![
            outcome.replace('_', " "),
            row.whole("exposed").map_or_else(dash, whole),
            written(row.estimate("exposed_mean")),
            row.whole("unexposed").map_or_else(dash, whole),
            written(row.estimate("unexposed_mean")),
            written(row.estimate("adjusted_difference")),
            row.number("q_value").map_or_else(dash, small),
            if row.text("status").as_deref() == Some("ok") {
                String::new()
            } else {
                row.text("reason").unwrap_or_default()
            },
        ]);
    }
    vec![heading, Block::Table { table }]
}

fn strata(explanation: &Explanation) -> Vec<Block> {
    let heading = Block::heading("Strata");
    if let Some(reason) = explanation.missing.get("strata") {
        return vec![heading, Block::missing(format!("Not told: {reason}."))];
    }
    let (Some(at), false) = (&explanation.landmark, explanation.strata.is_empty()) else { return Vec::new() };
    let mut table = Table::new(
        format!("Cells by segment and tenure at landmark {}", landmark_name(at)),
        &["Segment", "Tenure, days", "#Exposed", "#Left", "#Share", "#Unexposed", "#Left", "#Share"],
    );
    let share = |part: i64, all: i64| {
        if all == 0 { "nobody".to_owned() } else { format!("{:.1} %", 100.0 * part as f64 / all as f64) }
    };
    for stratum in &explanation.strata {
        table.push(vec![
            stratum.segment.clone(),
            stratum.tenure_band.clone(),
            whole(stratum.exposed),
            whole(stratum.exposed_churners),
            share(stratum.exposed_churners, stratum.exposed),
            whole(stratum.unexposed),
            whole(stratum.unexposed_churners),
            share(stratum.unexposed_churners, stratum.unexposed),
        ]);
    }
    vec![Block::Details {
        id: format!("strata-{}", explanation.journey),
        summary: "Strata".to_owned(),
        note: format!("{} cells", table.rows.len()),
        on_paper: false,
        blocks: vec![Block::Table { table }],
    }]
}

/// The definition as its file holds it today.
fn definition(journey: &JourneyDefinition) -> Block {
    let file = &journey.name.place.file;
    let (line, _) = journey.name.place.line_and_column();
    let lines: Vec<&str> = file.text.lines().collect();
    let indent = |text: &str| text.len() - text.trim_start().len();
    let first = lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
    let own = indent(first);
    // Everything below the name that is indented further, blank lines within included.
    let rest = lines.iter().skip(line).take_while(|text| text.trim().is_empty() || indent(text) > own);
    let mut text: Vec<&str> = std::iter::once(first).chain(rest.copied()).collect();
    while text.last().is_some_and(|last| last.trim().is_empty()) {
        text.pop();
    }
    Block::Code { label: format!("Definition, {}:{line}", file.path.display()), text: text.join("\n") }
}
