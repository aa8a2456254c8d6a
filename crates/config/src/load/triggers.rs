//! `triggers:`.

use indexmap::IndexMap;

use super::fields::Fields;
use super::tree::{Entry, Node};
use super::values;
use crate::{Diagnostic, Diagnostics, Located, Template, TemplatePart, Trigger, TriggerSeverity};

pub(crate) const KEYS: [&str; 7] = ["table", "condition", "route", "severity", "key", "message", "description"];

/// The entries of `triggers:` by name.
pub(super) fn triggers(entries: &[Entry], findings: &mut Diagnostics) -> IndexMap<String, Trigger> {
    let triggers = entries.iter().filter_map(|(name, node)| trigger(name, node, findings));
    triggers.map(|trigger| (trigger.name.value.clone(), trigger)).collect()
}

fn trigger(name: &Located<String>, node: &Node, findings: &mut Diagnostics) -> Option<Trigger> {
    if let Some(finding) = values::check_name(name, "trigger", &[]) {
        findings.push(finding);
    }
    let fields = Fields::open(node, name.place.clone(), format!("trigger `{}`", name.value), &KEYS, findings)?;
    let text = |key: &str, example: &str, findings: &mut Diagnostics| {
        fields.required(key, example, findings).and_then(|field| field.text(findings))
    };
    let table = text("table", "mart_planning", findings);
    let condition = text("condition", "completion_rate < completion_rate_target", findings);
    let route = text("route", "customer-operations", findings);
    let key = fields.required("key", "[journey, landmark]", findings).map(|field| field.texts(findings));
    let severities = [TriggerSeverity::Info, TriggerSeverity::Warning, TriggerSeverity::Critical]
        .map(|severity| (severity.word(), severity));
    let severity = fields.get("severity").and_then(|field| field.one_of(&severities, findings));
    let message = fields.text("message", findings);
    Some(Trigger {
        name: name.clone(),
        severity: severity.map_or(TriggerSeverity::Warning, |found| found.value),
        message: message.as_ref().map(|text| template(text, findings)),
        description: fields.words("description", findings),
        table: table?,
        condition: condition?,
        route: template(&route?, findings),
        key: key.filter(|columns| !columns.is_empty())?,
    })
}

/// Splits a text at its `{column}`s; `{{` and `}}` stand for braces.
fn template(text: &Located<String>, findings: &mut Diagnostics) -> Template {
    let mut parts = Vec::new();
    let mut words = String::new();
    let mut rest = text.value.as_str();
    let wrong = |message: &str, at: usize, length: usize| {
        Diagnostic::error("bad-template", message)
            .at(text.place_within(at..at + length))
            .help("a column's value is written `{column}`, a brace `{{` or `}}`")
    };
    while let Some(brace) = rest.find(['{', '}']) {
        let at = text.value.len() - rest.len() + brace;
        words.push_str(&rest[..brace]);
        rest = &rest[brace..];
        if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            words.push_str(&rest[..1]);
            rest = after;
            continue;
        }
        let Some((name, after)) = rest.strip_prefix('{').and_then(|inside| inside.split_once('}')) else {
            findings.push(wrong("a brace without its partner", at, 1));
            return Template { parts };
        };
        if name.is_empty() || name.contains('{') {
            findings.push(wrong("no column's name stands between the braces", at, name.len() + 2));
            return Template { parts };
        }
        if !words.is_empty() {
            parts.push(TemplatePart::Words(std::mem::take(&mut words)));
        }
        let place = text.place_within(at + 1..at + 1 + name.len());
        parts.push(TemplatePart::Column(Located { value: name.to_owned(), place }));
        rest = after;
    }
    words.push_str(rest);
    if !words.is_empty() {
        parts.push(TemplatePart::Words(words));
    }
    Template { parts }
}
