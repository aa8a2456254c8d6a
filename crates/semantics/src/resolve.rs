//! From a plan to the semantic model, or to findings that say what of `semantics:` is wrong.

use std::collections::BTreeMap;

use throughline_config::{Diagnostic, Diagnostics, Located, Model, Pipeline, TestKind, Variable, closest};
use throughline_plan::{Plan, StepKind};

use crate::columns::columns;
use crate::joins::joins;
use crate::measures::figures;
use crate::model::{ColumnKind, SemanticModel, Table};

/// Tags of tables that are made on the way to others.
const ON_THE_WAY: [&str; 2] = ["working", "staging"];
/// Of intervals, where the pipeline has no variable `confidence`.
const CONFIDENCE: f64 = 0.95;

/// The kind of the finding that a pipeline publishes nothing for readers.
pub const NOTHING_TO_EXPORT: &str = "nothing-to-export";

/// A semantic model, and what had to be left out of it.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The model.
    pub model: SemanticModel,
    /// What is left out and why, a sentence each.
    pub notes: Vec<String>,
}

/// The semantic model of what a pipeline publishes for its readers: stored tables that are neither tagged `working` nor
/// `staging`.
///
/// # Errors
/// What of `semantics:` names no table, column or value of the right type; or that nothing is published.
pub fn semantic_model(plan: &Plan) -> Result<Resolved, Diagnostics> {
    let pipeline = plan.pipeline.as_ref();
    let (mut notes, mut findings) = (Vec::new(), Diagnostics::default());
    let mut tables: BTreeMap<&str, Table> = BTreeMap::new();
    for model in pipeline.models.values().filter(|model| is_for_readers(plan, model)) {
        if let Some(table) = table(plan, model, &mut notes) {
            tables.insert(&model.name.value, table);
        }
    }
    if tables.is_empty() {
        return Err(nothing_published(pipeline).into());
    }
    for said in pipeline.semantics.tables.values() {
        match tables.get_mut(said.name.value.as_str()) {
            Some(table) => {
                let replaced = pipeline.replaced.contains_key(&table.name);
                table.synonyms.clone_from(&said.synonyms);
                table.figures = figures(said, table, replaced, &mut notes, &mut findings);
            }
            None if said.of_library => {}
            None => findings.push(not_published(&said.name, pipeline, tables.keys().copied())),
        }
    }
    let joins = joins(pipeline, &tables, &mut findings);
    if findings.has_errors() {
        return Err(findings.sorted());
    }
    let confidence = match pipeline.variables.get("confidence").map(|variable| &variable.value) {
        Some(Variable::Float(level)) if *level > 0.0 && *level < 1.0 => *level,
        _ => CONFIDENCE,
    };
    let model = SemanticModel {
        name: pipeline.name.value.clone(),
        description: pipeline.description.clone(),
        tables: tables.into_values().collect(),
        joins,
        confidence,
    };
    Ok(Resolved { model, notes })
}

fn is_for_readers(plan: &Plan, model: &Model) -> bool {
    let on_the_way = model.tags.iter().any(|tag| ON_THE_WAY.contains(&tag.as_str()));
    !on_the_way && plan.step(&model.name.value).is_some_and(|step| step.kind == StepKind::Table)
}

fn table(plan: &Plan, model: &Model, notes: &mut Vec<String>) -> Option<Table> {
    let name = model.name.value.as_str();
    let columns = columns(plan, name, notes)?;
    let key: Vec<String> = model.grain.iter().map(|column| column.value.clone()).collect();
    // A key of which a part is left out identifies nothing.
    let key = if key.iter().all(|part| columns.iter().any(|column| column.name == *part)) { key } else { Vec::new() };
    let unique = model.tests.iter().find_map(|test| match &test.kind {
        TestKind::Unique(columns) if key.is_empty() => Some(columns),
        _ => None,
    });
    let unique: Vec<String> = unique.into_iter().flatten().map(|column| column.value.clone()).collect();
    let known = |name: &String| columns.iter().any(|column| column.name == *name && column.kind != ColumnKind::Other);
    let unique = if unique.iter().all(known) { unique } else { Vec::new() };
    Some(Table {
        name: name.to_owned(),
        description: model.description.clone(),
        synonyms: Vec::new(),
        key,
        unique,
        columns,
        figures: Vec::new(),
    })
}

fn nothing_published(pipeline: &Pipeline) -> Diagnostic {
    let message = format!("the pipeline `{}` publishes no table for its readers", pipeline.name.value);
    Diagnostic::error(NOTHING_TO_EXPORT, message).at(pipeline.name.place.clone()).help(
        "a table is published by `materialized: table`; views, and tables tagged `working` or `staging`, stay out",
    )
}

fn not_published<'a>(name: &Located<String>, pipeline: &Pipeline, tables: impl Iterator<Item = &'a str>) -> Diagnostic {
    let is_model = pipeline.models.contains_key(&name.value);
    let message = if is_model {
        format!("`semantics` speaks of `{}`, which is not published for readers", name.value)
    } else {
        format!("`semantics` speaks of `{}`, and no table is called so", name.value)
    };
    let finding = Diagnostic::error("unknown-table", message).at(name.place.clone());
    if is_model {
        return finding.help("only stored tables that are neither tagged `working` nor `staging` have measures");
    }
    match closest(&name.value, tables) {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None => finding.help("`throughline check` counts the models; `throughline plan` lists them"),
    }
}
