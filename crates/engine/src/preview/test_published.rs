//! Data tests of what is published.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use throughline_plan::{Selection, planned_tests, read_by_tests};

use super::compute::compute_relations;
use crate::failure::EngineError;
use crate::read::published::Published;
use crate::record::step_record::TestRecord;
use crate::step::data_tests::run_tests;
use crate::step::relations::Relations;
use crate::workspace::prepare::Prepared;

/// The data tests of one model.
#[derive(Debug, Clone, Serialize)]
pub struct ModelTests {
    /// The model.
    pub model: String,
    /// `view` or `table`.
    pub kind: &'static str,
    /// Each test, those of its grain first.
    pub tests: Vec<TestRecord>,
}

/// Runs the data tests of the selected models on what `published` holds; views are computed from the sources as they
/// are, cut at the `as_of` of `prepared`.
///
/// # Errors
/// A selected table that is not published: a test that did not run has not passed.
pub async fn test_published(
    prepared: &Arc<Prepared>,
    published: &Published,
    selection: &Selection,
) -> Result<Vec<ModelTests>, EngineError> {
    let plan = &prepared.plan;
    let selected = selection.models(&plan.pipeline, &plan.graph)?;
    let missing: Vec<&str> = selected.iter().map(String::as_str).filter(|name| plan.is_table(name)).collect();
    let missing: Vec<&str> = missing.into_iter().filter(|name| !published.record.tables.contains_key(*name)).collect();
    if !missing.is_empty() {
        return Err(EngineError::refused(
            format!("not published yet, so not tested: {}", missing.join(", ")),
            "make them first (throughline run), or leave them out with --exclude",
        ));
    }
    let session = prepared.session()?;
    for name in published.record.tables.keys() {
        published.register_table(name, &session).await?;
    }
    let models = || plan.steps.iter().filter_map(|step| plan.pipeline.models.get(&step.name));
    let mut read: BTreeSet<String> = BTreeSet::new();
    for model in models().filter(|model| selected.contains(&model.name.value)) {
        read.insert(model.name.value.clone());
        read.extend(read_by_tests(model)?);
    }
    read.retain(|name| !plan.is_table(name));
    let session = compute_relations(prepared, &read, session).await?;
    let relations = Relations::for_preview(prepared, session);
    let mut tested = Vec::new();
    for model in models().filter(|model| selected.contains(&model.name.value)) {
        let tests = planned_tests(model, &plan.parameters, &relations.session).await?;
        let kind = if plan.is_table(&model.name) { "table" } else { "view" };
        let tests = run_tests(&relations, &model.name, &tests).await?;
        tested.push(ModelTests { model: model.name.value.clone(), kind, tests });
    }
    Ok(tested)
}
