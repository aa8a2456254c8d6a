//! A pipeline's own file: its sections one after the other, and the dictionary.

use std::sync::Arc;

use indexmap::IndexMap;

use super::fields::{Field, Fields};
use super::names::Names;
use super::tree::{Node, NodeKind};
use super::variables::variables;
use super::workspace::Workspace;
use super::{interpolate, journeys, models, sources, tree, triggers, unit_tests, values};
use crate::{Diagnostic, Diagnostics, LoadOptions, Located, Pipeline, Place, Timestamp};

pub(crate) const KEYS: [&str; 13] = [
    "name",
    "owner",
    "description",
    "start",
    "warehouse",
    "variables",
    "sources",
    "seeds",
    "journeys",
    "models",
    "triggers",
    "unit_tests",
    "dictionary",
];

/// Reads `pipelines/<name>.yaml` and all it names. `None` only when something a pipeline cannot be without is missing;
/// whether there are errors is for `findings` to say.
pub(super) fn read(
    workspace: &Workspace,
    name: &str,
    options: &LoadOptions,
    findings: &mut Diagnostics,
) -> Option<Pipeline> {
    let path = std::path::Path::new("pipelines").join(format!("{name}.yaml"));
    let file = workspace.read(&path).map_err(|finding| findings.push(finding)).ok()?;
    let mut root = tree::parse(&file, findings)?;
    interpolate::interpolate(&mut root, &options.environment, findings);
    let header = Place { file: Arc::clone(&file), span: root.place.span.start..root.place.span.start };
    let fields = Fields::open(&root, header, "the pipeline".to_owned(), &KEYS, findings)?;

    let declared = fields.required("name", name, findings).and_then(|field| field.text(findings));
    if let Some(declared) = &declared {
        check_pipeline_name(declared, name, findings);
    }
    let start = fields.required("start", "2024-10-01", findings).and_then(|field| start(field, findings));
    let warehouse =
        fields.required("warehouse", "${WAREHOUSE:-data/warehouse}", findings).and_then(|field| field.text(findings));
    let sources = fields.get("sources").map_or_else(Vec::new, |field| sources::sources(field, findings));
    let seeds = fields.get("seeds").map_or_else(Vec::new, |field| sources::seeds(field, workspace, findings));
    let journeys = fields
        .get("journeys")
        .map_or_else(IndexMap::new, |field| journeys::journeys(field, workspace, options, findings));
    let models = fields
        .required("models", "{ touchpoints: { sql: sql/staging/touchpoints.sql } }", findings)
        .map_or_else(Vec::new, |field| models::models(field, workspace, findings));
    let mut names = Names::default();
    let sources =
        sources.into_iter().chain(seeds).filter(|source| names.admit(&source.name, "source or seed", findings));
    let sources: IndexMap<_, _> = sources.map(|source| (source.name.value.clone(), source)).collect();
    let mut admitted = Vec::new();
    for model in models {
        if names.admit(&model.name, "model", findings) {
            admitted.push((model.name.value.clone(), model));
        }
    }
    let variables = variables(fields.get("variables"), options, findings);
    let unit_tests = fields
        .get("unit_tests")
        .map_or_else(IndexMap::new, |field| unit_tests::unit_tests(field, &variables, workspace, options, findings));
    let dictionary =
        fields.get("dictionary").map_or_else(IndexMap::new, |field| dictionary(field, workspace, options, findings));
    Some(Pipeline {
        project: workspace.root.clone(),
        owner: fields.words("owner", findings),
        description: fields.words("description", findings),
        name: declared?,
        start: start?,
        warehouse: warehouse?,
        file,
        variables,
        sources,
        journeys,
        models: admitted.into_iter().collect(),
        triggers: fields.get("triggers").map_or_else(IndexMap::new, |field| triggers::triggers(field, findings)),
        unit_tests,
        dictionary,
    })
}

fn check_pipeline_name(declared: &Located<String>, stem: &str, findings: &mut Diagnostics) {
    if let Some(finding) = values::check_name(declared, "pipeline", &[]) {
        findings.push(finding);
    } else if declared.value != stem {
        findings.push(
            Diagnostic::error(
                "bad-name",
                format!("the pipeline `{}` lives in `pipelines/{stem}.yaml`", declared.value),
            )
            .at(declared.place.clone())
            .help(format!("a pipeline is named like its file: write `name: {stem}` or rename the file")),
        );
    }
}

fn start(field: Field<'_>, findings: &mut Diagnostics) -> Option<Located<Timestamp>> {
    let text = field.text(findings)?;
    let instant = values::timestamp(&text);
    if instant.is_none() {
        findings.push(
            Diagnostic::error("bad-timestamp", format!("`{}` is no date or instant", text.value))
                .at(text.place.clone())
                .help("write `2024-10-01` or `2024-10-01T12:00:00Z`; without a zone it is UTC"),
        );
    }
    Some(Located { value: instant?, place: text.place })
}

/// Inline comments, or the path of a file that holds them.
fn dictionary(
    field: Field<'_>,
    workspace: &Workspace,
    options: &LoadOptions,
    findings: &mut Diagnostics,
) -> IndexMap<String, String> {
    let NodeKind::Scalar { .. } = field.node.kind else { return models::comments(field, findings) };
    let Some(path) = field.text(findings) else { return IndexMap::new() };
    let file = match workspace.read_named(&path) {
        Ok(file) => file,
        Err(finding) => {
            findings.push(finding);
            return IndexMap::new();
        }
    };
    let Some(mut root): Option<Node> = tree::parse(&file, findings) else { return IndexMap::new() };
    interpolate::interpolate(&mut root, &options.environment, findings);
    models::comments(Field { key: field.key, node: &root }, findings)
}
