//! `throughline library list`.

use std::collections::BTreeSet;

use throughline_config::{Input, Library, Materialization, Model, ModelKind, Pipeline};
use throughline_plan::SqlText;

use super::Known;
use crate::exit::Exit;
use crate::terminal::{fitted, framed, put};

/// One table a library: its inputs, then its models.
pub(super) fn run(known: &Known) -> Result<(), Exit> {
    let mut text = String::new();
    for library in &known.libraries {
        let description = library.description.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
        text.push_str(&format!("{} ({}){description}\n\n", library.name.value, library.used.value));
        text.push_str(&table(library, known.pipeline.as_ref())?);
        text.push('\n');
    }
    put(&text)
}

fn table(library: &Library, pipeline: Option<&Pipeline>) -> Result<String, Exit> {
    let mut table = framed();
    let mut header = vec!["name", "what", "reads", "for"];
    header.extend(pipeline.map(|_| "here"));
    table.set_header(header);
    for (name, input) in &library.inputs {
        let what = if input.required { "input" } else { "input, optional" };
        let mut row = vec![name.clone(), what.to_owned(), String::new(), input.description.clone().unwrap_or_default()];
        row.extend(pipeline.map(|pipeline| given(pipeline, input)));
        table.add_row(row);
    }
    for (name, model) in &library.models {
        let description = model.description.clone().unwrap_or_default();
        let mut row = vec![name.clone(), stored(model).to_owned(), reads(model)?.join(", "), description];
        row.extend(pipeline.map(|pipeline| state(pipeline, name).to_owned()));
        table.add_row(row);
    }
    Ok(format!("{}\n", fitted(table)))
}

fn stored(model: &Model) -> &'static str {
    match model.materialized {
        Materialization::View => "view",
        Materialization::Table => "table",
        Materialization::Incremental(_) => "table, incremental",
    }
}

/// What a model reads, in alphabetical order.
pub(super) fn reads(model: &Model) -> Result<Vec<String>, Exit> {
    let files = match &model.kind {
        ModelKind::Sql(file) => std::slice::from_ref(file),
        ModelKind::Union(files) => files.as_slice(),
        ModelKind::Match { input, .. } | ModelKind::Eligible { input } => return Ok(vec![input.value.clone()]),
    };
    let mut names = BTreeSet::new();
    for file in files {
        names.extend(SqlText::parse(file)?.references.into_keys());
    }
    Ok(names.into_iter().collect())
}

fn given(pipeline: &Pipeline, input: &Input) -> String {
    let here = pipeline.inputs.get(&input.name.value);
    match here.and_then(Input::not_shown) {
        Some(sentence) => sentence,
        None if here.is_some_and(|input| input.given) => "given".to_owned(),
        None => "not given".to_owned(),
    }
}

/// What a pipeline makes of a model.
pub(super) fn state(pipeline: &Pipeline, name: &str) -> &'static str {
    if pipeline.off.contains_key(name) {
        "turned off"
    } else if pipeline.replaced.contains_key(name) {
        "replaced"
    } else {
        "as it is"
    }
}
