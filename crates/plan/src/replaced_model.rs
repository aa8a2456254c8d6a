//! Models of a library that a pipeline makes in its own way, held against what others read of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use throughline_config::{Diagnostic, Diagnostics, Pipeline, Place};

use crate::error_place::TextOrigin;
use crate::graph::{Graph, Node};
use crate::named_columns::named_columns;
use crate::step::Step;

/// What the readers of a replaced model find missing in it.
type Missing = BTreeMap<String, BTreeSet<String>>;

/// Moves the blame for a column that a replaced model lacks from those who read it to the model itself.
///
/// `found` are the findings of each reader, `of_triggers` those of triggers; what is explained is taken out of both.
pub(crate) fn lacking_columns<'a>(
    pipeline: &Pipeline,
    graph: &Graph,
    step: impl Fn(&str) -> Option<&'a Step>,
    found: &mut IndexMap<String, Diagnostics>,
    of_triggers: &mut Diagnostics,
) -> Diagnostics {
    let mut blamed = Diagnostics::default();
    for name in pipeline.replaced.keys() {
        let Some(node) = graph.nodes.get(name) else { continue };
        let Some(made) = step(name) else {
            blamed.0.extend(lacking_for_its_tests(name, node, pipeline, found));
            continue;
        };
        let lacks = |column: &str| made.schema.field_with_name(column).is_err();
        let mut missing = Missing::new();
        for (reader, findings) in found.iter_mut().filter(|(_, findings)| !findings.is_empty()) {
            let texts = graph.nodes.get(reader).into_iter().flat_map(Node::texts);
            let named: BTreeSet<String> = texts.flat_map(|sql| named_columns(sql, name)).collect();
            let mut is_explained = false;
            findings.0.retain(|finding| match unknown_column(finding) {
                Some(column) if named.contains(column) && lacks(column) => {
                    is_explained = true;
                    false
                }
                _ => true,
            });
            for column in named.iter().filter(|column| is_explained && lacks(column)) {
                missing.entry(column.clone()).or_default().insert(format!("`{reader}`"));
            }
        }
        let watching = |place: &Place| {
            let triggers = pipeline.triggers.values().filter(|trigger| trigger.table.value == *name);
            let mut places = triggers.flat_map(|trigger| {
                let texts = std::iter::once(&trigger.condition).chain(&trigger.key);
                texts.map(move |text| (trigger.name.value.clone(), text.place.clone()))
            });
            let within = |text: &Place| {
                let span = &text.span;
                Arc::ptr_eq(&text.file, &place.file) && span.start <= place.span.start && place.span.end <= span.end
            };
            places.find(|(_, text)| within(text)).map(|(trigger, _)| trigger)
        };
        of_triggers.0.retain(|finding| {
            let column = unknown_column(finding).filter(|column| lacks(column));
            let trigger = finding.place.as_ref().and_then(watching);
            let (Some(column), Some(trigger)) = (column, trigger) else { return true };
            missing.entry(column.to_owned()).or_default().insert(format!("the trigger `{trigger}`"));
            false
        });
        if !missing.is_empty() {
            blamed.push(lacking(name, missing, node, pipeline));
        }
    }
    blamed
}

/// Columns that a replaced model lacks and that the grain and the tests which it takes over from the library name.
fn lacking_for_its_tests(
    name: &str,
    node: &Node,
    pipeline: &Pipeline,
    found: &mut IndexMap<String, Diagnostics>,
) -> Option<Diagnostic> {
    let findings = found.get_mut(name)?;
    let is_own = |place: &Place| {
        Arc::ptr_eq(&place.file, &pipeline.file) || node.texts().any(|sql| Arc::ptr_eq(&sql.file, &place.file))
    };
    let mut missing = Missing::new();
    findings.0.retain(|finding| match (unknown_column(finding), &finding.place) {
        (Some(column), Some(place)) if !is_own(place) => {
            missing.entry(column.to_owned()).or_default().insert("its grain and tests in the library".to_owned());
            false
        }
        _ => true,
    });
    (!missing.is_empty()).then(|| lacking(name, missing, node, pipeline))
}

/// The column that a finding does not find, as it is written.
fn unknown_column(finding: &Diagnostic) -> Option<&str> {
    let written = finding.place.as_ref().filter(|_| finding.code == "unknown-column")?.text();
    written.rsplit('.').next().map(|column| column.trim_matches('"'))
}

fn lacking(name: &str, missing: Missing, node: &Node, pipeline: &Pipeline) -> Diagnostic {
    let list = |texts: BTreeSet<String>| texts.into_iter().collect::<Vec<_>>().join(", ");
    let columns: Vec<String> =
        missing.into_iter().map(|(column, readers)| format!("`{column}` ({})", list(readers))).collect();
    let message = format!("`{name}` lacks columns that are read of it: {}", columns.join(", "));
    let place = node.texts().next().map(|sql| TextOrigin::File(sql.file.clone()).whole());
    let place = place.or_else(|| pipeline.replaced.get(name).cloned());
    let finding = Diagnostic::error("replaced-model", message)
        .help("a model that stands in the place of a library's keeps the columns that others read")
        .help(format!("`throughline library show {name}` prints the library's SQL"));
    match place {
        Some(place) => finding.at(place),
        None => finding,
    }
}
