//! From profiles and guesses to the files of a new workspace. Pure: text comes out, nothing is written.

mod notes;
mod sql;
mod sources;
mod touchpoints;
mod customers;
mod pipeline;

pub use notes::Question;

use super::guess::{CustomerOf, EventsGuess, Guess};
use super::look::TableProfile;
use notes::{Questions, shown};
use pipeline::{PLACEHOLDER, day_after, extent};
use sources::{SourceRules, looked_at};

/// The pipeline's name: the one that commands take when none is named.
const PIPELINE: &str = "key_journeys";

/// A file of a new workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftFile {
    /// Its path in the workspace.
    pub path: String,
    /// What stands in it.
    pub text: String,
}

/// A workspace that is not written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its files.
    pub files: Vec<DraftFile>,
    /// What each table is taken for, a line each.
    pub found: Vec<String>,
    /// What a person has to decide.
    pub questions: Vec<Question>,
    /// The day up to which the data reach, as `--as-of` takes it.
    pub as_of: String,
}

/// Drafts a workspace over the tables; `None` when none of them holds events.
pub(crate) fn draft(tables: &[TableProfile], guess: &Guess) -> Option<Draft> {
    let (_, latest) = extent(tables, guess)?;
    let mut questions = Questions::default();
    let mut files = Vec::new();
    let mut staging = Vec::new();
    for events in &guess.events {
        let path = match guess.events.len() {
            1 => "sql/staging/touchpoints.sql".to_owned(),
            _ => format!("sql/staging/touchpoints_{}.sql", tables[events.table].name),
        };
        let text = touchpoints::touchpoints(tables, guess, events, &path, &mut questions);
        staging.push(path.clone());
        files.push(DraftFile { path, text });
    }
    let text = customers::customers(tables, guess, &mut questions);
    files.push(DraftFile { path: "sql/staging/customers.sql".to_owned(), text });
    for index in used(tables, guess) {
        let table = &tables[index];
        let path = format!("pipelines/sources/{}.yaml", table.name);
        files.push(DraftFile { path, text: sources::source(table, &rules(tables, guess, index)) });
        unread_times(table, &mut questions);
    }
    later_times(tables, guess, &mut questions);
    money(tables, guess, &mut questions);
    questions.ask(
        "pipelines/journeys/every_touchpoint.yaml",
        "Which journeys are there? The one that is defined is a placeholder; `throughline discover` proposes some.",
    );
    let found = found(tables, guess);
    let text = pipeline::pipeline(PIPELINE, tables, guess, &staging);
    files.push(DraftFile { path: format!("pipelines/{PIPELINE}.yaml"), text });
    files.push(DraftFile { path: "pipelines/journeys/every_touchpoint.yaml".to_owned(), text: PLACEHOLDER.to_owned() });
    files.push(DraftFile { path: ".gitignore".to_owned(), text: "/data/warehouse/\n".to_owned() });
    let text = pipeline::readme(&found, &questions.0, Some(latest));
    files.push(DraftFile { path: "README.md".to_owned(), text });
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Some(Draft { files, found, questions: questions.0, as_of: day_after(latest) })
}

/// The tables that some SELECT reads.
fn used(tables: &[TableProfile], guess: &Guess) -> Vec<usize> {
    let mut read = vec![false; tables.len()];
    for events in &guess.events {
        read[events.table] = true;
        if let CustomerOf::By { table, .. } = events.customer {
            read[table] = true;
        }
    }
    if let Some(register) = &guess.register {
        read[register.table] = true;
        if let Some(leaving) = &register.leaving {
            read[leaving.table] = true;
        }
    }
    (0..tables.len()).filter(|index| read[*index]).collect()
}

