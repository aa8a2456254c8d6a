//! Relations that a run keeps in memory, so that their many readers do not read or make them again each.
//!
//! An incremental run reads little of its sources, but reads it often: the views over them, their tests, and every model
//! that matches again. Any run makes its touchpoints out of many sources, for all steps that read them. What is
//! small is read once and kept until the run ends; what turns out not to be small is read again as ever.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, TableProvider};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use throughline_config::Timestamp;
use throughline_lake::TableParts;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::failure::EngineError;
use crate::incremental::Carried;
use crate::usage::StepUsage;

/// Bytes that all relations of a run take at most.
const MOST_BYTES: usize = 1024 * 1024 * 1024;

/// Under a memory limit, the share of it that they take at most: the operators need the rest.
const SHARE_OF_LIMIT: usize = 8;

/// The memory of the relations that a run keeps.
#[derive(Debug)]
pub(crate) struct Holding {
    room: Arc<Room>,
    /// Files of tables that this run replaces.
    parts: Mutex<BTreeMap<Part, Arc<dyn TableProvider>>>,
    /// The instances that go on from an instant, found in them: of all customers, or of those that differ from the sums
    /// of a version.
    carried: Mutex<BTreeMap<(Part, Option<u64>), Carried>>,
}

/// A table, its version, and the instant from which on its files may hold a settled row.
type Part = (String, u64, Timestamp);

#[derive(Debug)]
struct Room {
    taken: MemoryReservation,
    most: usize,
}

impl Holding {
    pub(crate) fn new(session: &SessionContext, memory_limit: Option<usize>) -> Self {
        let consumer = MemoryConsumer::new("relations kept in memory");
        let taken = consumer.register(&session.runtime_env().memory_pool);
        let most = memory_limit.map_or(MOST_BYTES, |limit| MOST_BYTES.min(limit / SHARE_OF_LIMIT));
        Self { room: Arc::new(Room { taken, most }), parts: Mutex::default(), carried: Mutex::default() }
    }

    /// The same rows in memory, `None` when they are too many; and what reading them cost.
    pub(crate) async fn held(
        &self,
        rows: DataFrame,
        session: &SessionContext,
    ) -> Result<(Option<DataFrame>, StepUsage), EngineError> {
        let (table, plan) = self.table(rows, session).await?;
        let held = table.map(|table| session.read_table(table)).transpose()?;
        Ok((held, StepUsage::of(&plan)))
    }

    /// The rows as a table in memory, `None` when they are too many; and the plan that was executed for them.
    pub(crate) async fn table(
        &self,
        rows: DataFrame,
        session: &SessionContext,
    ) -> Result<(Option<Arc<dyn TableProvider>>, Arc<dyn ExecutionPlan>), EngineError> {
        let plan = rows.create_physical_plan().await?;
        let partitions = self.partitions(&plan, session).await?;
        let table = partitions.map(|partitions| MemTable::try_new(plan.schema(), partitions)).transpose()?;
        Ok((table.map(|table| Arc::new(table) as Arc<dyn TableProvider>), plan))
    }

    /// The rows of the files of a table that may hold one settled at `since` or later, which several steps of a run look
    /// at. `recent` are those files.
    pub(crate) async fn parts(
        &self,
        table: &str,
        recent: &TableParts,
        since: Timestamp,
        session: &SessionContext,
    ) -> Result<(Arc<dyn TableProvider>, StepUsage), EngineError> {
        let mut parts = self.parts.lock().await;
        let key = (table.to_owned(), recent.version, since);
        if let Some(held) = parts.get(&key) {
            return Ok((Arc::clone(held), StepUsage::default()));
        }
        let rows = session.read_table(recent.provider())?;
        let (held, usage) = self.held(rows.clone(), session).await?;
        let held = held.unwrap_or(rows).into_view();
        parts.insert(key, Arc::clone(&held));
        Ok((held, usage))
    }

    /// The instances carried over, which members and instances both ask for; `find` is awaited by the first.
    pub(crate) async fn carried(
        &self,
        (table, version, since): (&str, u64, Timestamp),
        seen: Option<u64>,
        find: impl Future<Output = Result<Carried, EngineError>>,
    ) -> Result<Carried, EngineError> {
        let mut carried = self.carried.lock().await;
        let key = ((table.to_owned(), version, since), seen);
        if let Some(found) = carried.get(&key) {
            return Ok(found.clone());
        }
        let found = find.await?;
        carried.insert(key, found.clone());
        Ok(found)
    }

    /// Each partition's batches; `None` when there is no room for them.
    async fn partitions(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        session: &SessionContext,
    ) -> Result<Option<Vec<Vec<RecordBatch>>>, EngineError> {
        let mut tasks = JoinSet::new();
        for (place, rows) in execute_stream_partitioned(Arc::clone(plan), session.task_ctx())?.into_iter().enumerate() {
            let room = Arc::clone(&self.room);
            tasks.spawn(async move { (place, room.collect(rows).await) });
        }
        let mut partitions = vec![Vec::new(); tasks.len()];
        let mut fits = true;
        while let Some(done) = tasks.join_next().await {
            let (place, rows) = done.map_err(|error| EngineError::failed(error.to_string(), ""))?;
            match rows? {
                Some(rows) => partitions[place] = rows,
                None => fits = false,
            }
        }
        if !fits {
            self.room.taken.shrink(partitions.iter().flatten().map(RecordBatch::get_array_memory_size).sum());
        }
        Ok(fits.then_some(partitions))
    }
}

impl Room {
    /// The rows of one partition; `None`, and nothing taken, when there is no room for them.
    async fn collect(&self, mut rows: SendableRecordBatchStream) -> Result<Option<Vec<RecordBatch>>, EngineError> {
        let mut taken = 0;
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await {
            let batch = compact(&batch?)?;
            let bytes = batch.get_array_memory_size();
            if self.taken.size() + bytes > self.most || self.taken.try_grow(bytes).is_err() {
                self.taken.shrink(taken);
                return Ok(None);
            }
            taken += bytes;
            batches.push(batch);
        }
        Ok(Some(batches))
    }
}

/// The batch without what it holds on to of the pages it was read from, where that is more than its own texts are: the
/// few texts of a dictionary are better shared.
fn compact(batch: &RecordBatch) -> Result<RecordBatch, EngineError> {
    let columns = batch.columns().iter().map(|column| -> ArrayRef {
        let Some(texts) = column.as_string_view_opt() else { return Arc::clone(column) };
        let held: usize = texts.data_buffers().iter().map(|buffer| buffer.capacity()).sum();
        match held > 2 * texts.total_buffer_bytes_used() {
            true => Arc::new(texts.gc()),
            false => Arc::clone(column),
        }
    });
    Ok(RecordBatch::try_new(batch.schema(), columns.collect()).map_err(datafusion::error::DataFusionError::from)?)
}
