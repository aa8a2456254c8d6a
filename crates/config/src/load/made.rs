//! What a pipeline makes: its own models and triggers beside those of its libraries, and what stands for inputs that it
//! does not have.

use std::sync::Arc;

use indexmap::IndexMap;

use super::fields::{Field, Fields};
use super::libraries::Declared;
use super::merge::{as_input, merge};
use super::tree::Entries;
use super::variables::variables;
use super::workspace::Workspace;
use super::{inputs, models, sources, triggers};
use crate::{
    Diagnostic, Diagnostics, Input, InputColumn, Library, LoadOptions, Located, Materialization, Model, ModelKind,
    Place, Source, Trigger, TurnedOff,
};

/// What a pipeline makes, by itself and by its libraries.
pub(super) struct Made {
    pub(super) models: Vec<Model>,
    pub(super) libraries: Vec<Library>,
    pub(super) inputs: IndexMap<String, Input>,
    pub(super) replaced: IndexMap<String, Place>,
    pub(super) off: IndexMap<String, Place>,
}

/// Puts the pipeline's models and those of its libraries together.
pub(super) fn made(
    fields: &Fields<'_>,
    libraries: &[Declared],
    sources: &IndexMap<String, Source>,
    workspace: &Workspace,
    findings: &mut Diagnostics,
) -> Made {
    let field = match libraries {
        [] => fields.required("models", "{ touchpoints: { sql: sql/staging/touchpoints.sql } }", findings),
        _ => fields.get("models"),
    };
    let own = field.map_or_else(Vec::new, |field| field.entries("a mapping of names to models", findings).to_vec());
    let of_libraries: Vec<&Entries> = libraries.iter().map(|library| &library.models).collect();
    let merged = merge(&own, &of_libraries, "model", findings);
    let mut inputs: IndexMap<String, Input> = libraries.iter().flat_map(|library| library.inputs.clone()).collect();
    let declared =
        |name: &str| libraries.iter().flat_map(|library| &library.input_models).find(|(input, _)| input.value == name);
    let own = merged.own.iter().map(|(name, node)| match declared(&name.value) {
        Some((_, declared)) => (name.clone(), as_input(node, declared)),
        None => (name.clone(), node.clone()),
    });
    let mut models = models::models(&own.collect::<Entries>(), workspace, findings);
    for input in inputs.values_mut() {
        let name = input.name.value.as_str();
        input.given = sources.contains_key(name) || merged.own.iter().any(|(own, _)| own.value == name);
        let used = || libraries.iter().find(|library| library.name.value == input.library);
        match (input.given, input.required, used()) {
            (true, ..) => {}
            (false, true, Some(library)) => findings.push(missing_input(input, &library.used)),
            (false, ..) => models.push(empty_model(input)),
        }
    }
    models.extend(models::models(&merged.of_libraries, workspace, findings));
    let libraries = libraries.iter().map(|library| as_declared(library, workspace, findings)).collect();
    Made { libraries, models, inputs, replaced: merged.replaced, off: merged.off }
}

/// A library as it is by itself.
pub(super) fn as_declared(library: &Declared, workspace: &Workspace, findings: &mut Diagnostics) -> Library {
    let models = models::models(&library.models, workspace, findings);
    Library {
        name: library.name.clone(),
        used: library.used.clone(),
        description: library.description.clone(),
        inputs: library.inputs.clone(),
        models: models.into_iter().map(|model| (model.name.value.clone(), model)).collect(),
        variables: variables(&[&library.variables], None, &LoadOptions::default(), findings),
        dictionary: models::comments_of(&library.dictionary, findings),
    }
}

fn missing_input(input: &Input, used: &Located<String>) -> Diagnostic {
    let name = &input.name.value;
    let asked: Vec<String> = input.columns.values().filter(|column| column.required).map(described).collect();
    let what = input.description.as_deref().map_or_else(String::new, |what| format!(": {what}"));
    Diagnostic::error("missing-input", format!("the library `{}` needs `{name}`{what}", used.value))
        .at(used.place.clone())
        .label(format!("no model, source or seed is called `{name}`"))
        .help(format!("it has to have the columns {}", asked.join(", ")))
        .help(format!("declare it under `models:`, e.g. `{name}: {{ sql: sql/staging/{name}.sql }}`"))
        .help(format!("`throughline library show {name}` says what each column means, and which are optional"))
}

fn described(column: &InputColumn) -> String {
    let word = sources::COLUMN_TYPES.iter().find(|(_, data_type)| *data_type == column.data_type);
    format!("{} ({})", column.name.value, word.map_or("", |(word, _)| word))
}

/// What stands for an input that the pipeline does not have.
fn empty_model(input: &Input) -> Model {
    Model {
        name: input.name.clone(),
        kind: ModelKind::Sql(Arc::new(inputs::absent(input))),
        materialized: Materialization::View,
        time_column: None,
        grain: Vec::new(),
        tests: Vec::new(),
        tags: Vec::new(),
        owner: None,
        description: input.without.clone(),
        columns: IndexMap::new(),
    }
}

/// The triggers, but for those of libraries that watch a model that is turned off.
pub(super) fn watched(
    field: Option<Field<'_>>,
    libraries: &[&Entries],
    off: IndexMap<String, Place>,
    findings: &mut Diagnostics,
) -> (IndexMap<String, Trigger>, IndexMap<String, TurnedOff>) {
    let own = field.map_or_else(Vec::new, |field| field.entries("a mapping of names to triggers", findings).to_vec());
    let merged = merge(&own, libraries, "trigger", findings);
    let mut found = triggers::triggers(&merged.own, findings);
    let mut off: IndexMap<String, TurnedOff> =
        off.into_iter().map(|(name, place)| (name, TurnedOff { place, triggers: Vec::new() })).collect();
    for (name, trigger) in triggers::triggers(&merged.of_libraries, findings) {
        match off.get_mut(&trigger.table.value) {
            Some(model) => model.triggers.push(name),
            None => {
                found.insert(name, trigger);
            }
        }
    }
    (found, off)
}
