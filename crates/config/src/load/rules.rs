//! `contract:` and `tests:`: lists of rules, each a mapping with one rule's name as its key.

use std::collections::HashSet;

use super::fields::{Field, Fields, unknown_key};
use super::tree::{Node, NodeKind};
use super::workspace::Workspace;
use crate::{DataTest, Diagnostic, Diagnostics, Located, Place, RowRule, Severity, TestKind};

pub(crate) const RULES: [&str; 8] =
    ["not_null", "unique", "accepted_values", "relationships", "range", "expression", "row_count", "sql"];
pub(crate) const BOUND_KEYS: [&str; 2] = ["min", "max"];
pub(crate) const ROW_RULES: [&str; 4] = ["not_null", "accepted_values", "range", "expression"];

/// The rules of a source's `contract`.
pub(super) fn contract(field: Field<'_>, findings: &mut Diagnostics) -> Vec<RowRule> {
    let mut rules = Vec::new();
    for item in items(field, findings) {
        for rule in parts(item, &ROW_RULES, findings) {
            match rule.key.value.as_str() {
                "severity" => findings.push(
                    Diagnostic::error("unknown-key", "a contract has no `severity`").at(rule.key.place.clone()).help(
                        "rows that break a contract are set aside and counted; a model's `tests` have severities",
                    ),
                ),
                name if ROW_RULES.contains(&name) => rules.extend(row_rules(rule, findings)),
                name => findings.push(
                    Diagnostic::error("bad-rule", format!("`{name}` cannot be part of a contract"))
                        .at(rule.key.place.clone())
                        .help(format!("a contract judges each row by itself: {}", ROW_RULES.join(", ")))
                        .help("put this rule among the `tests` of a model that reads the source"),
                ),
            }
        }
    }
    rules
}

/// The tests of a model.
pub(super) fn tests(field: Field<'_>, workspace: &Workspace, findings: &mut Diagnostics) -> Vec<DataTest> {
    let mut tests = Vec::new();
    for item in items(field, findings) {
        let parts = parts(item, &RULES, findings);
        let severity = parts.iter().find(|part| part.key.value == "severity");
        let severity = severity
            .and_then(|field| field.one_of(&[("error", Severity::Error), ("warn", Severity::Warning)], findings))
            .map_or(Severity::Error, |severity| severity.value);
        for rule in parts.iter().filter(|part| part.key.value != "severity") {
            let place = rule.key.place.clone();
            let kinds = test_kinds(*rule, workspace, findings);
            tests.extend(kinds.into_iter().map(|kind| DataTest { kind, severity, place: place.clone() }));
        }
    }
    tests
}

fn test_kinds(rule: Field<'_>, workspace: &Workspace, findings: &mut Diagnostics) -> Vec<TestKind> {
    match rule.key.value.as_str() {
        "unique" => {
            let columns = rule.texts(findings);
            if columns.is_empty() { Vec::new() } else { vec![TestKind::Unique(columns)] }
        }
        "relationships" => relationships(rule, findings),
        "row_count" => row_count(rule, findings).into_iter().collect(),
        "sql" => {
            let file = rule.text(findings).map(|path| workspace.read_named(&path));
            match file {
                Some(Ok(file)) => vec![TestKind::Sql(file)],
                Some(Err(finding)) => {
                    findings.push(finding);
                    Vec::new()
                }
                None => Vec::new(),
            }
        }
        _ => row_rules(rule, findings).into_iter().map(TestKind::Rows).collect(),
    }
}

fn row_rules(rule: Field<'_>, findings: &mut Diagnostics) -> Vec<RowRule> {
    match rule.key.value.as_str() {
        "not_null" => {
            let columns = rule.texts(findings);
            if columns.is_empty() { Vec::new() } else { vec![RowRule::NotNull(columns)] }
        }
        "accepted_values" => rule
            .entries("a mapping of columns to lists of values", findings)
            .iter()
            .filter_map(|(column, node)| {
                let values: Vec<String> =
                    Field { key: column, node }.texts(findings).into_iter().map(|value| value.value).collect();
                (!values.is_empty()).then(|| RowRule::AcceptedValues { column: column.clone(), values })
            })
            .collect(),
        "range" => rule
            .entries("a mapping of columns to `{ min: …, max: … }`", findings)
            .iter()
            .filter_map(|(column, node)| range(column, node, findings))
            .collect(),
        // The callers passed only the names of rules, so this is `expression`.
        _ => rule.text(findings).map(RowRule::Expression).into_iter().collect(),
    }
}