/// What belongs into the contract of a table's source.
fn rules(tables: &[TableProfile], guess: &Guess, index: usize) -> SourceRules {
    let mut rules = SourceRules { key: guess.keys[index], ..SourceRules::default() };
    if let Some(events) = guess.events.iter().find(|events| events.table == index) {
        rules.time = Some(events.time);
        rules.needed.push(customer_column(events));
        let score = events.score.clone();
        rules.score = score.and_then(|(place, scale)| Some((place, scale?)));
    }
    let Some(register) = &guess.register else { return rules };
    let complete = |place: usize| tables[index].columns[place].missing == 0;
    if register.table == index {
        rules.needed.push(register.customer);
        rules.time = register.joined.filter(|joined| complete(*joined));
    } else if let Some(leaving) = register.leaving.as_ref().filter(|leaving| leaving.table == index) {
        rules.needed.push(leaving.customer);
        rules.time = Some(leaving.time);
    }
    rules
}

fn customer_column(events: &EventsGuess) -> usize {
    match events.customer {
        CustomerOf::Own(own) | CustomerOf::By { own, .. } => own,
    }
}

/// A column that is called a time and does not read as one.
fn unread_times(table: &TableProfile, questions: &mut Questions) {
    for column in table.columns.iter().filter(|column| column.is_called_time_only()) {
        let example = column.common.first().map(|(value, _)| format!(" (e.g. `{}`)", shown(value))).unwrap_or_default();
        questions.ask(
            &format!("pipelines/sources/{}.yaml", table.name),
            format!(
                "What does `{}` of {} say? It is called a time, but its values{example} do not all read as times of \
                 one way of writing.",
                column.name, table.name
            ),
        );
    }
}

/// A row's other times may be events of their own.
fn later_times(tables: &[TableProfile], guess: &Guess, questions: &mut Questions) {
    for (place, events) in guess.events.iter().enumerate().filter(|(_, events)| !events.time_is_unsure) {
        let table = &tables[events.table];
        let names: Vec<String> =
            events.other_times.iter().map(|time| format!("`{}`", table.columns[*time].name)).collect();
        if names.is_empty() {
            continue;
        }
        let file = match guess.events.len() {
            1 => "sql/staging/touchpoints.sql".to_owned(),
            _ => format!("sql/staging/touchpoints_{}.sql", tables[guess.events[place].table].name),
        };
        questions.ask(
            &file,
            format!(
                "Could {} of {} be events of their own, such as the end of what began? Only `{}` makes touchpoints.",
                names.join(", "),
                table.name,
                table.columns[events.time].name
            ),
        );
    }
}

fn money(tables: &[TableProfile], guess: &Guess, questions: &mut Questions) {
    let named = guess.events.iter().flat_map(|events| {
        let table = &tables[events.table];
        events.money.iter().map(|place| format!("`{}` of {}", table.columns[*place].name, table.name))
    });
    let named: Vec<String> = named.collect();
    if !named.is_empty() {
        questions.ask(
            &format!("pipelines/{PIPELINE}.yaml"),
            format!(
                "Is any of these what a customer is billed (`billing`) or buys for (`purchases`)? {}. Both are \
                 optional.",
                named.join(", ")
            ),
        );
    }
}

/// What each table is taken for.
fn found(tables: &[TableProfile], guess: &Guess) -> Vec<String> {
    let line = |index: usize, what: &str| format!("{}: {what} ({})", tables[index].name, looked_at(&tables[index]));
    let mut lines: Vec<(usize, String)> = Vec::new();
    for events in &guess.events {
        lines.push((events.table, line(events.table, &touchpoints::summary(tables, events))));
    }
    if let Some(register) = &guess.register {
        lines.push((register.table, line(register.table, &customers::summary(tables, register))));
        if let Some(leaving) = &register.leaving {
            lines.push((leaving.table, line(leaving.table, "when customers left")));
        }
    }
    let used = used(tables, guess);
    for (index, why) in &guess.unused {
        let what = if used.contains(index) { "read for whose rows are of another table" } else { "not used" };
        lines.push((*index, line(*index, &format!("{what}: {why}"))));
    }
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests;
