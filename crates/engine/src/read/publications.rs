//! What a pipeline publishes over time: for programs that stay, such as an endpoint.

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::SessionContext;
use throughline_lake::Warehouse;

use super::published::Published;
use crate::failure::EngineError;
use crate::workspace::locate::locate;
use crate::workspace::options::PrepareOptions;
use crate::workspace::sessions::{SessionOptions, new_session};

/// The complete runs of one pipeline, as they are published. All sessions share one memory budget.
#[derive(Debug)]
pub struct Publications {
    pipeline: String,
    warehouse: Warehouse,
    session_options: SessionOptions,
    runtime: Arc<RuntimeEnv>,
}

impl Publications {
    /// The runs of a workspace's pipeline. Nothing is opened yet.
    ///
    /// # Errors
    /// The pipeline cannot be loaded, or its warehouse is no location.
    pub fn of(options: PrepareOptions) -> Result<Self, EngineError> {
        let (pipeline, warehouse, runtime) = locate(&options)?;
        Ok(Self { pipeline: pipeline.name.value.clone(), warehouse, session_options: options.session, runtime })
    }

    /// The pipeline's name.
    pub fn pipeline(&self) -> &str {
        &self.pipeline
    }

    /// Where the tables lie, as shown to people.
    pub fn address(&self) -> String {
        self.warehouse.location().to_string()
    }

    /// How the tables' folder is written in plans and messages: as a path of the store and as a URL.
    pub fn location_texts(&self) -> Vec<String> {
        let location = self.warehouse.location();
        let mut texts = vec![location.url.to_string(), location.prefix.to_string(), location.to_string()];
        texts.extend(location.local.as_ref().map(|path| path.display().to_string()));
        texts
    }

    /// A text that changes when there may be something new: the id of the newest run, done or not, and the names of
    /// the snapshots. Reads names only.
    ///
    /// # Errors
    /// The warehouse cannot be listed.
    pub async fn newest(&self) -> Result<String, EngineError> {
        let run = self.warehouse.run_ids().await?.into_iter().next().unwrap_or_default();
        let snapshots = self.warehouse.snapshots().names().await?;
        Ok(snapshots.iter().fold(run, |text, name| format!("{text} {name}")))
    }

    /// The newest complete run.
    ///
    /// # Errors
    /// The run records cannot be read.
    pub async fn latest(&self) -> Result<Option<Published>, EngineError> {
        Published::latest(&self.warehouse, &self.pipeline).await
    }

    /// A session with the functions of a run and no tables.
    ///
    /// # Errors
    /// A function or the matcher cannot be registered, which is a bug.
    pub fn session(&self) -> Result<SessionContext, EngineError> {
        new_session(&self.session_options, &self.runtime)
    }
}
