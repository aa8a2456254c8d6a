//! `models:`.

use std::sync::Arc;

use indexmap::IndexMap;

use super::fields::{Field, Fields};
use super::merge::KINDS;
use super::names::check_relation_name;
use super::rules;
use super::tree::{Entry, Node};
use super::workspace::Workspace;
use crate::{
    Calendar, Diagnostic, Diagnostics, Duration, Increment, Located, MatchRows, Materialization, Model, ModelKind,
    SourceFile,
};

/// Rows that come later than this are reported and left to a person, unless the model says otherwise.
const LOOKBACK: Duration = Duration(30 * 86_400_000_000);

pub(crate) const KEYS: [&str; 17] = [
    "sql",
    "union",
    "match",
    "rows",
    "ordered_by",
    "eligible",
    "materialized",
    "time_column",
    "lookback",
    "reach",
    "interval",
    "grain",
    "tests",
    "tags",
    "owner",
    "description",
    "columns",
];

/// The entries of `models:`.
pub(super) fn models(entries: &[Entry], workspace: &Workspace, findings: &mut Diagnostics) -> Vec<Model> {
    entries.iter().filter_map(|(name, node)| model(name, node, workspace, findings)).collect()
}

fn model(name: &Located<String>, node: &Node, workspace: &Workspace, findings: &mut Diagnostics) -> Option<Model> {
    check_relation_name(name, "model", findings);
    let what = format!("model `{}`", name.value);
    let fields = Fields::open(node, name.place.clone(), what, &KEYS, findings)?;
    let kind = kind(&fields, workspace, findings);
    // A match is the costly step and several models read it, so it is kept unless the pipeline says otherwise.
    let default = if fields.get("match").is_some() { Materialization::Table } else { Materialization::View };
    let materialized = match fields.get("materialized") {
        Some(field) => materialized(field, &fields, kind.as_ref(), findings),
        None => Some(default),
    };
    refuse_increment_keys(&fields, materialized, findings);
    let tests = fields.get("tests").map_or_else(Vec::new, |field| rules::tests(field, workspace, findings));
    if let Some(ModelKind::Sql(_) | ModelKind::Union(_) | ModelKind::Eligible { .. }) = kind {
        refuse_match_keys(&fields, findings);
    }
    Some(Model {
        name: name.clone(),
        materialized: materialized.unwrap_or(default),
        time_column: fields.text("time_column", findings),
        grain: fields.texts("grain", findings),
        tests,
        tags: fields.texts("tags", findings).into_iter().map(|tag| tag.value).collect(),
        owner: fields.words("owner", findings),
        description: fields.words("description", findings),
        columns: fields.get("columns").map_or_else(IndexMap::new, |field| comments(field, findings)),
        kind: kind?,
    })
}

fn kind(fields: &Fields<'_>, workspace: &Workspace, findings: &mut Diagnostics) -> Option<ModelKind> {
    let given: Vec<Field<'_>> = KINDS.iter().filter_map(|name| fields.get(name)).collect();
    match given.as_slice() {
        [field] if field.key.value == "union" => {
            let paths = field.texts(findings);
            let files: Vec<_> = paths.iter().filter_map(|path| sql_file(path, workspace, findings)).collect();
            (!files.is_empty()).then_some(ModelKind::Union(files))
        }
        [field] => {
            let text = field.text(findings)?;
            match field.key.value.as_str() {
                "match" => Some(ModelKind::Match { input: text, rows: match_rows(fields, findings) }),
                "eligible" => Some(ModelKind::Eligible { input: text }),
                _ => sql_file(&text, workspace, findings).map(ModelKind::Sql),
            }
        }
        [] => {
            findings.push(
                Diagnostic::error(
                    "missing-key",
                    format!("{} has none of `sql`, `union`, `match` and `eligible`", fields.what),
                )
                .at(fields.header.clone())
                .help("add e.g. `sql: sql/facts/fct_journey.sql`"),
            );
            None
        }
        [_, second, ..] => {
            findings.push(
                Diagnostic::error("bad-value", format!("{} is made in more than one way", fields.what))
                    .at(second.key.place.clone())
                    .help("keep one of `sql`, `union`, `match` and `eligible`"),
            );
            None
        }
    }
}

