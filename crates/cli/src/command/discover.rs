//! `throughline discover`.

use throughline_engine::{ChurnLink, Coverage, Discovery, Estimate, FoundJourney, SearchOptions, discover};

use crate::arguments::{DiscoverArguments, DiscoveryFormat, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::{count, fitted, framed, put, right_align, say, text_width, wrapped};

/// A variant with a smaller share is not worth a line.
const LEAST_COMMON: f64 = 0.05;
/// Steps of a variant shown before it is cut short.
const MOST_STEPS: usize = 8;

/// Searches, and prints the candidates as asked for.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &DiscoverArguments) -> Result<(), Exit> {
    let how = SearchOptions {
        customers: arguments.customers as usize,
        minimum_episodes: arguments.minimum_episodes as usize,
        key: arguments.key.clone(),
    };
    let discovery = discover(options(workspace)?, &how).await?;
    let shown = arguments.top.map_or(usize::MAX, |top| top as usize).min(discovery.candidates.len());
    let format = if arguments.yaml { DiscoveryFormat::Yaml } else { arguments.format };
    match format {
        DiscoveryFormat::Table => put(&table(&discovery, shown)),
        DiscoveryFormat::Json => put(&json(discovery, shown)?),
        DiscoveryFormat::Yaml => {
            put(&yaml(&discovery, shown))?;
            say("paste what you want to keep into a file of pipelines/journeys/, then: throughline check");
            Ok(())
        }
    }
}

fn json(mut discovery: Discovery, shown: usize) -> Result<String, Exit> {
    discovery.candidates.truncate(shown);
    let text = serde_json::to_string_pretty(&discovery).map_err(Exit::not_writable)?;
    Ok(format!("{text}\n"))
}

fn yaml(discovery: &Discovery, shown: usize) -> String {
    let definitions: Vec<&str> = discovery.candidates[..shown].iter().map(|journey| journey.yaml.as_str()).collect();
    definitions.join("\n")
}

fn table(discovery: &Discovery, shown: usize) -> String {
    let candidates = &discovery.candidates[..shown];
    let mut parts = vec![head(discovery), String::new()];
    if candidates.is_empty() {
        parts.push(
            "No candidate: nothing that several customers go through leads from one event to another.".to_owned(),
        );
    } else {
        parts.push(ranking(candidates));
        parts.extend(legend(discovery).iter().map(|line| wrapped(line, "", text_width())));
        parts.push(String::new());
        parts.extend(candidates.iter().enumerate().map(|(index, journey)| portrait(index + 1, journey)));
    }
    parts.push(coverage(discovery));
    parts.extend(no_journeys(discovery));
    format!("{}\n", parts.join("\n"))
}

fn head(discovery: &Discovery) -> String {
    let searched = match discovery.searched_all {
        true => "of all customers".to_owned(),
        false => format!("of {} customers", count(discovery.searched_customers as u64)),
    };
    let landmark = match &discovery.landmark {
        Some(days) => format!(
            "Churn at landmark {}: exposed are those with a start from {} on, churned those who left until {}.",
            days.landmark, days.exposure_from, days.outcome_until
        ),
        None => "Nothing on churn: no landmark has matured.".to_owned(),
    };
    let text = format!(
        "Candidate journeys from {} touchpoints as of {}; patterns from the sequences {searched}. {landmark}",
        count(discovery.touchpoints),
        &discovery.as_of[..10.min(discovery.as_of.len())],
    );
    wrapped(&text, "", text_width())
}

fn ranking(candidates: &[FoundJourney]) -> String {
    let mut table = framed();
    table.set_header([
        "#",
        "candidate",
        "episodes",
        "customers",
        "done",
        "median",
        "exposed",
        "left/others",
        "odds ratio",
        "excess",
        "q",
    ]);
    for (index, journey) in candidates.iter().enumerate() {
        let churn = journey.churn.as_ref();
        let kept = churn.filter(|link| link.reason.is_none());
        table.add_row([
            (index + 1).to_string(),
            journey.name.clone(),
            count(journey.episodes),
            count(journey.customers),
            percent(journey.completed_share, 0),
            journey.median_duration_s.map_or_else(none, duration),
            churn.map_or_else(none, |link| whole(link.exposed)),
            kept.map_or_else(none, rates),
            kept.and_then(|link| link.adjusted_odds_ratio).map_or_else(none, |odds| interval(odds, 2)),
            kept.and_then(|link| link.excess_churners).map_or_else(none, |excess| interval(excess, 0)),
            kept.and_then(|link| link.q_value).map_or_else(none, q_value),
        ]);
    }
    right_align(&mut table, 2..8);
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    fitted(table)
}

fn rates(link: &ChurnLink) -> String {
    match (link.exposed_churn_rate, link.unexposed_churn_rate) {
        (Some(exposed), Some(unexposed)) => format!("{:.1} / {:.1} %", exposed * 100.0, unexposed * 100.0),
        _ => none(),
    }
}

fn legend(discovery: &Discovery) -> Vec<String> {
    vec![
        format!(
            "done: completed, of the episodes that are over · left/others: share of the exposed and of the unexposed who left · odds ratio: adjusted by segment × tenure, with {:.0} % interval · \
             excess: churners beyond the unexposed of the same stratum, if causal; its lower limit is the rank · q: \
             Benjamini-Hochberg over the candidates",
            discovery.confidence * 100.0
        ),
        "Nobody has judged who could have been on a candidate (`eligible`), so everybody active at the landmark is \
         compared."
            .to_owned(),
    ]
}

