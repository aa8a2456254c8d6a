//! From a workspace folder to a type-checked plan with opened sources: everything that happens before a row is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt};
use throughline_config::{Diagnostic, Diagnostics, MatchRows, ModelKind, Pipeline, Source, SourceKind, load_pipeline};
use throughline_journeys::{Arrangement, arrangement};
use throughline_lake::{OpenSource, Stores, Warehouse, declared_source, open_source};
use throughline_plan::{Lineage, Parameters, Plan, lineage, plan, relation};

use super::definitions::session_with_definitions;
use super::locate::open_warehouse;
use super::matching::Matcher;
use super::options::PrepareOptions;
use crate::failure::EngineError;
use crate::workspace::sessions::{SessionOptions, new_runtime};

/// Sources opened side by side.
const OPENED_AT_ONCE: usize = 8;

/// A pipeline ready to run.
#[derive(Debug)]
pub struct Prepared {
    /// The type-checked plan.
    pub plan: Plan,
    /// Findings that keep nothing from running.
    pub warnings: Diagnostics,
    /// Where planning has registered every relation under its name.
    planned: SessionState,
    pub(crate) sources: BTreeMap<String, OpenSource>,
    pub(crate) stores: Arc<Stores>,
    pub(crate) warehouse: Warehouse,
    pub(crate) runtime: Arc<RuntimeEnv>,
    pub(crate) session_options: SessionOptions,
}

impl Prepared {
    /// Files and bytes of a source, as they were when it was opened.
    pub fn source_size(&self, name: &str) -> Option<(usize, u64)> {
        let source = self.sources.get(name)?;
        Some((source.files.len(), source.files.iter().map(|(_, bytes)| bytes).sum()))
    }

    /// The warehouse's address as shown to people.
    pub fn warehouse_address(&self) -> String {
        self.warehouse.location().to_string()
    }

    /// For each model of instances, how its touchpoints are brought together by customer.
    ///
    /// # Errors
    /// An error of planning: the plan has been type-checked, so only a bug or missing memory.
    pub async fn arrangements(&self) -> Result<BTreeMap<String, Arrangement>, EngineError> {
        let Plan { pipeline, parameters, .. } = &self.plan;
        let session = SessionContext::new_with_state(self.planned.clone());
        let mut arrangements = BTreeMap::new();
        for model in pipeline.models.values() {
            if !matches!(model.kind, ModelKind::Match { rows: MatchRows::Instances, .. }) {
                continue;
            }
            let rows = relation(model, None, pipeline, parameters, &session, &Matcher).await?;
            let physical = self.planned.create_physical_plan(&rows).await?;
            if let Some(arrangement) = arrangement(physical.as_ref()) {
                arrangements.insert(model.name.value.clone(), arrangement);
            }
        }
        Ok(arrangements)
    }

    /// What the columns and rows of every model are made from.
    ///
    /// # Errors
    /// None that planning has not reported already.
    pub async fn lineage(&self) -> Result<Lineage, EngineError> {
        Ok(lineage(&self.plan, &self.session()?, &Matcher).await?)
    }

    /// Where the tables are published.
    pub fn warehouse(&self) -> &Warehouse {
        &self.warehouse
    }

    /// The sources and seeds, each with its rows.
    pub(crate) fn opened_sources(&self) -> Vec<(&Source, Arc<dyn TableProvider>)> {
        let sources = self.plan.pipeline.sources.values();
        let opened = |source: &Source| Some(Arc::clone(&self.sources.get(&source.name.value)?.provider));
        sources.filter_map(|source| Some((source, opened(source)?))).collect()
    }

    /// A session with functions and definitions, and no sources yet.
    pub(crate) fn session(&self) -> Result<SessionContext, EngineError> {
        session_with_definitions(&self.session_options, &self.runtime, &self.plan.pipeline)
    }
}

/// Loads, opens, plans and type-checks. Reads files' schemas, no rows; offline not even these.
///
/// # Errors
/// [`EngineError::Configuration`] with everything that is wrong with the files, the sources and the SQL; or the
/// warehouse's or a source's store cannot be reached.
pub async fn prepare(options: PrepareOptions) -> Result<Prepared, EngineError> {
    let (pipeline, mut warnings) = load_pipeline(&options.load())?;
    let pipeline = Arc::new(pipeline);
    let runtime = new_runtime(&options.session)?;
    let stores = Arc::new(Stores::new(pipeline.project.clone(), Arc::clone(&runtime)));
    let warehouse = open_warehouse(&pipeline, options.warehouse.as_deref(), &stores)?;
    let sources = open_sources(&pipeline, &stores, options.offline, &mut warnings).await?;
    let session = session_with_definitions(&options.session, &runtime, &pipeline)?;
    for (name, source) in &sources {
        session.register_table(name.as_str(), Arc::clone(&source.provider))?;
    }
    let parameters = Parameters::new(&pipeline, options.as_of);
    let plan = plan(Arc::clone(&pipeline), parameters, &session, Arc::new(Matcher)).await?;
    warnings.0.extend(plan.warnings.0.iter().cloned());
    Ok(Prepared {
        plan,
        warnings,
        planned: session.state(),
        sources,
        stores,
        warehouse,
        runtime,
        session_options: options.session,
    })
}

/// Opens every source, several side by side; all that fail are reported, not the first.
async fn open_sources(
    pipeline: &Pipeline,
    stores: &Arc<Stores>,
    offline: bool,
    warnings: &mut Diagnostics,
) -> Result<BTreeMap<String, OpenSource>, EngineError> {
    let opened = futures::stream::iter(pipeline.sources.values())
        .map(|source| async move {
            if offline && source.kind == SourceKind::Source {
                return Ok((source, declared_source(source, stores)));
            }
            // A task each: parsing the footers of many files takes longer than reading them.
            let (owned, stores) = (source.clone(), Arc::clone(stores));
            let opened = SpawnedTask::spawn(async move { open_source(&owned, &stores).await }).join_unwind().await;
            let opened = opened.map_err(|error| EngineError::unexpected("opening a source ended abnormally", error))?;
            Ok::<_, EngineError>((source, opened))
        })
        .buffered(OPENED_AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    let mut sources = BTreeMap::new();
    let mut findings = Diagnostics::default();
    for (source, outcome) in opened {
        match outcome {
            Ok(open) => {
                for warning in &open.warnings {
                    let warning = Diagnostic::warning("source", warning.clone()).at(source.path.place.clone());
                    warnings.0.push(warning);
                }
                sources.insert(source.name.value.clone(), open);
            }
            Err(error) => {
                let mut finding = Diagnostic::error(error.code(), error.to_string()).at(source.path.place.clone());
                for line in error.help().lines() {
                    finding = finding.help(line);
                }
                findings.0.push(finding);
            }
        }
    }
    if findings.0.is_empty() { Ok(sources) } else { Err(findings.into()) }
}
