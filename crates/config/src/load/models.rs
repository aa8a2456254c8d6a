//! `models:`.

use std::sync::Arc;

use indexmap::IndexMap;

use super::fields::{Field, Fields};
use super::tree::Node;
use super::workspace::Workspace;
use super::{rules, top};
use crate::{Diagnostic, Diagnostics, Located, MatchRows, Materialization, Model, ModelKind, SourceFile};

pub(crate) const KEYS: [&str; 12] = [
    "sql",
    "match",
    "rows",
    "eligible",
    "materialized",
    "time_column",
    "grain",
    "tests",
    "tags",
    "owner",
    "description",
    "columns",
];
const KINDS: [&str; 3] = ["sql", "match", "eligible"];

/// The entries of `models:`.
pub(super) fn models(field: Field<'_>, workspace: &Workspace, findings: &mut Diagnostics) -> Vec<Model> {
    let entries = field.entries("a mapping of names to models", findings);
    entries.iter().filter_map(|(name, node)| model(name, node, workspace, findings)).collect()
}

fn model(name: &Located<String>, node: &Node, workspace: &Workspace, findings: &mut Diagnostics) -> Option<Model> {
    top::check_relation_name(name, "model", findings);
    let what = format!("model `{}`", name.value);
    let fields = Fields::open(node, name.place.clone(), what, &KEYS, findings)?;
    let kind = kind(&fields, workspace, findings);
    // A match is the costly step and several models read it, so it is kept unless the pipeline says otherwise.
    let default = if fields.get("match").is_some() { Materialization::Table } else { Materialization::View };
    let materialized = match fields.get("materialized") {
        Some(field) => materialized(field, findings),
        None => Some(default),
    };
    let tests = fields.get("tests").map_or_else(Vec::new, |field| rules::tests(field, workspace, findings));
    if let (Some(field), Some(ModelKind::Sql(_) | ModelKind::Eligible { .. })) = (fields.get("rows"), &kind) {
        findings.push(
            Diagnostic::error("bad-value", "`rows` says what a `match` makes, and this model has none")
                .at(field.key.place.clone())
                .help("leave `rows` out, or make the model with `match: <relation of touchpoints>`"),
        );
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
                Diagnostic::error("missing-key", format!("{} has none of `sql`, `match` and `eligible`", fields.what))
                    .at(fields.header.clone())
                    .help("add e.g. `sql: sql/facts/fct_journey.sql`"),
            );
            None
        }
        [_, second, ..] => {
            findings.push(
                Diagnostic::error("bad-value", format!("{} is made in more than one way", fields.what))
                    .at(second.key.place.clone())
                    .help("keep one of `sql`, `match` and `eligible`"),
            );
            None
        }
    }
}

fn match_rows(fields: &Fields<'_>, findings: &mut Diagnostics) -> MatchRows {
    let words = [("members", MatchRows::Members), ("instances", MatchRows::Instances)];
    let written = fields.get("rows").and_then(|field| field.one_of(&words, findings));
    written.map_or(MatchRows::Members, |rows| rows.value)
}

fn sql_file(path: &Located<String>, workspace: &Workspace, findings: &mut Diagnostics) -> Option<Arc<SourceFile>> {
    workspace.read_named(path).map_err(|finding| findings.push(finding)).ok()
}

fn materialized(field: Field<'_>, findings: &mut Diagnostics) -> Option<Materialization> {
    let text = field.text(findings)?;
    if text.value == "incremental" {
        findings.push(
            Diagnostic::error("unsupported", "`materialized: incremental` is not supported yet")
                .at(text.place)
                .label("use `table`")
                .help("`table` gives the same rows: it is replaced as a whole by each run"),
        );
        return None;
    }
    let words = [("view", Materialization::View), ("table", Materialization::Table)];
    field.one_of(&words, findings).map(|found| found.value)
}

/// A mapping of column names to comments.
pub(super) fn comments(field: Field<'_>, findings: &mut Diagnostics) -> IndexMap<String, String> {
    let entries = field.entries("a mapping of columns to comments", findings);
    entries
        .iter()
        .filter_map(|(column, node)| Some((column.value.clone(), Field { key: column, node }.text(findings)?.value)))
        .collect()
}
