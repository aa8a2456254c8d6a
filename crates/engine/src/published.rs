//! What is published: the tables of one finished run, at the versions that belong together, or those of a snapshot.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::DateTime;
use datafusion::dataframe::DataFrame;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::{SQLOptions, SessionContext};
use futures::{StreamExt, TryStreamExt};
use throughline_config::{Diagnostic, LoadOptions, Pipeline, SourceFile, closest, load_pipeline};
use throughline_lake::{PublishedTable, Snapshot, Stores, Warehouse};
use throughline_plan::{Graph, SqlText, StepKind, TextOrigin, diagnose};

use crate::failure::EngineError;
use crate::prepare::{PrepareOptions, Prepared, open_warehouse, prepare};
use crate::publish::Execution;
use crate::run::needed_steps;
use crate::run_history::{RUN_TABLES, register_run_tables};
use crate::run_record::{RunRecord, RunStatus, StepStatus};
use crate::session::{SessionOptions, new_runtime, new_session};
use crate::snapshot::find::{ListedSnapshot, find, listed};

/// Tables whose logs are read side by side.
const OPENED_AT_ONCE: usize = 8;

/// The newest complete run of a pipeline, or one that was frozen.
#[derive(Debug)]
pub struct Published {
    /// Its record.
    pub record: RunRecord,
    warehouse: Warehouse,
    /// The snapshot that the run was made for; its files are elsewhere than the tables'.
    frozen: Option<Snapshot>,
    session_options: SessionOptions,
    runtime: Option<Arc<RuntimeEnv>>,
}

impl Published {
    /// The newest run of `pipeline` in which every step was done; `None` when there is none yet.
    pub async fn latest(warehouse: &Warehouse, pipeline: &str) -> Result<Option<Self>, EngineError> {
        for run_id in warehouse.run_ids().await?.iter() {
            let Some(record) = read_record(warehouse, run_id).await? else { continue };
            if record.pipeline == pipeline && record.status == RunStatus::Done {
                let warehouse = warehouse.clone();
                return Ok(Some(Self {
                    record,
                    warehouse,
                    frozen: None,
                    session_options: SessionOptions::default(),
                    runtime: None,
                }));
            }
        }
        Ok(None)
    }

    /// The cut of the run, microseconds since 1970 UTC; `None` when its record says no instant.
    pub fn as_of(&self) -> Option<i64> {
        DateTime::parse_from_rfc3339(&self.record.as_of).ok().map(|as_of| as_of.timestamp_micros())
    }

    /// The tables of a run that just ended.
    pub fn of(prepared: &Prepared, record: RunRecord) -> Self {
        Self {
            record,
            warehouse: prepared.warehouse.clone(),
            frozen: None,
            session_options: prepared.session_options.clone(),
            runtime: Some(Arc::clone(&prepared.runtime)),
        }
    }

    /// Opens what a workspace's pipeline has published, without opening its sources.
    pub async fn open(options: PrepareOptions) -> Result<Self, EngineError> {
        Ok(Self::open_with_pipeline(options).await?.1)
    }

    /// The same beside the pipeline as its files say today.
    pub async fn open_with_pipeline(options: PrepareOptions) -> Result<(Pipeline, Self), EngineError> {
        let (pipeline, warehouse, runtime) = located(&options)?;
        match Self::latest(&warehouse, &pipeline.name).await? {
            Some(published) => {
                Ok((pipeline, Self { session_options: options.session, runtime: Some(runtime), ..published }))
            }
            None => Err(EngineError::refused(
                format!("nothing is published yet in {}", warehouse.location()),
                "make the tables first: throughline run",
            )),
        }
    }

    /// Opens a snapshot of a workspace's pipeline, to be read like a run.
    pub async fn open_snapshot(options: PrepareOptions, name: &str) -> Result<Self, EngineError> {
        Ok(Self::open_snapshot_with_pipeline(options, name).await?.1)
    }

    /// The same beside the pipeline as its files say today.
    pub async fn open_snapshot_with_pipeline(
        options: PrepareOptions,
        name: &str,
    ) -> Result<(Pipeline, Self), EngineError> {
        let (pipeline, warehouse, runtime) = located(&options)?;
        let snapshot = find(&warehouse, &pipeline.name.value, name).await?;
        let record = serde_json::from_value(snapshot.manifest().run.clone()).map_err(|error| {
            EngineError::failed(
                format!("the run in the manifest of {name} cannot be read: {error}"),
                "it was made by another version of throughline; its files are plain Parquet",
            )
        })?;
        let (session_options, runtime) = (options.session, Some(runtime));
        Ok((pipeline, Self { record, warehouse, frozen: Some(snapshot), session_options, runtime }))
    }

