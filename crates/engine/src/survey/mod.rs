//! Looks at data that nobody has described yet and drafts a first workspace over them.
//!
//! In: locations. Out: the files of a workspace as texts, with what was found and what was guessed marked, and the
//! questions that only a person can answer. It reads a bounded number of rows through the sources of the lake, in
//! three steps that each are plain data: profiles ([`mod@look`]), what the columns are for ([`guess`]), and the files
//! ([`draft`]).

mod words;
mod times;
mod column;
mod look;
mod guess;
mod draft;

pub use draft::{Draft, DraftFile, Question};

use std::sync::Arc;

use throughline_config::Timestamp;
use throughline_lake::{FoundTable, PassedOver, Stores, inventory};

use crate::failure::EngineError;
use crate::workspace::sessions::{SessionOptions, new_runtime, new_session};
use look::{TableProfile, look};
use words::snake_case;

/// Names that the library's inputs have; a source called so would be taken for the input.
const INPUTS: &[&str] = &[
    "touchpoints",
    "customers",
    "survey_answers",
    "billing",
    "purchases",
    "employee_views",
    "experience_goals",
    "expert_judgement",
    "all",
    "runs",
    "run_steps",
    "run_tests",
];

/// What the library's own relations begin with.
const OF_LIBRARY: &[&str] = &["fct_", "dim_", "mart_", "journey_", "key_journey", "score_at_", "value_at_", "landmark"];

/// A location to look at.
#[derive(Debug, Clone)]
pub struct SurveyedPath {
    /// The location as it is found from here.
    pub looked_at: String,
    /// The same as the new workspace writes it.
    pub written: String,
}

/// What was found at all locations.
#[derive(Debug)]
pub struct Survey {
    /// The workspace, unless nothing in it would be a touchpoint.
    pub draft: Option<Draft>,
    /// What each table is taken for where there is no draft.
    pub tables: Vec<String>,
    /// Files that no source can read as they are.
    pub passed_over: Vec<PassedOver>,
}

/// Looks at the locations. `now` tells times that are still to come.
///
/// # Errors
/// A location is none, is not there or cannot be listed. Single files that cannot be read are no error.
pub async fn survey(
    paths: &[SurveyedPath],
    session_options: &SessionOptions,
    now: Timestamp,
) -> Result<Survey, EngineError> {
    let runtime = new_runtime(session_options)?;
    let session = new_session(session_options, &runtime)?;
    let stores = Stores::new(".", Arc::clone(&runtime));
    let mut tables: Vec<TableProfile> = Vec::new();
    // Where each was looked at, for messages.
    let mut places = Vec::new();
    let mut passed_over = Vec::new();
    for path in paths {
        let found = inventory(&path.looked_at, &stores)
            .await
            .map_err(|error| EngineError::refused_because(error.to_string(), error.help(), error))?;
        passed_over.extend(found.passed_over);
        for table in found.tables {
            match look(&table, &stores, &session, now).await {
                Ok(mut profile) => {
                    profile.name = free_name(&table, &tables);
                    profile.path = written(&table.path, path);
                    tables.push(profile);
                    places.push(table.path);
                }
                Err(reason) => passed_over.push(PassedOver { file: table.path.clone(), reason }),
            }
        }
    }
    let guess = guess::guess(&tables);
    let draft = draft::draft(&tables, &guess);
    let why = |(index, why): &(usize, String)| format!("{}: {why}", places[*index]);
    let tables_said = match &draft {
        Some(_) => Vec::new(),
        None => guess
            .unused
            .iter()
            .map(why)
            .chain(guess.register.iter().map(|register| {
                format!("{}: a row for each customer, but no table has their touchpoints", places[register.table])
            }))
            .collect(),
    };
    Ok(Survey { draft, tables: tables_said, passed_over })
}

/// A table's name: that of its file or folder, unless it is taken.
fn free_name(table: &FoundTable, tables: &[TableProfile]) -> String {
    let last = table.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let stem = if table.path.ends_with('/') { last } else { last.split('.').next().unwrap_or(last) };
    let mut name = snake_case(stem);
    if stem.is_empty() || stem.chars().all(|sign| sign == '.') {
        name = "data".to_owned();
    }
    if INPUTS.contains(&name.as_str()) || OF_LIBRARY.iter().any(|begins| name.starts_with(begins)) {
        name = format!("raw_{name}");
    }
    let is_free = |name: &str| tables.iter().all(|table| table.name != name);
    let numbered = (2..).map(|number| format!("{name}_{number}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| is_free(name));
    free.unwrap_or(name)
}

/// The table's location as the new workspace writes it.
fn written(table: &str, path: &SurveyedPath) -> String {
    let rest = table.strip_prefix(path.looked_at.trim_end_matches('/')).unwrap_or(table).trim_start_matches('/');
    let base = path.written.trim_end_matches('/');
    match (base, rest) {
        (base, "") => base.to_owned(),
        ("" | ".", rest) if !path.written.starts_with('/') => rest.to_owned(),
        (base, rest) => format!("{base}/{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_written_as_the_workspace_finds_them() {
        let path =
            |looked_at: &str, written: &str| SurveyedPath { looked_at: looked_at.into(), written: written.into() };
        assert_eq!(written("data/calls.csv", &path("data", "../data")), "../data/calls.csv");
        assert_eq!(written("data/calls/", &path("data/", "../data")), "../data/calls/");
        assert_eq!(written("data/calls.csv", &path("data/calls.csv", "../data/calls.csv")), "../data/calls.csv");
        assert_eq!(written("./calls.csv", &path(".", ".")), "calls.csv");
        assert_eq!(written("s3://lake/raw/calls/", &path("s3://lake/raw/", "s3://lake/raw/")), "s3://lake/raw/calls/");
    }

    #[test]
    fn tables_get_names_that_nothing_else_has() {
        let table = |path: &str| FoundTable {
            path: path.to_owned(),
            format: throughline_config::Format::Json,
            columns: Vec::new(),
            files: 1,
            bytes: 1,
        };
        assert_eq!(free_name(&table("data/Support Tickets.csv"), &[]), "support_tickets");
        assert_eq!(free_name(&table("data/customers.csv"), &[]), "raw_customers");
        assert_eq!(free_name(&table("s3://lake/web_events/"), &[]), "web_events");
        assert_eq!(free_name(&table("fct_orders.parquet"), &[]), "raw_fct_orders");
        assert_eq!(free_name(&table("./"), &[]), "data");
    }
}
