//! Everything about one journey: the explanation, segments, other outcomes, strata and the definition.

use throughline_config::JourneyDefinition;
use throughline_engine::{EngineError, Estimate, Figures};

use crate::block::{Block, Chapter, Section};
use crate::context::{Context, Found};
use crate::explain::{Explanation, InPeriod};
use crate::numbers::{interval, people, percent_interval, small, whole};
use crate::table::Table;
use crate::tier::Tier;
use crate::words;

const RISK_COLUMNS: [&str; 7] = ["journey", "segment", "tenure_band", "month", "exposure", "person_days", "churned"];

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let outcome_columns = ["journey", "landmark", "segment", "outcome", "status", "exposed_mean", "unexposed_mean"];
    let outcomes = context.rows("fct_key_journeys_outcome", &outcome_columns, &[("segment", "all")]).await?;
    let common = common_pitfalls(&context.explanations);
    let mut blocks = Vec::new();
    if !common.is_empty() {
        blocks.push(Block::heading("What none of this is"));
        blocks.push(Block::List { sentences: common.clone() });
    }
    let mut explained: Vec<&str> = Vec::new();
    for explanation in &context.explanations {
        explained.push(&explanation.journey);
        let mut inside = vec![Block::Chapters { chapters: own_chapters(explanation, &common) }];
        inside.extend(by_segment(context, explanation));
        inside.extend(by_outcome(explanation, &outcomes));
        inside.extend(strata(context, explanation).await?);
        inside.extend(context.pipeline.journeys.get(&explanation.journey).map(definition));
        let rank = explanation.period.as_ref().and_then(|at| at.rank);
        blocks.push(Block::Details {
            id: format!("journey-{}", explanation.journey),
            summary: context.label(&explanation.journey),
            note: rank.map_or_else(|| "not ranked".to_owned(), |rank| format!("number {rank}")),
            on_paper: true,
            blocks: inside,
        });
    }
    for (name, journey) in &context.pipeline.journeys {
        if !explained.contains(&name.as_str()) {
            blocks.push(Block::Details {
                id: format!("journey-{name}"),
                summary: context.label(name),
                note: "no figures on leaving".to_owned(),
                on_paper: false,
                blocks: vec![definition(journey)],
            });
        }
    }
    if !explained.is_empty() {
        blocks.push(Block::OnPaper {
            text: "Left out on paper: strata, definitions, and which relations and columns are made of which. The page on a screen has them."
                .to_owned(),
        });
    }
    if explained.is_empty() && context.pipeline.journeys.is_empty() {
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

/// The chapters without the sentences that all journeys share.
fn own_chapters(explanation: &Explanation, common: &[String]) -> Vec<Chapter> {
    let chapters = words::chapters(explanation).into_iter().map(|(heading, mut sentences)| {
        sentences.retain(|sentence| !common.contains(sentence));
        Chapter { heading: heading.to_owned(), sentences }
    });
    chapters.filter(|chapter| !chapter.sentences.is_empty()).collect()
}

fn by_segment(context: &Context<'_>, explanation: &Explanation) -> Vec<Block> {
    let (Some(all), false) = (&explanation.period, explanation.segments.len() < 2) else { return Vec::new() };
    let mut table = Table::new(
        format!("By segment in {}", all.period),
        &[
            "Segment",
            "Tier",
            "#Customers exposed",
            "#Left",
            "#Rate in 90 days",
            "#Of like unexposed",
            "#Adjusted rate ratio",
            "#Excess churners",
            "#q",
            "Why not",
        ],
    );
    for at in std::iter::once(all).chain(&explanation.segments) {
        table.push(segment_cells(context, at));
    }
    let stands_out = explanation.segments.iter().any(|at| matches!(at.tier, Tier::Harmful | Tier::Protective));
    let mut blocks = vec![Block::heading("By segment"), Block::Table { table }];
    blocks.extend(stands_out.then(|| Block::text(words::ONE_OF_MANY)));
    blocks
}

fn segment_cells(context: &Context<'_>, at: &InPeriod) -> Vec<String> {
    let dash = || "–".to_owned();
    let share = |rate: Option<Estimate>| rate.map_or_else(dash, percent_interval);
    vec![
        at.segment.clone(),
        at.tier.word().to_owned(),
        at.exposed_customers.map_or_else(dash, whole),
        at.exposed_leavers.map_or_else(dash, whole),
        share(at.exposed_churn_rate),
        share(at.like_churn_rate),
        at.adjusted_rate_ratio.map_or_else(dash, |ratio| interval(ratio, 2)),
        at.excess_churners.map_or_else(dash, people),
        at.q_value.map_or_else(dash, small),
        if at.status == "ok" { String::new() } else { words::why_not(&context.settings, at) },
    ]
}

/// The rows of the newest landmark at which an outcome is known.
fn newest_known<'a>(rows: &'a Found, explanation: &Explanation) -> Vec<&'a Figures> {
    let Ok(rows) = rows else { return Vec::new() };
    let of_it = |row: &&Figures| {
        row.text("journey").as_deref() == Some(&explanation.journey)
            && row.text("status").as_deref() != Some("not_matured")
    };
    let newest = rows.iter().filter(of_it).filter_map(|row| row.instant("landmark")).max();
    rows.iter().filter(of_it).filter(|row| row.instant("landmark") == newest).collect()
}