    /// The snapshot, where it is one.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.frozen.as_ref()
    }

    /// Every snapshot of this pipeline, by period and revision. Sessions made from this one's runtime can read them.
    pub async fn snapshots(&self) -> Result<Vec<ListedSnapshot>, EngineError> {
        listed(&self.warehouse, &self.record.pipeline).await
    }

    /// One table at the run's version; `None` when the run does not have it.
    async fn published_table(&self, name: &str) -> Result<Option<PublishedTable>, EngineError> {
        let Some(version) = self.record.tables.get(name) else { return Ok(None) };
        match self.warehouse.table_at(name, *version).await? {
            Some(table) => Ok(Some(table)),
            None => Err(EngineError::failed(
                format!("version {version} of `{name}` is not in {}", self.warehouse.location()),
                "the table was removed or vacuumed by hand; run again: throughline run",
            )),
        }
    }

    /// Every table of the run at the run's version, by name; of a run, not of a snapshot.
    pub async fn tables(&self) -> Result<Vec<PublishedTable>, EngineError> {
        let opened: Vec<_> = self.record.tables.keys().map(|name| self.published_table(name)).collect();
        futures::stream::iter(opened).buffered(OPENED_AT_ONCE).try_filter_map(futures::future::ok).try_collect().await
    }

    /// Registers one table at the run's version; false when the run does not have it.
    pub async fn register_table(&self, name: &str, session: &SessionContext) -> Result<bool, EngineError> {
        if let Some(snapshot) = &self.frozen {
            let Some(table) = snapshot.table(name) else { return Ok(false) };
            session.register_table(name, table)?;
            return Ok(true);
        }
        let Some(table) = self.published_table(name).await? else { return Ok(false) };
        session.register_table(name, table.provider)?;
        Ok(true)
    }

    /// The rows of one table.
    pub async fn table(&self, name: &str) -> Result<DataFrame, EngineError> {
        let session = self.empty_session()?;
        if self.register_table(name, &session).await? {
            return Ok(session.table(name).await?);
        }
        let known = || self.record.tables.keys().map(String::as_str);
        let near = closest(name, known()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let place = self.frozen.as_ref().map_or_else(String::new, |snapshot| format!(" in {}", snapshot.name()));
        Err(EngineError::refused(
            format!("no table `{name}`{place}"),
            format!("{near}there are: {}", known().collect::<Vec<_>>().join(", ")),
        ))
    }

    /// A session with every table of the run, the history of all runs, and nothing else to read.
    pub async fn session(&self) -> Result<SessionContext, EngineError> {
        let session = self.empty_session()?;
        for name in self.record.tables.keys() {
            self.register_table(name, &session).await?;
        }
        if self.frozen.is_none() {
            register_run_tables(&self.warehouse, &self.record.pipeline, &session)?;
        }
        Ok(session)
    }

    fn empty_session(&self) -> Result<SessionContext, EngineError> {
        let runtime = match &self.runtime {
            Some(runtime) => Arc::clone(runtime),
            None => new_runtime(&self.session_options)?,
        };
        new_session(&self.session_options, &runtime)
    }

    /// Plans one SELECT over the run's tables and the history of runs. Anything that is not a query is refused.
    pub async fn query(&self, sql: &str) -> Result<DataFrame, EngineError> {
        let parsed = parsed(sql, &self.record.tables.keys().map(String::as_str).collect::<Vec<_>>())?;
        planned(parsed, self.session().await?).await
    }
}

/// Plans one SELECT over what a pipeline has published. Before anything is, the history of runs can be asked.
pub async fn query(options: PrepareOptions, sql: &str) -> Result<DataFrame, EngineError> {
    let (pipeline, warehouse, runtime) = located(&options)?;
    let history_only = SqlText::parse(&query_file(sql)).is_ok_and(|parsed| only_history(&parsed));
    if history_only && Published::latest(&warehouse, &pipeline.name).await?.is_none() {
        let session = new_session(&options.session, &runtime)?;
        register_run_tables(&warehouse, &pipeline.name, &session)?;
        return planned(parsed(sql, &[])?, session).await;
    }
    Published::open(options).await?.query(sql).await
}

fn only_history(parsed: &SqlText) -> bool {
    let mut read = parsed.references.keys();
    read.len() > 0 && read.all(|name| RUN_TABLES.contains(&name.as_str()))
}

fn query_file(sql: &str) -> Arc<SourceFile> {
    Arc::new(SourceFile { path: "query".into(), text: sql.to_owned() })
}

/// The SELECT, when it reads nothing but the `published` tables and the history of runs.
fn parsed(sql: &str, published: &[&str]) -> Result<SqlText, EngineError> {
    let parsed = SqlText::parse(&query_file(sql))?;
    for (name, place) in &parsed.references {
        let known = || published.iter().copied().chain(RUN_TABLES);
        if name.contains('.') || known().any(|table| table == name) {
            continue;
        }
        let mut finding = Diagnostic::error("unknown-relation", format!("no published table `{name}`"))
            .at(place.clone())
            .help(format!("published: {}", known().collect::<Vec<_>>().join(", ")));
        if let Some(near) = closest(name, known()) {
            finding = finding.label(format!("did you mean `{near}`?"));
        }
        return Err(EngineError::Configuration(finding.into()));
    }
    Ok(parsed)
}