/// What a candidate is, in a few lines.
fn portrait(number: usize, journey: &FoundJourney) -> String {
    let width = text_width();
    let first = format!("{number:>2}  ");
    let mut text = format!("{}: {}", journey.name, like(journey));
    if let Some(reason) = journey.churn.as_ref().and_then(|link| link.reason.as_ref()) {
        text.push_str(&format!("; churn withheld, {reason}"));
    }
    let mut lines = vec![wrapped(&text, &first, width)];
    let abandons = match journey.abandon_events.as_slice() {
        [] => String::new(),
        events => format!(", or gives up with {}", events.join(" or ")),
    };
    lines.push(wrapped(
        &format!(
            "from {} to {} ({} of the episodes that see it stop there){abandons}; about {}",
            journey.start_events.join(" or "),
            journey.end_event,
            percent(Some(journey.stopping_share), 0),
            journey.topics.join(", "),
        ),
        "    ",
        width,
    ));
    // Where hardly two episodes go the same way, what they have in common says more.
    let varied = journey.variants.first().is_none_or(|variant| variant.share < LEAST_COMMON);
    if varied {
        lines.push(wrapped(&format!("nearly always through {}", journey.milestones.join(" → ")), "    ", width));
    }
    for variant in journey.variants.iter().filter(|_| !varied) {
        let mut steps = variant.events.clone();
        if steps.len() > MOST_STEPS {
            let left_out = steps.len() - MOST_STEPS + 1;
            steps.splice(MOST_STEPS - 2..steps.len() - 1, [format!("… {left_out} more …")]);
        }
        lines.push(wrapped(&steps.join(" → "), &format!("    {:>5} ", percent(Some(variant.share), 0)), width));
    }
    if varied || journey.different_variants > journey.variants.len() {
        lines.push(format!("          {} different ways", count(journey.different_variants as u64)));
    }
    lines.join("\n")
}

fn like(journey: &FoundJourney) -> String {
    match &journey.like {
        Some(like) => format!(
            "like today's {} ({} of the candidate's touchpoints, {} of the journey's)",
            like.journey,
            percent(Some(like.of_candidate), 0),
            percent(Some(like.of_journey), 0)
        ),
        None => "new, no definition of today has it".to_owned(),
    }
}

fn coverage(discovery: &Discovery) -> String {
    let mut table = framed();
    table.set_header(["what they explain", "candidates", "today's definitions"]);
    let (found, today) = (&discovery.by_candidates, &discovery.by_definitions);
    let row = |what: &str, of: &dyn Fn(&Coverage) -> String| [what.to_owned(), of(found), of(today)];
    table.add_row(row("journeys", &|side| side.journeys.to_string()));
    table.add_row(row("touchpoints in a journey", &|side| {
        let share = side.touchpoints as f64 / discovery.touchpoints.max(1) as f64;
        format!("{} of {} ({})", count(side.touchpoints), count(discovery.touchpoints), percent(Some(share), 0))
    }));
    if discovery.landmark.is_some() {
        table.add_row(row("churners who had started one", &|side| side.any.as_ref().map_or_else(none, started)));
        table.add_row(row("journeys linked to more churn", &|side| side.linked.len().to_string()));
        table.add_row(row("churners who had started one of them", &|side| {
            side.linked_together.as_ref().map_or_else(none, started)
        }));
        table.add_row(row("excess churners of those together", &|side| {
            let excess = side.linked_together.as_ref().and_then(|link| link.excess_churners);
            excess.map_or_else(none, |excess| interval(excess, 0))
        }));
    }
    format!("\n{}\ntouchpoints in both: {}", fitted(table), count(discovery.touchpoints_in_both))
}

fn started(link: &ChurnLink) -> String {
    let share = link.exposed_churners as f64 / link.churners.max(1) as f64;
    format!("{} of {} ({})", whole(link.exposed_churners), whole(link.churners), percent(Some(share), 0))
}

fn no_journeys(discovery: &Discovery) -> Vec<String> {
    let mut lines = Vec::new();
    if !discovery.everyday.is_empty() {
        lines.push("\nNo journey, by what the touchpoints are about:".to_owned());
    }
    for everyday in &discovery.everyday {
        let text = format!(
            "{} ({} touchpoints searched): {}",
            everyday.topics.join(", "),
            count(everyday.touchpoints as u64),
            everyday.reason
        );
        lines.push(wrapped(&text, "- ", text_width()));
    }
    lines
}

fn none() -> String {
    "·".to_owned()
}

fn whole(number: i64) -> String {
    count(number.unsigned_abs())
}

fn percent(share: Option<f64>, decimals: usize) -> String {
    share.map_or_else(none, |share| format!("{:.decimals$} %", share * 100.0))
}

fn interval(estimate: Estimate, decimals: usize) -> String {
    let written = |value: f64| {
        let text = format!("{value:.decimals$}");
        // What rounds to nothing is not below it.
        if text.bytes().any(|sign| matches!(sign, b'1'..=b'9')) {
            text
        } else {
            text.trim_start_matches('-').to_owned()
        }
    };
    match (estimate.lower, estimate.upper) {
        (Some(lower), Some(upper)) => {
            format!("{} [{}, {}]", written(estimate.value), written(lower), written(upper))
        }
        _ => written(estimate.value),
    }
}

fn q_value(q: f64) -> String {
    if q < 0.0005 { "<0.001".to_owned() } else { format!("{q:.3}") }
}

/// `40 min`, `5.2 h`, `12.3 d`.
fn duration(seconds: f64) -> String {
    match seconds {
        minutes if minutes < 5_400.0 => format!("{:.0} min", minutes / 60.0),
        hours if hours < 172_800.0 => format!("{:.1} h", hours / 3_600.0),
        days => format!("{:.1} d", days / 86_400.0),
    }
}