fn by_outcome(explanation: &Explanation, rows: &Found) -> Vec<Block> {
    let heading = Block::heading("Money and repurchase");
    if let Err(reason) = rows {
        return vec![heading, Block::missing(format!("Not available: {reason}."))];
    }
    let mut rows = newest_known(rows, explanation);
    rows.sort_by_key(|row| row.text("outcome"));
    let Some(landmark) = rows.first().and_then(|row| row.day("landmark")) else { return Vec::new() };
    let mut table = Table::new(
        format!("Other outcomes at landmark {landmark}"),
        &["Outcome", "#Exposed", "#Mean", "#Unexposed", "#Mean", "#Difference, adjusted", "#q", "Why not"],
    );
    for row in rows {
        let dash = || "–".to_owned();
        let outcome = row.text("outcome").unwrap_or_default();
        let is_share = row.whole("a").is_some();
        let written = |estimate: Option<Estimate>| match estimate {
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

/// Person-days and leavers of a period by segment and tenure.
fn strata_query(journey: &str, start: &str, end: &str) -> String {
    let sum =
        |column: &str, exposure: &str| format!("coalesce(sum({column}) FILTER (WHERE exposure = '{exposure}'), 0)");
    format!(
        "SELECT segment, tenure_band, {} AS exposed_days, {} AS exposed_leavers, {} AS unexposed_days, \
         {} AS unexposed_leavers FROM fct_journey_risk \
         WHERE journey = '{}' AND month >= '{start}' AND month < '{end}' \
         GROUP BY segment, tenure_band ORDER BY exposed_days DESC, segment, tenure_band",
        sum("person_days", "exposed"),
        sum("churned", "exposed"),
        sum("person_days", "unexposed"),
        sum("churned", "unexposed"),
        journey.replace('\'', "''")
    )
}

async fn strata(context: &Context<'_>, explanation: &Explanation) -> Result<Vec<Block>, EngineError> {
    let Some(at) = &explanation.period else { return Ok(Vec::new()) };
    let (Some(start), Some(end)) = (&at.period_start, &at.period_end) else { return Ok(Vec::new()) };
    let sql = strata_query(&explanation.journey, start, end);
    let rows = match context.select("fct_journey_risk", &RISK_COLUMNS, &sql).await? {
        Ok(rows) => rows,
        Err(reason) => {
            return Ok(vec![Block::heading("Strata"), Block::missing(format!("Not available: {reason}."))]);
        }
    };
    let mut table = Table::new(
        format!("Person-days and leavers by segment and tenure in {}; the rate is of 100 in 90 days", at.period),
        &["Segment", "Tenure, days", "#Exposed days", "#Left", "#Rate", "#Unexposed days", "#Left", "#Rate"],
    );
    let count = |row: &Figures, name: &str| row.whole(name).unwrap_or(0);
    let rate = |left: i64, days: i64| {
        if days == 0 { "nobody".to_owned() } else { format!("{:.1}", 9_000.0 * left as f64 / days as f64) }
    };
    for row in &rows {
        let (days, left) = (count(row, "exposed_days"), count(row, "exposed_leavers"));
        let (days_off, left_off) = (count(row, "unexposed_days"), count(row, "unexposed_leavers"));
        table.push(vec![
            row.text("segment").unwrap_or_default(),
            row.text("tenure_band").unwrap_or_default(),
            whole(days),
            whole(left),
            rate(left, days),
            whole(days_off),
            whole(left_off),
            rate(left_off, days_off),
        ]);
    }
    if table.rows.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Block::Details {
        id: format!("strata-{}", explanation.journey),
        summary: "Strata".to_owned(),
        note: format!("{} of segment and tenure", table.rows.len()),
        on_paper: false,
        blocks: vec![Block::Table { table }],
    }])
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
