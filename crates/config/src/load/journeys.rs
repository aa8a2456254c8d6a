//! `journeys:` and the files it names. A journey file is a mapping of names to definitions:
//!
//! ```yaml
//! onboarding:
//!   starts: event = 'order_placed'
//!   within: 120 days
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use super::fields::{Field, Fields};
use super::names::{check_relation_name, clash};
use super::tree::{Node, NodeKind};
use super::workspace::Workspace;
use super::{globs, interpolate, tree};
use crate::{Diagnostic, Diagnostics, JourneyDefinition, LoadOptions, Located, OnRestart, Place, SourceFile};

pub(crate) const KEYS: [&str; 14] = [
    "label",
    "owner",
    "description",
    "starts",
    "ends",
    "abandons",
    "includes",
    "within",
    "idle",
    "on_restart",
    "key",
    "eligible",
    "importance",
    "rationale",
];
const CUSTOMER: &str = "customer_id";

/// Reads every file the globs name, in the order of their paths.
pub(super) fn journeys(
    field: Field<'_>,
    workspace: &Workspace,
    options: &LoadOptions,
    findings: &mut Diagnostics,
) -> IndexMap<String, JourneyDefinition> {
    let globs = match &field.node.kind {
        NodeKind::Scalar { .. } => field.text(findings).into_iter().collect(),
        NodeKind::Sequence(_) => field.texts(findings),
        NodeKind::Mapping(_) => {
            findings.push(
                field
                    .wrong_type("a glob or a list of globs")
                    .help("put the definitions into a file and write `journeys: journeys/*.yaml`"),
            );
            Vec::new()
        }
    };
    let files = globs::files(&globs, "journey", "journeys/*.yaml", workspace, findings);
    let mut journeys: IndexMap<String, JourneyDefinition> = IndexMap::new();
    for path in &files {
        for journey in definitions(path, workspace, options, findings) {
            if let Some(first) = journeys.get(&journey.name.value) {
                findings.push(clash(&journey.name, "journey", &first.name, "journey"));
            } else {
                journeys.insert(journey.name.value.clone(), journey);
            }
        }
    }
    journeys
}

fn definitions(
    path: &Path,
    workspace: &Workspace,
    options: &LoadOptions,
    findings: &mut Diagnostics,
) -> Vec<JourneyDefinition> {
    match workspace.read(path) {
        Ok(file) => definitions_of(&file, &options.environment, findings),
        Err(finding) => {
            findings.push(finding);
            Vec::new()
        }
    }
}

/// The definitions of a journey file's text, in the order written: for those who match journeys without a workspace.
/// `${VAR:-default}` takes its default, since the environment is not read.
///
/// # Errors
/// Everything found wrong, with line and column, as for the file of a workspace.
pub fn journey_definitions(text: &str) -> Result<Vec<JourneyDefinition>, Diagnostics> {
    let file = Arc::new(SourceFile { path: PathBuf::from("journeys.yaml"), text: text.to_owned() });
    let mut findings = Diagnostics::default();
    let journeys = definitions_of(&file, &HashMap::new(), &mut findings);
    if findings.has_errors() { Err(findings.sorted()) } else { Ok(journeys) }
}

fn definitions_of(
    file: &Arc<SourceFile>,
    environment: &HashMap<String, String>,
    findings: &mut Diagnostics,
) -> Vec<JourneyDefinition> {
    let Some(mut root) = tree::parse(file, findings) else { return Vec::new() };
    interpolate::interpolate(&mut root, environment, findings);
    let wrong = |message: &str, place: Place| {
        Diagnostic::error("wrong-type", message)
            .at(place)
            .help("a journey file maps names to definitions: `onboarding: { starts: \"event = 'order_placed'\" }`")
    };
    match &root.kind {
        NodeKind::Mapping(entries) => {
            if let [(name, Node { kind: NodeKind::Mapping(_), .. })] = entries.as_slice()
                && name.value == "journeys"
            {
                findings.push(
                    wrong("a journey file has no `journeys:` around its definitions", name.place.clone())
                        .label("remove this line and indent the rest less"),
                );
                return Vec::new();
            }
            entries.iter().filter_map(|(name, node)| definition(name, node, findings)).collect()
        }
        _ => {
            let message = format!("a journey file must be a mapping, found {}", root.described());
            findings.push(wrong(&message, root.place.clone()));
            Vec::new()
        }
    }
}

/// One definition, by its name.
pub(super) fn definition(name: &Located<String>, node: &Node, findings: &mut Diagnostics) -> Option<JourneyDefinition> {
    check_relation_name(name, "journey", findings);
    let what = format!("journey `{}`", name.value);
    let fields = Fields::open(node, name.place.clone(), what, &KEYS, findings)?;
    let starts = fields.required("starts", "event = 'order_placed'", findings).and_then(|field| field.text(findings));
    let on_restart = [("absorb", OnRestart::Absorb), ("split", OnRestart::Split)];
    let on_restart = fields.get("on_restart").and_then(|field| field.one_of(&on_restart, findings));
    let importance = fields.get("importance").and_then(|field| field.integer(1, 5, findings));
    let definition = JourneyDefinition {
        name: name.clone(),
        label: fields.words("label", findings).unwrap_or_else(|| name.value.replace('_', " ")),
        owner: fields.words("owner", findings),
        description: fields.words("description", findings),
        ends: fields.text("ends", findings),
        abandons: fields.text("abandons", findings),
        includes: fields.text("includes", findings),
        within: fields.limit("within", findings),
        idle: fields.limit("idle", findings),
        on_restart: on_restart.map_or(OnRestart::Absorb, |found| found.value),
        key: key(&fields, name, findings),
        eligible: fields.text("eligible", findings),
        importance: importance.and_then(|value| u8::try_from(value).ok()),
        rationale: fields.words("rationale", findings),
        starts: starts?,
    };
    Some(definition)
}

/// Every key contains the customer: an instance is one customer's, and one pass over the customers finds them all.
fn key(fields: &Fields<'_>, name: &Located<String>, findings: &mut Diagnostics) -> Vec<Located<String>> {
    let default = || vec![Located { value: CUSTOMER.to_owned(), place: name.place.clone() }];
    let Some(field) = fields.get("key") else { return default() };
    let columns = field.texts(findings);
    if columns.is_empty() {
        return default();
    }
    if columns.iter().all(|column| column.value != CUSTOMER) {
        let rest: Vec<&str> = columns.iter().map(|column| column.value.as_str()).collect();
        findings.push(
            Diagnostic::error("bad-value", format!("the key of {} lacks `{CUSTOMER}`", fields.what))
                .at(field.node.place.clone())
                .help(format!("a journey belongs to one customer: `key: [{CUSTOMER}, {}]`", rest.join(", "))),
        );
    }
    columns
}
