//! Who has to act: what triggers wrote into their log, by team.

use throughline_engine::{EngineError, Figures};

use crate::block::{Block, Section};
use crate::context::Context;
use crate::numbers::whole;
use crate::table::Table;

const COLUMNS: [&str; 6] = ["trigger", "severity", "route", "key", "message", "fired_at"];

const COUNTS: &str = "
SELECT
    route, severity, trigger, count(*) AS firings,
    count(*) FILTER (WHERE fired_at = (SELECT max(fired_at) FROM fct_trigger)) AS newest,
    max(fired_at) AS last_fired_at
FROM fct_trigger
GROUP BY route, severity, trigger";

/// Messages of one kind are shown up to this number: a log only grows.
const MESSAGES: &str = "
SELECT route, severity, trigger, message, fired_at, place
FROM (
    SELECT *, row_number() OVER (PARTITION BY route, trigger ORDER BY fired_at DESC, key) AS place FROM fct_trigger
)
WHERE place <= 3";

/// The worst first.
const SEVERITIES: [&str; 3] = ["critical", "warning", "info"];

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let title = "Who has to act";
    let missing = |reason: &str| Section::new("triggers", title, vec![Block::missing(reason.to_owned())]);
    let mut counts = match context.select("fct_trigger", &COLUMNS, COUNTS).await? {
        Ok(rows) => rows,
        Err(reason) => return Ok(missing(&format!("No trigger is known: {reason}."))),
    };
    if counts.is_empty() {
        return Ok(missing("No trigger has fired yet."));
    }
    let mut messages = context.select("fct_trigger", &COLUMNS, MESSAGES).await?.unwrap_or_default();
    messages.sort_by_key(|row| row.whole("place"));
    let severity = |row: &Figures| {
        let severity = row.text("severity").unwrap_or_default();
        SEVERITIES.iter().position(|known| *known == severity).unwrap_or(SEVERITIES.len())
    };
    counts.sort_by_key(|row| (severity(row), row.text("route"), row.text("trigger")));
    let mut table = Table::new(
        "Firings of triggers, by the team that has to act",
        &["Team", "Trigger", "Severity", "#In the log", "#New", "Last on", "Latest"],
    );
    for row in &counts {
        let same = |other: &&Figures| ["route", "trigger"].iter().all(|name| other.text(name) == row.text(name));
        let latest: Vec<String> = messages.iter().filter(same).filter_map(|row| row.text("message")).collect();
        let more = row.whole("firings").unwrap_or(0) - latest.len() as i64;
        let rest = if more > 0 { format!(" … and {} more", whole(more)) } else { String::new() };
        table.push(vec![
            row.text("route").unwrap_or_default(),
            row.text("trigger").unwrap_or_default().replace('_', " "),
            row.text("severity").unwrap_or_default(),
            row.whole("firings").map_or_else(String::new, whole),
            row.whole("newest").map_or_else(String::new, whole),
            row.day("last_fired_at").unwrap_or_default(),
            format!("{}{rest}", latest.join(" · ")),
        ]);
    }
    let text = format!(
        "From the log as of {}, the worst first. Each firing is written once, however often a run is repeated; new are those of \
         the latest day in the log.",
        context.as_of()
    );
    Ok(Section::new("triggers", title, vec![Block::text(text), Block::Table { table }]))
}
