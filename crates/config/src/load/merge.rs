//! What a pipeline says of the models and triggers of its libraries: left out (`off`), or changed key by key.
//!
//! A key that the pipeline gives stands in the place of the library's; `tests` and `columns` are added to them. A model
//! that the pipeline makes in its own way (`sql:`, `union:`, `match:`, `eligible:`) keeps all that is not about how it
//! was made: grain, tests, materialization, owner, tags, comments.

use indexmap::IndexMap;

use super::tree::{Entries, Entry, Node, NodeKind};
use crate::{Diagnostic, Diagnostics, Located, Place, closest};

/// How a model is made.
pub(super) const KINDS: [&str; 4] = ["sql", "union", "match", "eligible"];
/// What says more of how it is made.
const OF_THE_KIND: [&str; 2] = ["rows", "ordered_by"];
/// What only an incremental model has.
const OF_INCREMENTS: [&str; 3] = ["lookback", "reach", "interval"];

/// A pipeline's entries beside those of its libraries.
#[derive(Default)]
pub(super) struct Merged {
    /// The pipeline's own, in the order written.
    pub(super) own: Entries,
    /// The libraries', in their order, as the pipeline has changed them.
    pub(super) of_libraries: Entries,
    /// What is left out, and where the pipeline says so.
    pub(super) off: IndexMap<String, Place>,
    /// What the pipeline makes in its own way, and where it says so.
    pub(super) replaced: IndexMap<String, Place>,
}

/// Whether an entry says `off`.
fn is_off(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::Scalar { text, plain: true } if text == "off")
}

/// Puts a pipeline's entries and its libraries' together. `what` names the kind of entry, for messages.
pub(super) fn merge(own: &[Entry], libraries: &[&Entries], what: &str, findings: &mut Diagnostics) -> Merged {
    let mut merged = Merged::default();
    let mut changes: IndexMap<&str, &Entry> = IndexMap::new();
    let names = || libraries.iter().flat_map(|entries| entries.iter()).map(|(name, _)| name.value.as_str());
    for entry in own {
        let (name, node) = entry;
        if names().any(|known| known == name.value) {
            changes.insert(&name.value, entry);
        } else if is_off(node) {
            findings.push(nothing_to_turn_off(name, what, names()));
        } else {
            merged.own.push(entry.clone());
        }
    }
    for (name, library) in libraries.iter().flat_map(|entries| entries.iter()) {
        match changes.get(name.value.as_str()) {
            None => merged.of_libraries.push((name.clone(), library.clone())),
            Some((own_name, own)) if is_off(own) => {
                merged.off.insert(name.value.clone(), own_name.place.clone());
            }
            Some((own_name, own)) => {
                if is_remade(own) {
                    merged.replaced.insert(name.value.clone(), own_name.place.clone());
                }
                merged.of_libraries.push((own_name.clone(), changed(library, own, is_remade(own))));
            }
        }
    }
    merged
}

fn nothing_to_turn_off<'a>(name: &Located<String>, what: &str, names: impl Iterator<Item = &'a str>) -> Diagnostic {
    let message = format!("`{}` is turned off, but no library has a {what} of that name", name.value);
    let finding = Diagnostic::error("nothing-to-turn-off", message).at(name.place.clone());
    match closest(&name.value, names) {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None => finding.help("leave it out: only what comes from a library can be turned off"),
    }
}

/// The pipeline's model for an input of a library, with what the library declares of it; its tests hold beside its own.
pub(super) fn as_input(own: &Node, declared: &Node) -> Node {
    changed(declared, own, false)
}

fn is_remade(node: &Node) -> bool {
    entries(node).iter().any(|(key, _)| KINDS.contains(&key.value.as_str()))
}

fn entries(node: &Node) -> &[Entry] {
    match &node.kind {
        NodeKind::Mapping(entries) => entries,
        _ => &[],
    }
}

fn changed(library: &Node, own: &Node, remade: bool) -> Node {
    if !matches!(own.kind, NodeKind::Mapping(_)) {
        return own.clone();
    }
    let given = |key: &str| entries(own).iter().find(|(name, _)| name.value == key).map(|(_, node)| node);
    let not_incremental = given("materialized")
        .is_some_and(|node| !matches!(&node.kind, NodeKind::Scalar { text, .. } if text == "incremental"));
    let mut kept: Entries = Vec::new();
    for (key, node) in entries(library) {
        let name = key.value.as_str();
        let dropped = remade && (KINDS.contains(&name) || OF_THE_KIND.contains(&name))
            || not_incremental && OF_INCREMENTS.contains(&name);
        match given(name) {
            None if dropped => {}
            None => kept.push((key.clone(), node.clone())),
            // Own SQL may make other rows, of which other things hold.
            Some(more) if name == "columns" || name == "tests" && !remade => {
                kept.push((key.clone(), together(node, more)));
            }
            Some(_) => {}
        }
    }
    let added = |key: &str| kept.iter().any(|(name, _)| name.value == key);
    let others: Entries = entries(own).iter().filter(|(key, _)| !added(&key.value)).cloned().collect();
    kept.extend(others);
    Node { kind: NodeKind::Mapping(kept), place: own.place.clone() }
}

/// Both lists, or both mappings; of two comments on a column the second.
fn together(first: &Node, second: &Node) -> Node {
    let kind = match (&first.kind, &second.kind) {
        (NodeKind::Sequence(first), NodeKind::Sequence(second)) => {
            NodeKind::Sequence(first.iter().chain(second).cloned().collect())
        }
        (NodeKind::Mapping(first), NodeKind::Mapping(more)) => {
            let stays = |key: &Located<String>| more.iter().all(|(other, _)| other.value != key.value);
            let first = first.iter().filter(|(key, _)| stays(key));
            NodeKind::Mapping(first.chain(more).cloned().collect())
        }
        // What the pipeline wrote is of the wrong kind, and is refused where it stands.
        _ => return second.clone(),
    };
    Node { kind, place: second.place.clone() }
}
