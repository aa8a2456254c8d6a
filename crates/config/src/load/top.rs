//! A pipeline's own file: its sections one after the other, and the dictionary.

use std::sync::Arc;

use indexmap::IndexMap;

use super::fields::{Field, Fields};
use super::names::Names;
use super::tree::{Entries, Node, NodeKind};
use super::variables::variables;
use super::workspace::Workspace;
use super::{interpolate, journeys, libraries, made, models, semantics, sources, tree, unit_tests, values};
use crate::{Diagnostic, Diagnostics, LoadOptions, Located, Model, Pipeline, Place, Timestamp};

pub(crate) const KEYS: [&str; 16] = [
    "name",
    "owner",
    "description",
    "start",
    "warehouse",
    "uses",
    "assisted_channels",
    "variables",
    "sources",
    "seeds",
    "journeys",
    "models",
    "triggers",
    "unit_tests",
    "dictionary",
    "semantics",
];

/// Reads `pipelines/<name>.yaml` and all it names. `None` only when something a pipeline cannot be without is missing;
/// whether there are errors is for `findings` to say.
pub(super) fn read(
    workspace: &mut Workspace,
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
    let libraries = libraries::libraries(fields.get("uses"), workspace, options, findings);
    let workspace = &*workspace;
    let sources =
        fields.get("sources").map_or_else(Vec::new, |field| sources::sources(field, workspace, options, findings));
    let seeds = fields.get("seeds").map_or_else(Vec::new, |field| sources::seeds(field, workspace, findings));
    let journeys = fields
        .get("journeys")
        .map_or_else(IndexMap::new, |field| journeys::journeys(field, workspace, options, findings));
    let mut names = Names::default();
    let sources =
        sources.into_iter().chain(seeds).filter(|source| names.admit(&source.name, "source or seed", findings));
    let sources: IndexMap<_, _> = sources.map(|source| (source.name.value.clone(), source)).collect();
    let owner = fields.words("owner", findings);
    let made = made::made(&fields, &libraries, &sources, workspace, findings);
    let mut models = IndexMap::new();
    for model in made.models {
        if names.admit(&model.name, "model", findings) {
            models.insert(model.name.value.clone(), Model { owner: model.owner.or_else(|| owner.clone()), ..model });
        }
    }
    let of_libraries: Vec<&Entries> = libraries.iter().map(|library| &library.variables).collect();
    let variables = variables(&of_libraries, fields.get("variables"), options, findings);
    let unit_tests = fields
        .get("unit_tests")
        .map_or_else(IndexMap::new, |field| unit_tests::unit_tests(field, &variables, workspace, options, findings));
    let mut comments: IndexMap<String, String> = IndexMap::new();
    for library in &libraries {
        comments.extend(models::comments_of(&library.dictionary, findings));
    }
    if let Some(field) = fields.get("dictionary") {
        comments.extend(dictionary(field, workspace, options, findings));
    }
    let own = fields.get("semantics").map_or_else(Vec::new, |field| {
        in_place_or_file(field, workspace, options, findings).map_or_else(Vec::new, |node| {
            Field { key: field.key, node: &node }.entries("a mapping with `tables` and `columns`", findings).to_vec()
        })
    });
    let of_libraries: Vec<&Entries> = libraries.iter().map(|library| &library.semantics).collect();
    let semantics = semantics::semantics(&of_libraries, &own, findings);
    let of_libraries: Vec<&Entries> = libraries.iter().map(|library| &library.triggers).collect();
    let (triggers, off) = made::watched(fields.get("triggers"), &of_libraries, made.off, findings);
    Some(Pipeline {
        project: workspace.root.clone(),
        owner,
        description: fields.words("description", findings),
        name: declared?,
        start: start?,
        warehouse: warehouse?,
        file,
        variables,
        sources,
        journeys,
        assisted_channels: assisted_channels(&fields, findings),
        models,
        libraries: made.libraries,
        inputs: made.inputs,
        replaced: made.replaced,
        off,
        triggers,
        unit_tests,
        dictionary: comments,
        semantics,
    })
}

/// Channels with a person at the other end (SEMANTICS 3).
fn assisted_channels(fields: &Fields<'_>, findings: &mut Diagnostics) -> Vec<String> {
    const USUAL: [&str; 4] = ["phone", "chat", "field", "store"];
    match fields.get("assisted_channels") {
        Some(field) => field.texts(findings).into_iter().map(|channel| channel.value).collect(),
        None => USUAL.map(str::to_owned).to_vec(),
    }
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
    let Some(node) = in_place_or_file(field, workspace, options, findings) else { return IndexMap::new() };
    models::comments(Field { key: field.key, node: &node }, findings)
}

/// What stands here, or in the file whose path stands here.
fn in_place_or_file(
    field: Field<'_>,
    workspace: &Workspace,
    options: &LoadOptions,
    findings: &mut Diagnostics,
) -> Option<Node> {
    let NodeKind::Scalar { .. } = field.node.kind else { return Some(field.node.clone()) };
    let path = field.text(findings)?;
    let file = workspace.read_named(&path).map_err(|finding| findings.push(finding)).ok()?;
    let mut root: Node = tree::parse(&file, findings)?;
    interpolate::interpolate(&mut root, &options.environment, findings);
    Some(root)
}