async fn planned(parsed: SqlText, session: SessionContext) -> Result<DataFrame, EngineError> {
    let allowed = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let origin = TextOrigin::File(Arc::clone(&parsed.file));
    let plan = session.state().statement_to_plan(parsed.statement).await;
    let plan = plan.map_err(|error| EngineError::Configuration(diagnose(&error, &origin)))?;
    allowed.verify_plan(&plan).map_err(|error| EngineError::Configuration(diagnose(&error, &origin)))?;
    Ok(DataFrame::new(session.state(), plan))
}

/// The newest `most` runs of a pipeline, newest first.
pub async fn past_runs(options: PrepareOptions, most: usize) -> Result<Vec<RunRecord>, EngineError> {
    let (pipeline, warehouse, _) = located(&options)?;
    let mut runs = Vec::new();
    for run_id in warehouse.run_ids().await? {
        if runs.len() == most {
            break;
        }
        let record = read_record(&warehouse, &run_id).await?;
        runs.extend(record.filter(|record| record.pipeline == pipeline.name.value));
    }
    Ok(runs)
}

/// The pipeline and its warehouse, nothing opened.
pub(crate) fn located(options: &PrepareOptions) -> Result<(Pipeline, Warehouse, Arc<RuntimeEnv>), EngineError> {
    let load = LoadOptions {
        project: options.project.clone(),
        pipeline: options.pipeline.clone(),
        variables: options.variables.clone(),
        environment: options.environment.clone(),
    };
    let (pipeline, _warnings) = load_pipeline(&load)?;
    let runtime = new_runtime(&options.session)?;
    let stores = Arc::new(Stores::new(pipeline.project.clone(), Arc::clone(&runtime)));
    let warehouse = open_warehouse(&pipeline, &stores)?;
    Ok((pipeline, warehouse, runtime))
}

pub(crate) async fn read_record(warehouse: &Warehouse, run_id: &str) -> Result<Option<RunRecord>, EngineError> {
    let Some(value) = warehouse.read_run(run_id).await? else { return Ok(None) };
    serde_json::from_value(value).map(Some).map_err(|error| {
        EngineError::failed(
            format!("the run record {run_id} cannot be read: {error}"),
            "it was written by another version of throughline, or damaged; move it away and run again",
        )
    })
}

/// The rows of a relation: of a published table as published, of a source or view computed on the spot.
pub async fn show(options: PrepareOptions, name: &str) -> Result<DataFrame, EngineError> {
    let prepared = Arc::new(prepare(options).await?);
    let plan = &prepared.plan;
    let published = Published::latest(&prepared.warehouse, &plan.pipeline.name).await?;
    let session = prepared.session()?;
    if RUN_TABLES.contains(&name) {
        register_run_tables(&prepared.warehouse, &plan.pipeline.name, &session)?;
        return Ok(session.table(name).await?);
    }
    if let Some(published) = &published
        && published.register_table(name, &session).await?
    {
        return Ok(session.table(name).await?);
    }
    let Some(step) = plan.step(name) else {
        let known = || plan.steps.iter().map(|step| step.name.as_str());
        let near = closest(name, known()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        return Err(EngineError::refused(
            format!("no model, source or seed `{name}`"),
            format!("{near}`throughline plan` lists them"),
        ));
    };
    if step.kind == StepKind::Table {
        return Err(EngineError::refused(
            format!("`{name}` is not published yet"),
            format!("make it first: throughline run --select +{name}"),
        ));
    }
    computed(&prepared, published.as_ref(), name, session).await
}

/// Computes a view or source; tables it reads come from what is published.
async fn computed(
    prepared: &Arc<Prepared>,
    published: Option<&Published>,
    name: &str,
    session: SessionContext,
) -> Result<DataFrame, EngineError> {
    let plan = &prepared.plan;
    let wanted = BTreeSet::from([name.to_owned()]);
    let tables = Graph::closure([name], |step| plan.graph.inputs(step));
    for table in tables.into_iter().filter(|input| plan.is_table(input)) {
        if let Some(published) = published {
            published.register_table(table, &session).await?;
        }
    }
    let session = with_unpublished(prepared, &wanted, session).await?;
    Ok(session.table(name).await?)
}

/// Runs the views and sources that `wanted` needs, so that the session has them by name. What is set aside on the way is
/// not published: this is for looking.
pub(crate) async fn with_unpublished(
    prepared: &Arc<Prepared>,
    wanted: &BTreeSet<String>,
    session: SessionContext,
) -> Result<SessionContext, EngineError> {
    let execution = Execution::looking(prepared, session);
    let steps = needed_steps(&prepared.plan, wanted);
    for step in steps.into_iter().filter(|step| step.kind != StepKind::Table) {
        let record = execution.step(&step.name).await;
        if record.status != StepStatus::Done {
            let error = record.error.unwrap_or_default();
            return Err(EngineError::failed(format!("`{}`: {error}", step.name), record.help.unwrap_or_default()));
        }
    }
    Ok(execution.session)
}
