//! The pipeline itself, a placeholder of a journey, and the README with what to decide.

use super::super::guess::Guess;
use super::super::look::TableProfile;
use super::notes::{Question, comment, day};
use super::sources::{about, scalar};

/// 24 h in microseconds.
const DAY: i64 = 86_400_000_000;

/// The first and the last instant of all events, in microseconds since 1970.
pub(crate) fn extent(tables: &[TableProfile], guess: &Guess) -> Option<(i64, i64)> {
    let times = guess.events.iter().filter_map(|events| tables[events.table].columns[events.time].time());
    times.map(|time| (time.earliest, time.latest)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// The day after the last event: until then the data reach.
pub(crate) fn day_after(latest: i64) -> String {
    day(latest.saturating_add(DAY))
}

/// The text of `pipelines/<name>.yaml`.
pub(crate) fn pipeline(name: &str, tables: &[TableProfile], guess: &Guess, touchpoints: &[String]) -> String {
    let start = extent(tables, guess).map_or_else(|| "2020-01-01".to_owned(), |(earliest, _)| day(earliest));
    let staging = match touchpoints {
        [one] => format!(" {{ sql: {one} }}"),
        several => format!("\n    union:\n      - {}", several.join("\n      - ")),
    };
    let mut text = String::from(
        "# Written by `throughline init --from`. What it found and what it guessed stands beside each column in \
         sql/staging/\n# and pipelines/sources/; README.md says what to decide next.\n",
    );
    text.push_str(&format!(
        "name: {name}\nowner: you\nstart: {start}  # the day of the earliest event\n\
         warehouse: ${{WAREHOUSE:-data/warehouse}}\n\n\
         # The facts, marts and tests that come with the program: `throughline library list`.\nuses: key_journeys\n\n\
         sources: sources/*.yaml\njourneys: journeys/*.yaml\n"
    ));
    text.push_str(&channels(tables, guess));
    text.push_str(&format!("\nmodels:\n  touchpoints:{staging}\n  customers: {{ sql: sql/staging/customers.sql }}\n"));
    text.push_str(&money(tables, guess));
    text
}

/// Which channels have a person at the other end is for a person to say.
fn channels(tables: &[TableProfile], guess: &Guess) -> String {
    let columns = guess.events.iter().filter_map(|events| Some(&tables[events.table].columns[events.channel?]));
    let mut found: Vec<String> =
        columns.flat_map(|column| column.common.iter().map(|(value, _)| value.clone())).collect();
    found.sort();
    found.dedup();
    if found.is_empty() {
        return String::new();
    }
    let found: Vec<String> = found.iter().map(|value| scalar(value)).collect();
    let mut text = String::from("\n# Channels with a person at the other end; keep those that have one.\n");
    text.push_str(&format!("# assisted_channels: [{}]\n", found.join(", ")));
    text
}

fn money(tables: &[TableProfile], guess: &Guess) -> String {
    let mut text = String::new();
    for events in &guess.events {
        let table = &tables[events.table];
        for place in &events.money {
            let column = &table.columns[*place];
            let note = format!("{}.{} looks like money: {}.", table.name, column.name, about(column));
            text.push_str(&comment(2, "# ", &note));
        }
    }
    if text.is_empty() {
        return text;
    }
    let lead = comment(2, "# ", "Optional: what customers are billed, and what they buy.");
    format!(
        "{lead}{text}  # billing: {{ sql: sql/staging/billing.sql }}\n  \
         # purchases: {{ sql: sql/staging/purchases.sql }}\n"
    )
}

/// The one journey that is there until a person defines better ones.
pub(crate) const PLACEHOLDER: &str = "\
# A placeholder, so that everything runs: whatever a customer does until 30 days of silence. It says nothing yet.
# `throughline discover` proposes journeys from the touchpoints, and `throughline discover --yaml` prints their
# definitions; write one file for each journey beside this one, and delete this one.
every_touchpoint:
  label: Every touchpoint until 30 days of silence (a placeholder)
  owner: you
  starts: event IS NOT NULL
  idle: 30 days
";

/// The text of `README.md`.
pub(crate) fn readme(found: &[String], questions: &[Question], latest: Option<i64>) -> String {
    let until = latest.map_or_else(|| "2026-01-01".to_owned(), day_after);
    let mut text = format!(
        "# A workspace, as far as the data tell\n\n`throughline init --from` looked at the data and wrote this. \
         Nothing was invented: what is not clear is\nmarked where it stands, and asked here.\n\n```sh\nthroughline check\n\
         throughline run --as-of {until}    # the day after the last event\nthroughline discover              # which \
         journeys the touchpoints hold\nthroughline report --out report.html\n```\n\n## What was found\n\n"
    );
    for line in found {
        text.push_str(&format!("- {line}\n"));
    }
    text.push_str("\n## What to decide\n\n");
    for (number, question) in questions.iter().enumerate() {
        text.push_str(&format!("{}. {} (`{}`)\n", number + 1, question.text, question.file));
    }
    text
}
