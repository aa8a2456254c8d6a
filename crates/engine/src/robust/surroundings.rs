//! What the models that are computed for variants read, and no variant changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;
use throughline_config::{ModelKind, Pipeline};
use throughline_plan::{Parameters, Plan, StepKind, relation};

use crate::failure::EngineError;
use crate::preview::compute::compute_relations;
use crate::read::published::Published;
use crate::workspace::matching::Matcher;
use crate::workspace::prepare::Prepared;

/// A run's tables, and the plan that they were made by.
pub(super) struct Run {
    pub(super) prepared: Arc<Prepared>,
    pub(super) published: Published,
}

impl Run {
    pub(super) fn plan(&self) -> &Plan {
        &self.prepared.plan
    }

    /// A session with what `models` read but for `replaced`: tables as published, views by their own definitions.
    pub(super) async fn surroundings(&self, models: &[&str], replaced: &[&str]) -> Result<SessionContext, EngineError> {
        let plan = self.plan();
        let read: BTreeSet<&str> = models
            .iter()
            .flat_map(|model| reads(plan, model))
            .filter(|name| !models.contains(name) && !replaced.contains(name) && plan.step(name).is_some())
            .collect();
        let computed: BTreeSet<&str> = read.iter().copied().filter(|name| !plan.is_table(name)).collect();
        let below = plan.through_views(computed.iter().copied(), None);
        let session = self.prepared.session()?;
        for table in read.union(&below).filter(|name| plan.is_table(name)) {
            if !self.published.register_table(table, &session).await? {
                return Err(EngineError::refused(
                    format!("`{table}` is read, but it is not published"),
                    "make the tables again: throughline run",
                ));
            }
        }
        let computed = computed.into_iter().map(str::to_owned).collect();
        compute_relations(&self.prepared, &computed, session).await
    }

    /// The rows of one of the pipeline's own models over what the session holds, for the journeys of `pipeline`.
    pub(super) async fn rows(
        &self,
        model: &str,
        pipeline: &Pipeline,
        parameters: &Parameters,
        session: &SessionContext,
    ) -> Result<DataFrame, EngineError> {
        let known = self.plan().pipeline.models.get(model).zip(self.plan().step(model));
        let (definition, step) = known.ok_or_else(|| lacks(self.plan(), model))?;
        let rows = relation(definition, step.sql.as_deref(), pipeline, parameters, session, &Matcher).await?;
        Ok(DataFrame::new(session.state(), rows))
    }
}

/// The pipeline does not make key journeys in the way that is varied here.
pub(super) fn lacks(plan: &Plan, model: &str) -> EngineError {
    EngineError::refused(
        format!("the pipeline `{}` has no model `{model}`", plan.pipeline.name.value),
        "other limits are judged by the pipeline's own models of key journeys, under the names of pipelines/key_journeys.yaml; \
         `throughline init DIR` writes a workspace that has them all",
    )
}

/// The relations that a model's rows are made of. Those that only its tests read are not among them.
fn reads<'a>(plan: &'a Plan, model: &str) -> Vec<&'a str> {
    let Some((definition, node)) = plan.pipeline.models.get(model).zip(plan.graph.nodes.get(model)) else {
        return Vec::new();
    };
    match &definition.kind {
        ModelKind::Sql(_) | ModelKind::Union(_) => {
            node.texts().flat_map(|sql| sql.references.keys()).map(String::as_str).collect()
        }
        ModelKind::Match { input, .. } | ModelKind::Eligible { input } => vec![input.value.as_str()],
    }
}

/// The first of `models` that the pipeline does not have, or that is a source of that name.
pub(super) fn missing<'m>(plan: &Plan, models: &[&'m str]) -> Option<&'m str> {
    let is_model = |name: &str| {
        let kind = plan.step(name).map(|step| step.kind);
        plan.pipeline.models.contains_key(name) && matches!(kind, Some(StepKind::Table | StepKind::View))
    };
    models.iter().copied().find(|name| !is_model(name))
}
