//! DataFusion sessions with Throughline's functions and operator, bounded memory and spilling.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::TrackConsumersPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use throughline_journeys::MatchQueryPlanner;

use crate::failure::EngineError;
use crate::workspace::memory_pool::HolderSharePool;

/// How many of the largest consumers an out-of-memory message names.
const NAMED_CONSUMERS: usize = 5;

/// So many sorts may reserve memory for their merge at the same time, with room left for the rows they hold.
const SORTS_AT_ONCE: usize = 512;

/// Bytes of the limit for each row of a batch: a hundred operators share it, at a few hundred bytes a row, twice over.
const BYTES_A_ROW: usize = 128 * 1024;
const FEWEST_ROWS: usize = 256;
/// DataFusion's own size of a batch.
const MOST_ROWS: usize = 8192;

const MIB: usize = 1024 * 1024;

/// Resources of a session.
#[derive(Debug, Clone, Default)]
pub struct SessionOptions {
    /// Bytes the operators may hold before they spill; unlimited when absent.
    pub memory_limit: Option<usize>,
    /// Partitions worked on side by side; the machine's cores when absent.
    pub partitions: Option<usize>,
    /// Where spilled rows go; the system's temporary folder when absent.
    pub spill_folder: Option<PathBuf>,
}

/// The runtime that a program's sessions share: one memory budget, one set of object stores.
pub(crate) fn new_runtime(options: &SessionOptions) -> Result<Arc<RuntimeEnv>, EngineError> {
    let mut builder = RuntimeEnvBuilder::new();
    if let Some(limit) = options.memory_limit {
        let names = std::num::NonZeroUsize::new(NAMED_CONSUMERS).unwrap_or(std::num::NonZeroUsize::MIN);
        builder = builder.with_memory_pool(Arc::new(TrackConsumersPool::new(HolderSharePool::new(limit), names)));
    }
    if let Some(folder) = &options.spill_folder {
        let mode = DiskManagerMode::Directories(vec![folder.clone()]);
        builder = builder.with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode));
    }
    builder.build_arc().map_err(EngineError::from)
}

/// A session over `runtime` with the statistics functions registered and the matcher plannable.
///
/// # Errors
/// A function or the matcher cannot be registered, which is a bug.
pub(crate) fn new_session(options: &SessionOptions, runtime: &Arc<RuntimeEnv>) -> Result<SessionContext, EngineError> {
    let mut config = SessionConfig::new().with_information_schema(true);
    if let Some(partitions) = options.partitions {
        config = config.with_target_partitions(partitions);
    }
    if let Some(limit) = options.memory_limit {
        // A sort needs room for two batches at least, and dozens of operators share the limit.
        config = config.with_batch_size((limit / BYTES_A_ROW).clamp(FEWEST_ROWS, MOST_ROWS));
    }
    let settings = config.options_mut();
    settings.sql_parser.collect_spans = true;
    // The facts' windows and groupings follow the matcher's order by customer; at the default of 4 that order is given
    // up for more parallelism and paid for with a sort.
    settings.optimizer.subset_repartition_threshold = 1;
    if let Some(limit) = options.memory_limit {
        // Every sort of a plan sets this much aside for its merge: at the default of 10 MiB each, a limit of some
        // hundred MiB is used up before a single row is read.
        settings.execution.sort_spill_reservation_bytes = (limit / SORTS_AT_ONCE).min(10 * MIB);
    }
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(Arc::clone(runtime))
        .with_default_features()
        .with_query_planner(Arc::new(MatchQueryPlanner))
        .build();
    let session = SessionContext::new_with_state(state);
    throughline_statistics::register(&session);
    Ok(session)
}
