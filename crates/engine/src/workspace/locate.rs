//! A workspace's pipeline and its warehouse, with no source opened.

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use throughline_config::{Diagnostic, Pipeline, load_pipeline};
use throughline_lake::{Stores, Warehouse};

use super::options::PrepareOptions;
use crate::failure::EngineError;
use crate::workspace::sessions::new_runtime;

/// The pipeline, its warehouse, and the runtime that reads it.
pub(crate) fn locate(options: &PrepareOptions) -> Result<(Pipeline, Warehouse, Arc<RuntimeEnv>), EngineError> {
    let (pipeline, _warnings) = load_pipeline(&options.load())?;
    let runtime = new_runtime(&options.session)?;
    let stores = Arc::new(Stores::new(pipeline.project.clone(), Arc::clone(&runtime)));
    let warehouse = open_warehouse(&pipeline, options.warehouse.as_deref(), &stores)?;
    Ok((pipeline, warehouse, runtime))
}

/// The warehouse that is asked for, or else the pipeline's.
pub(crate) fn open_warehouse(
    pipeline: &Pipeline,
    asked: Option<&str>,
    stores: &Arc<Stores>,
) -> Result<Warehouse, EngineError> {
    if let Some(asked) = asked {
        return Warehouse::open(asked, stores).map_err(|error| {
            let (message, help) = (format!("`--into {asked}`: {error}"), error.help());
            EngineError::refused_because(message, help, error)
        });
    }
    Warehouse::open(&pipeline.warehouse.value, stores).map_err(|error| {
        let finding =
            Diagnostic::error("warehouse", error.to_string()).at(pipeline.warehouse.place.clone()).help(error.help());
        EngineError::Configuration(finding.into())
    })
}