fn match_rows(fields: &Fields<'_>, findings: &mut Diagnostics) -> MatchRows {
    let words = [("members", MatchRows::Members), ("instances", MatchRows::Instances), ("states", MatchRows::States)];
    let written = fields.get("rows").and_then(|field| field.one_of(&words, findings));
    let rows = written.map_or(MatchRows::Members, |rows| rows.value);
    let words = [("occurred_at", false), ("known_at", true)];
    let by_known = fields.get("ordered_by").and_then(|field| field.one_of(&words, findings));
    match (by_known.filter(|by_known| by_known.value), rows) {
        (None, rows) => rows,
        (Some(_), MatchRows::Members | MatchRows::KnownMembers) => MatchRows::KnownMembers,
        (Some(by_known), MatchRows::Instances | MatchRows::States) => {
            let message = match rows {
                MatchRows::States => "states are always of what was known, where the touchpoints say when",
                _ => "instances are measured as they happened, not as they became known",
            };
            findings.push(
                Diagnostic::error("bad-value", message)
                    .at(by_known.place)
                    .help("leave `ordered_by` out, or make members: leave `rows` out"),
            );
            rows
        }
    }
}

/// Keys that only a `match` has.
fn refuse_match_keys(fields: &Fields<'_>, findings: &mut Diagnostics) {
    for (key, says) in [("rows", "what a `match` makes"), ("ordered_by", "in which order a `match` reads")] {
        let Some(field) = fields.get(key) else { continue };
        findings.push(
            Diagnostic::error("bad-value", format!("`{key}` says {says}, and this model has none"))
                .at(field.key.place.clone())
                .help(format!("leave `{key}` out, or make the model with `match: <relation of touchpoints>`")),
        );
    }
}

fn sql_file(path: &Located<String>, workspace: &Workspace, findings: &mut Diagnostics) -> Option<Arc<SourceFile>> {
    workspace.read_named(path).map_err(|finding| findings.push(finding)).ok()
}

fn materialized(
    field: Field<'_>,
    fields: &Fields<'_>,
    kind: Option<&ModelKind>,
    findings: &mut Diagnostics,
) -> Option<Materialization> {
    #[derive(Clone, Copy)]
    enum Word {
        View,
        Table,
        Incremental,
    }
    let words = [("view", Word::View), ("table", Word::Table), ("incremental", Word::Incremental)];
    let word = field.one_of(&words, findings)?;
    match word.value {
        Word::View => Some(Materialization::View),
        Word::Table => Some(Materialization::Table),
        Word::Incremental => {
            let refusal = match kind {
                Some(ModelKind::Eligible { .. }) => Some("an `eligible` model"),
                Some(ModelKind::Match { rows: MatchRows::Instances, .. }) => Some("a match of instances"),
                Some(ModelKind::Match { rows: MatchRows::KnownMembers, .. }) => Some("a match ordered by `known_at`"),
                Some(ModelKind::Match { rows: MatchRows::States, .. }) => Some("a match of states"),
                _ => None,
            };
            if let Some(what) = refusal {
                findings.push(
                    Diagnostic::error("bad-value", format!("{what} cannot be incremental itself"))
                        .at(word.place)
                        .label("use `view`")
                        .help("make the SQL model that reads it incremental"),
                );
                return None;
            }
            Some(Materialization::Incremental(increment(fields, findings)))
        }
    }
}

fn increment(fields: &Fields<'_>, findings: &mut Diagnostics) -> Increment {
    let calendars = [("day", Calendar::Day), ("month", Calendar::Month), ("quarter", Calendar::Quarter)];
    let interval = fields.get("interval").and_then(|field| field.one_of(&calendars, findings));
    Increment {
        lookback: fields.limit("lookback", findings).unwrap_or(LOOKBACK),
        reach: fields.limit("reach", findings).unwrap_or(Duration(0)),
        interval: interval.map_or(Calendar::Instant, |interval| interval.value),
    }
}

/// Keys that only an incremental model has.
fn refuse_increment_keys(fields: &Fields<'_>, materialized: Option<Materialization>, findings: &mut Diagnostics) {
    if matches!(materialized, None | Some(Materialization::Incremental(_))) {
        return;
    }
    for field in ["lookback", "reach", "interval"].iter().filter_map(|name| fields.get(name)) {
        findings.push(
            Diagnostic::error("bad-value", format!("`{}` belongs to an incremental model", field.key.value))
                .at(field.key.place.clone())
                .help("write `materialized: incremental`, or leave it out"),
        );
    }
}

/// A mapping of column names to comments.
pub(super) fn comments(field: Field<'_>, findings: &mut Diagnostics) -> IndexMap<String, String> {
    comments_of(field.entries("a mapping of columns to comments", findings), findings)
}

/// Comments by column.
pub(super) fn comments_of(entries: &[Entry], findings: &mut Diagnostics) -> IndexMap<String, String> {
    entries
        .iter()
        .filter_map(|(column, node)| Some((column.value.clone(), Field { key: column, node }.text(findings)?.value)))
        .collect()
}