fn range(column: &Located<String>, node: &Node, findings: &mut Diagnostics) -> Option<RowRule> {
    let what = format!("the range of `{}`", column.value);
    let fields = Fields::open(node, column.place.clone(), what, &BOUND_KEYS, findings)?;
    if fields.get("min").is_none() && fields.get("max").is_none() {
        findings.push(without_bounds(&fields.what, column.place.clone()));
        return None;
    }
    let (min, max) = (fields.text("min", findings), fields.text("max", findings));
    Some(RowRule::Range { column: column.clone(), min, max })
}

fn row_count(rule: Field<'_>, findings: &mut Diagnostics) -> Option<TestKind> {
    let fields = Fields::open(rule.node, rule.key.place.clone(), "`row_count`".to_owned(), &BOUND_KEYS, findings)?;
    let mut bound = |name: &str| {
        let number = fields.get(name)?.integer(0, i64::MAX, findings)?;
        u64::try_from(number).ok()
    };
    let (min, max) = (bound("min"), bound("max"));
    if fields.get("min").is_none() && fields.get("max").is_none() {
        findings.push(without_bounds(&fields.what, fields.header.clone()));
        return None;
    }
    if let (Some(least), Some(most)) = (min, max)
        && least > most
    {
        findings.push(
            Diagnostic::error("bad-value", format!("no number is at least {least} and at most {most}"))
                .at(rule.node.place.clone())
                .help("swap `min` and `max`"),
        );
        return None;
    }
    Some(TestKind::RowCount { min, max })
}

fn without_bounds(what: &str, place: Place) -> Diagnostic {
    Diagnostic::error("missing-key", format!("{what} has neither `min` nor `max`"))
        .at(place)
        .help("give one of them, or both")
}

fn relationships(rule: Field<'_>, findings: &mut Diagnostics) -> Vec<TestKind> {
    let mut kinds = Vec::new();
    for (column, node) in rule.entries("a mapping of columns to `model.column`", findings) {
        let Some(references) = (Field { key: column, node }).text(findings) else { continue };
        let well_formed = references
            .split_once('.')
            .is_some_and(|(model, column)| !model.is_empty() && !column.is_empty() && !column.contains('.'));
        if well_formed {
            kinds.push(TestKind::Relationship { column: column.clone(), references });
        } else {
            findings.push(
                Diagnostic::error("bad-value", format!("`{}` names no column of a model", references.value))
                    .at(references.place)
                    .help("write `model.column`, e.g. `customers.customer_id`"),
            );
        }
    }
    kinds
}

fn items<'a>(field: Field<'a>, findings: &mut Diagnostics) -> &'a [Node] {
    match &field.node.kind {
        NodeKind::Sequence(items) => items,
        _ => {
            findings.push(field.wrong_type("a list of rules").help("e.g. `- not_null: [customer_id]`"));
            &[]
        }
    }
}

/// The fields of one list item: exactly one rule, and perhaps its `severity`.
///
/// `listed` are the rules to show a person who misspells one; the other rules are taken all the same.
fn parts<'a>(item: &'a Node, listed: &[&'static str], findings: &mut Diagnostics) -> Vec<Field<'a>> {
    let NodeKind::Mapping(entries) = &item.kind else {
        let finding = Diagnostic::error("wrong-type", format!("a rule must be a mapping, found {}", item.described()));
        findings.push(finding.at(item.place.clone()).help("e.g. `- not_null: [customer_id]`"));
        return Vec::new();
    };
    let (known_fields, unknown): (Vec<_>, Vec<_>) = entries
        .iter()
        .map(|(key, node)| Field { key, node })
        .partition(|field| field.key.value == "severity" || RULES.contains(&field.key.value.as_str()));
    for field in &unknown {
        findings.push(unknown_key(field.key, "a rule", listed));
    }
    let named: HashSet<&str> =
        known_fields.iter().map(|field| field.key.value.as_str()).filter(|name| *name != "severity").collect();
    match named.len() {
        0 if unknown.is_empty() => findings.push(
            Diagnostic::error("bad-rule", "this item names no rule")
                .at(item.place.clone())
                .help(format!("one of: {}", listed.join(", "))),
        ),
        0 | 1 => return known_fields,
        _ => findings.push(
            Diagnostic::error("bad-rule", "this item names several rules")
                .at(item.place.clone())
                .help("begin each rule with its own `- `"),
        ),
    }
    Vec::new()
}
