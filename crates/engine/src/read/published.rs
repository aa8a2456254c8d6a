//! The tables of one finished run, at the versions that belong together, or those of a snapshot.

use std::sync::Arc;

use chrono::DateTime;
use datafusion::dataframe::DataFrame;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt};
use throughline_config::{Pipeline, closest};
use throughline_lake::{PublishedTable, Snapshot, Warehouse};

use super::snapshots::{ListedSnapshot, find, listed};
use crate::failure::EngineError;
use crate::record::history::register_run_tables;
use crate::record::run_record::{RunRecord, RunStatus};
use crate::record::stored::read_record;
use crate::workspace::locate::locate;
use crate::workspace::options::PrepareOptions;
use crate::workspace::prepare::Prepared;
use crate::workspace::sessions::{SessionOptions, new_runtime, new_session};

/// Tables whose logs are read side by side.
const OPENED_AT_ONCE: usize = 8;

/// The tables of the newest complete run of a pipeline, or of the run that a snapshot keeps.
#[derive(Debug)]
pub struct Published {
    /// Its record.
    pub record: RunRecord,
    warehouse: Warehouse,
    /// The snapshot that keeps the run's tables; its files are elsewhere than the warehouse's.
    frozen: Option<Snapshot>,
    session_options: SessionOptions,
    runtime: Option<Arc<RuntimeEnv>>,
}

impl Published {
    /// The newest run of `pipeline` in which every step was done; `None` when there is none yet.
    ///
    /// # Errors
    /// The run records cannot be read.
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

    /// The cut of the run, microseconds since 1970 UTC; `None` when its record holds no instant.
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
    ///
    /// # Errors
    /// The pipeline cannot be loaded; nothing is published yet; the run records cannot be read.
    pub async fn open(options: PrepareOptions) -> Result<Self, EngineError> {
        Ok(Self::open_with_pipeline(options).await?.1)
    }

    /// The same, and the pipeline as its files define it today.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub async fn open_with_pipeline(options: PrepareOptions) -> Result<(Pipeline, Self), EngineError> {
        let (pipeline, warehouse, runtime) = locate(&options)?;
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
    ///
    /// # Errors
    /// Those of [`crate::find_snapshot`].
    pub async fn open_snapshot(options: PrepareOptions, name: &str) -> Result<Self, EngineError> {
        Ok(Self::open_snapshot_with_pipeline(options, name).await?.1)
    }

    /// The same, and the pipeline as its files define it today.
    ///
    /// # Errors
    /// Those of [`crate::find_snapshot`].
    pub async fn open_snapshot_with_pipeline(
        options: PrepareOptions,
        name: &str,
    ) -> Result<(Pipeline, Self), EngineError> {
        let (pipeline, warehouse, runtime) = locate(&options)?;
        let snapshot = find(&warehouse, &pipeline.name.value, name).await?;
        let record = serde_json::from_value(snapshot.manifest().run.clone());
        let record = record.map_err(|source| EngineError::Unreadable {
            what: format!("the run in the manifest of {name}"),
            help: "it was made by another version of throughline; its files are plain Parquet",
            source,
        })?;
        let (session_options, runtime) = (options.session, Some(runtime));
        Ok((pipeline, Self { record, warehouse, frozen: Some(snapshot), session_options, runtime }))
    }

    /// The snapshot, if this is one.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.frozen.as_ref()
    }

    /// Every snapshot of this pipeline, by period and revision. Sessions made from this one's runtime can read them.
    ///
    /// # Errors
    /// The warehouse cannot be listed.
    pub async fn snapshots(&self) -> Result<Vec<ListedSnapshot>, EngineError> {
        listed(&self.warehouse, &self.record.pipeline).await
    }

    /// One table at the run's version; `None` when the run does not have it.
    async fn published_table(&self, name: &str) -> Result<Option<PublishedTable>, EngineError> {
        let Some(version) = self.record.tables.get(name) else { return Ok(None) };
        match self.warehouse.table_at(name, *version).await? {
            Some(table) => Ok(Some(table)),
            None => Err(EngineError::VersionRemoved {
                table: name.to_owned(),
                version: *version,
                place: self.warehouse.location().to_string(),
                help: "the table was removed or vacuumed by hand; run again: throughline run",
            }),
        }
    }

    /// Every table of the run at the run's version, by name; of a run, not of a snapshot.
    ///
    /// # Errors
    /// [`EngineError::VersionRemoved`] where a vacuum or a person removed a version, or an error of the store.
    pub async fn tables(&self) -> Result<Vec<PublishedTable>, EngineError> {
        let opened: Vec<_> = self.record.tables.keys().map(|name| self.published_table(name)).collect();
        futures::stream::iter(opened).buffered(OPENED_AT_ONCE).try_filter_map(futures::future::ok).try_collect().await
    }

    /// Registers one table at the run's version; false when the run does not have it.
    ///
    /// # Errors
    /// [`EngineError::VersionRemoved`] where a vacuum or a person removed the version, an error of the store, or the
    /// name is registered already.
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
    ///
    /// # Errors
    /// The run has no such table; else as [`Self::register_table`].
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
    ///
    /// # Errors
    /// As [`Self::register_table`], for any of the tables.
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

    /// A session with some tables of the run and nothing else to read; names that the run does not have are left out.
    pub(crate) async fn session_with(&self, names: &[&str]) -> Result<SessionContext, EngineError> {
        let session = self.empty_session()?;
        for name in names {
            self.register_table(name, &session).await?;
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
}
