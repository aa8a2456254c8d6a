//! Topics that come back.

use throughline_engine::EngineError;

use crate::block::{Block, Section};
use crate::context::Context;
use crate::numbers::{rounded, whole};
use crate::table::Table;

const COLUMNS: [&str; 8] = [
    "topic",
    "period",
    "period_start",
    "period_end",
    "contacts",
    "repeat_contacts",
    "repeat_customers",
    "repeat_contact_rate",
];

const MOST: usize = 10;

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let title = "Issues that come back";
    let missing = |text: String| Section::new("issues", title, vec![Block::missing(text)]);
    let rows = match context.rows("fct_recurring_issue", &COLUMNS, &[]).await? {
        Ok(rows) => rows,
        Err(reason) => return Ok(missing(format!("Not available: {reason}."))),
    };
    let as_of = context.as_of();
    let over = rows.iter().filter(|row| row.day("period_end").is_some_and(|end| end.as_str() <= as_of));
    let Some(latest) = over.clone().filter_map(|row| row.instant("period_start")).max() else {
        return Ok(missing("Not available: no period is over.".to_owned()));
    };
    let mut topics: Vec<_> = over
        .filter(|row| row.instant("period_start") == Some(latest) && row.whole("repeat_contacts").unwrap_or(0) > 0)
        .collect();
    topics.sort_by_key(|row| (std::cmp::Reverse(row.whole("repeat_contacts")), row.text("topic")));
    let period = topics.first().and_then(|row| row.text("period")).unwrap_or_default();
    if topics.is_empty() {
        return Ok(missing("In the latest period that is over nobody had to ask twice.".to_owned()));
    }
    let mut table = Table::new(
        format!("Topics with repeated contacts in {period}"),
        &["Topic", "#Repeated", "#Of contacts", "#Share", "#Customers", "#Cost", "Most often just before"],
    );
    for row in topics.iter().take(MOST) {
        let dash = || "–".to_owned();
        let share = |name: &str| row.number(name).map(|share| format!("{:.0} %", share * 100.0));
        let before = row.text("upstream_event").map(|event| {
            let channel = row.text("upstream_channel").map(|channel| format!(" ({channel})")).unwrap_or_default();
            let of = share("upstream_share").map(|share| format!(", {share} of first contacts")).unwrap_or_default();
            format!("{}{channel}{of}", event.replace('_', " "))
        });
        table.push(vec![
            row.text("topic").unwrap_or_default().replace('_', " "),
            row.whole("repeat_contacts").map_or_else(dash, whole),
            row.whole("contacts").map_or_else(dash, whole),
            share("repeat_contact_rate").unwrap_or_else(dash),
            row.whole("repeat_customers").map_or_else(dash, whole),
            row.number("repeat_cost").map_or_else(dash, rounded),
            before.unwrap_or_else(dash),
        ]);
    }
    let text = format!(
        "{period}, the latest that is over as of {as_of}: {} topics had contacts within seven days of one before{}.",
        whole(topics.len() as i64),
        if topics.len() > MOST { format!("; the {MOST} with most of them") } else { String::new() }
    );
    Ok(Section::new("issues", title, vec![Block::text(text), Block::Table { table }]))
}
