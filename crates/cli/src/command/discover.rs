//! `throughline discover`.

use throughline_config::{self as config, Duration};
use throughline_engine::{ChurnLink, Coverage, Discovery, Estimate, FoundJourney, SearchOptions, discover};
use throughline_report::{fixed, more_or_fewer, of_hundred};

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
        silence: arguments.silence.as_deref().map(silence).transpose()?,
        as_of_newest_run: workspace.as_of.is_none(),
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

/// The length that `--silence` says, in one argument or in two.
fn silence(words: &[String]) -> Result<Duration, Exit> {
    let text = words.join(" ");
    let help = "write a number and a unit, e.g. `--silence 14 days`";
    match config::duration(&text) {
        Ok(Duration(0)) => Err(Exit::refused(format!("`--silence {text}` would end an episode at once"), help)),
        Ok(length) => Ok(length),
        Err(finding) => {
            let help = finding.help.first().map_or(help, String::as_str);
            Err(Exit::refused(format!("`--silence`: {}", finding.message), help))
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
        parts.extend(nothing_found(discovery));
    } else {
        parts.push(match discovery.period {
            Some(_) => ranking(candidates),
            None => by_volume(candidates),
        });
        parts.extend(legend(discovery).iter().map(|line| wrapped(line, "", text_width())));
        parts.push(String::new());
        parts.extend(candidates.iter().enumerate().map(|(index, journey)| portrait(index + 1, journey)));
    }
    parts.push(coverage(discovery));
    parts.extend(tried(discovery));
    parts.extend(no_journeys(discovery));
    format!("{}\n", parts.join("\n"))
}

fn head(discovery: &Discovery) -> String {
    let mut searched = match discovery.searched_all {
        true => "of all customers".to_owned(),
        false => format!("of {} customers", count(discovery.searched_customers as u64)),
    };
    if let Some(cases) = discovery.searched_cases {
        searched.push_str(&format!(", {} cases", count(cases as u64)));
    }
    let text = format!(
        "Candidate journeys from {} touchpoints of {} customers as of {}; patterns from the sequences {searched}. {}",
        count(discovery.touchpoints),
        count(discovery.customers),
        &discovery.as_of[..10.min(discovery.as_of.len())],
        judged(discovery)
    );
    wrapped(&text, "", text_width())
}

/// Which days are looked at.
fn judged(discovery: &Discovery) -> String {
    if let Some(reason) = &discovery.without_leaving {
        return format!("Nothing on who left: {reason}.");
    }
    let Some(period) = &discovery.period else {
        return "Nothing on who left: no day can be judged yet.".to_owned();
    };
    let days = format!("Who left is read from the days {} to {}", period.first_day, period.last_day);
    match period.status.as_str() {
        "running" => format!("{days}, {} so far: nothing is ranked before it is over.", period.period),
        "partial" => format!("{days}, a part of {}: nothing is ranked on a part of a quarter.", period.period),
        _ => format!("{days}, {}.", period.period),
    }
}

fn ranking(candidates: &[FoundJourney]) -> String {
    let mut table = framed();
    table.set_header([
        "#",
        "tier",
        "candidate",
        "episodes",
        "done",
        "median",
        "on it",
        "left / like",
        "times as often",
        "more left",
    ]);
    for (index, journey) in candidates.iter().enumerate() {
        let churn = journey.churn.as_ref();
        let kept = churn.filter(|link| link.status != "insufficient");
        table.add_row([
            (index + 1).to_string(),
            kept.and_then(|link| link.tier.clone()).unwrap_or_else(none),
            journey.name.clone(),
            count(journey.episodes),
            percent(journey.completed_share, 0),
            journey.median_duration_s.map_or_else(none, duration),
            churn.map_or_else(none, |link| whole(link.exposed_customers)),
            kept.map_or_else(none, rates),
            kept.and_then(|link| link.adjusted_rate_ratio).map_or_else(none, |ratio| interval(ratio, 2)),
            kept.and_then(|link| link.excess_churners).map_or_else(none, |excess| interval(excess, 0)),
        ]);
    }
    right_align(&mut table, 3..8);
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    fitted(table)
}

/// The candidates where nothing can be said of who left.
fn by_volume(candidates: &[FoundJourney]) -> String {
    let mut table = framed();
    table.set_header(["#", "candidate", "episodes", "customers", "done", "median"]);
    for (index, journey) in candidates.iter().enumerate() {
        table.add_row([
            (index + 1).to_string(),
            journey.name.clone(),
            count(journey.episodes),
            count(journey.customers),
            percent(journey.completed_share, 0),
            journey.median_duration_s.map_or_else(none, duration),
        ]);
    }
    right_align(&mut table, 2..6);
    fitted(table)
}

fn rates(link: &ChurnLink) -> String {
    match (link.exposed_churn_rate, link.like_churn_rate) {
        (Some(exposed), Some(like)) => format!("{} / {}", of_hundred(exposed.value), of_hundred(like.value)),
        _ => none(),
    }
}

fn legend(discovery: &Discovery) -> Vec<String> {
    if discovery.period.is_none() {
        return vec!["done: completed, of the episodes that are over · median: how long these took".to_owned()];
    }
    let mut lines = vec![
        "done: completed, of the episodes that are over · on it: customers on a day with a touchpoint of it in the \
         days before (`exposure_horizon`)"
            .to_owned(),
        format!(
            "left / like: of 100 customers on it, how many left within 90 days, and how many of like customers who \
             were not: same segment, as long a customer, in the same month · times as often: the two compared, with \
             {:.0} % interval",
            discovery.confidence * 100.0
        ),
        "more left: in the quarter, than of like customers, if the journey is the cause; negative: fewer".to_owned(),
        "harmful: more left, also beside all other candidates · protective: fewer left · unclear: no difference was \
         seen, which is not to say that there is none"
            .to_owned(),
    ];
    if discovery.candidates.iter().any(|journey| journey.eligible_as.is_none()) {
        lines.push(
            "Nobody has judged who could have been on a candidate (`eligible`) where no definition of today says it, \
             so everybody is compared."
                .to_owned(),
        );
    }
    lines
}

/// What a candidate is, in a few lines.
fn portrait(number: usize, journey: &FoundJourney) -> String {
    let width = text_width();
    let first = format!("{number:>2}  ");
    let mut text = format!("{}: {}", journey.name, like(journey));
    if let Some(definition) = &journey.eligible_as {
        text.push_str(&format!("; compared are those who could have been on {definition}"));
    }
    let mut lines = vec![wrapped(&text, &first, width)];
    if let Some(link) = &journey.churn {
        lines.push(wrapped(&leaving(link), "    ", width));
    }
    let abandons = match journey.abandon_events.as_slice() {
        [] => String::new(),
        events => format!(", or gives up with {}", events.join(" or ")),
    };
    lines.push(wrapped(
        &format!(
            "from {} to {} ({} of the episodes that see it stop there){abandons}; about {}",
            journey.start_events.join(" or "),
            journey.end_events.join(" or "),
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

/// Who left, in a planner's words.
fn leaving(link: &ChurnLink) -> String {
    let (Some(exposed), Some(like), Some(excess)) =
        (link.exposed_churn_rate, link.like_churn_rate, link.excess_churners)
    else {
        let reason = link.reason.as_deref().unwrap_or("nothing to compare");
        return format!("who left is not told: {reason}");
    };
    if let ("insufficient", Some(reason)) = (link.status.as_str(), &link.reason) {
        return format!("who left is not told: {reason}");
    }
    let tier = match (&link.tier, &link.reason) {
        (Some(tier), _) => tier.clone(),
        (None, Some(reason)) => format!("not ranked, {reason}"),
        (None, None) => "not ranked".to_owned(),
    };
    let mut text = format!(
        "{tier}: of 100 customers on it, {} left within 90 days; of like customers who were not, {}. That is {}, if the \
         journey is the cause",
        of_hundred(exposed.value),
        of_hundred(like.value),
        more_or_fewer(excess, "in the quarter")
    );
    match (link.tier.as_deref(), link.smallest_detectable_excess) {
        (Some("unclear"), _) if link.goes_with_others => {
            text.push_str("; among customers equally on all other candidates, what is left to it may be chance");
        }
        (Some("unclear"), Some(detectable)) => {
            text.push_str(&format!("; {} or more would have been seen about four times in five", fixed(detectable, 0)));
        }
        _ => {}
    }
    text
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
    table.add_row(row("customers on one, ever", &|side| {
        let share = side.customers as f64 / discovery.customers.max(1) as f64;
        format!("{} of {} ({})", count(side.customers), count(discovery.customers), percent(Some(share), 0))
    }));
    if discovery.period.is_some() {
        table.add_row(row("left while on one", &|side| side.any.as_ref().map_or_else(none, left_on_one)));
        table.add_row(row("harmful journeys", &|side| side.harmful.len().to_string()));
        table.add_row(row("left while on a harmful one", &|side| {
            side.harmful_together.as_ref().map_or_else(none, left_on_one)
        }));
        table.add_row(row("excess of the harmful ones together", &|side| {
            let excess = side.harmful_together.as_ref().and_then(|link| link.excess_churners);
            excess.map_or_else(none, |excess| interval(excess, 0))
        }));
    }
    format!("\n{}\ntouchpoints in both: {}", fitted(table), count(discovery.touchpoints_in_both))
}

/// Of all who left while they could have been on one.
fn left_on_one(link: &ChurnLink) -> String {
    let on_one = link.exposed_leavers + link.left_out_leavers;
    let share = on_one as f64 / link.leavers.max(1) as f64;
    format!("{} of {} ({})", whole(on_one), whole(link.leavers), percent(Some(share), 0))
}

/// What to do next when there is no candidate.
fn nothing_found(discovery: &Discovery) -> Vec<String> {
    let mut text =
        "No candidate: nothing that several customers go through leads from one event to another.".to_owned();
    text.push_str(match discovery.searched_cases {
        Some(_) => " A lower `--minimum-episodes` looks at rarer cases.",
        None => {
            " If a column tells cases apart, name it with `--key`; if you know how long customers are silent between \
             two journeys, say it with `--silence`; a lower `--minimum-episodes` looks at rarer ones."
        }
    });
    vec![wrapped(&text, "", text_width())]
}

fn tried(discovery: &Discovery) -> Vec<String> {
    let tried = discovery.tried.iter().map(|tried| wrapped(tried, "- ", text_width()));
    std::iter::once("\nWhat was tried:".to_owned()).chain(tried).collect()
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

/// `40 min`, `5.2 h`, `12.3 d`.
fn duration(seconds: f64) -> String {
    match seconds {
        minutes if minutes < 5_400.0 => format!("{:.0} min", minutes / 60.0),
        hours if hours < 172_800.0 => format!("{:.1} h", hours / 3_600.0),
        days => format!("{:.1} d", days / 86_400.0),
    }
}
