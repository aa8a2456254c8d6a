//! How steps read: relations under their names in one session.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use throughline_config::{Model, ModelKind, Timestamp};
use throughline_plan::{Step, StepKind, relation};

use crate::failure::EngineError;
use crate::record::events::{Observer, Silent};
use crate::record::step_record::{StepRecord, StepStatus};
use crate::record::usage::StepUsage;
use crate::step::relation_cache::RelationCache;
use crate::workspace::matching::Matcher;
use crate::workspace::prepare::Prepared;

/// The relations of a plan, as far as steps have registered them: what a preview needs, and a part of what a run needs.
pub(crate) struct Relations {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) session: SessionContext,
    pub(crate) observer: Arc<dyn Observer>,
    /// For each relation that is not read whole, the instant since which it is.
    pub(crate) windows: BTreeMap<String, Timestamp>,
    /// Relations kept in memory; a preview keeps none.
    pub(crate) cache: Option<RelationCache>,
}

impl Relations {
    /// For a preview: every relation is read whole.
    pub(crate) fn for_preview(prepared: &Arc<Prepared>, session: SessionContext) -> Self {
        Self {
            prepared: Arc::clone(prepared),
            session,
            observer: Arc::new(Silent),
            windows: BTreeMap::new(),
            cache: None,
        }
    }

    /// The model behind a step.
    pub(crate) fn model(&self, step: &str) -> Result<&Model, EngineError> {
        let model = self.prepared.plan.pipeline.models.get(step);
        model.ok_or_else(|| EngineError::internal(format!("`{step}` is not a model")))
    }

    /// Whether the matcher reads a relation.
    pub(crate) fn is_matched(&self, name: &str) -> bool {
        let mut models = self.prepared.plan.pipeline.models.values();
        models.any(|model| matches!(&model.kind, ModelKind::Match { input, .. } if input.value == name))
    }

    /// The rows of a model, not executed.
    pub(crate) async fn model_rows(&self, step: &Step) -> Result<LogicalPlan, EngineError> {
        let plan = &self.prepared.plan;
        let (model, sql) = (self.model(&step.name)?, step.sql.as_deref());
        Ok(relation(model, sql, &plan.pipeline, &plan.parameters, &self.session, &Matcher).await?)
    }

    /// Gives rows a name, in place of those that had it.
    pub(crate) fn register(&self, name: &str, table: Arc<dyn TableProvider>) -> Result<(), EngineError> {
        self.session.deregister_table(name)?;
        self.session.register_table(name, table)?;
        Ok(())
    }

    /// The rows in memory, if there is room; what reading them cost is added to `usage`.
    pub(crate) async fn hold_in_memory(
        &self,
        rows: DataFrame,
        usage: &mut StepUsage,
    ) -> Result<Option<DataFrame>, EngineError> {
        let Some(cache) = &self.cache else { return Ok(None) };
        let (in_memory, cost) = cache.keep(rows, &self.session).await?;
        usage.add_usage(cost);
        Ok(in_memory)
    }

    /// The record of a step of the plan, before anything is known but how it ended.
    pub(crate) fn blank_record(&self, name: &str, status: StepStatus) -> StepRecord {
        let step = self.prepared.plan.step(name);
        let kind = match step.map(|step| step.kind) {
            Some(StepKind::Source) => "source",
            Some(StepKind::Seed) => "seed",
            Some(StepKind::View) => "view",
            Some(StepKind::Table) => "table",
            None => "unknown",
        };
        let fingerprint = step.map(|step| step.fingerprint.as_str()).unwrap_or_default();
        StepRecord::new(name, kind, fingerprint, status)
    }
}
