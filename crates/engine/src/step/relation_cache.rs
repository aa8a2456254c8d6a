//! Relations that a run keeps in memory, so that their many readers do not each read or compute them.
//!
//! An incremental run reads little of its sources, but reads it often: the views over them, their tests, and every
//! model that matches touchpoints. Any run computes its touchpoints from many sources, for all steps that read them.
//! What is small is read once and kept until the run ends; what turns out not to be small is read again by each reader.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, TableProvider};
use datafusion::error::DataFusionError;
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
use crate::record::usage::StepUsage;

/// Bytes that all relations of a run take at most.
const MOST_BYTES: usize = 1024 * 1024 * 1024;

/// Under a memory limit, the share of it that they take at most: the operators need the rest.
const SHARE_OF_LIMIT: usize = 8;

/// A table, its version, and the instant since which a row of the files may be settled.
type ReplacedFiles = (String, u64, Timestamp);

/// The relations that a run keeps in memory, and the room they may take.
#[derive(Debug)]
pub(crate) struct RelationCache {
    room: Arc<Room>,
    /// Files of tables that this run replaces.
    files: Mutex<BTreeMap<ReplacedFiles, Arc<dyn TableProvider>>>,
}

#[derive(Debug)]
struct Room {
    taken: MemoryReservation,
    most: usize,
}

impl RelationCache {
    pub(crate) fn new(session: &SessionContext, memory_limit: Option<usize>) -> Self {
        let consumer = MemoryConsumer::new("relations kept in memory");
        let taken = consumer.register(&session.runtime_env().memory_pool);
        let most = memory_limit.map_or(MOST_BYTES, |limit| MOST_BYTES.min(limit / SHARE_OF_LIMIT));
        Self { room: Arc::new(Room { taken, most }), files: Mutex::default() }
    }

    /// The same rows in memory, `None` when they are too many; and what reading them cost.
    pub(crate) async fn keep(
        &self,
        rows: DataFrame,
        session: &SessionContext,
    ) -> Result<(Option<DataFrame>, StepUsage), EngineError> {
        let (table, plan) = self.keep_as_table(rows, session).await?;
        let kept = table.map(|table| session.read_table(table)).transpose()?;
        Ok((kept, StepUsage::of(&plan)))
    }

    /// The rows as a table in memory, `None` when they are too many; and the plan that was executed for them.
    pub(crate) async fn keep_as_table(
        &self,
        rows: DataFrame,
        session: &SessionContext,
    ) -> Result<(Option<Arc<dyn TableProvider>>, Arc<dyn ExecutionPlan>), EngineError> {
        let plan = rows.create_physical_plan().await?;
        let partitions = self.partitions(&plan, session).await?;
        let table = partitions.map(|partitions| MemTable::try_new(plan.schema(), partitions)).transpose()?;
        Ok((table.map(|table| Arc::new(table) as Arc<dyn TableProvider>), plan))
    }

    /// The rows of `files` of a table, those that may hold a row settled at `since` or later. Several steps of a run
    /// read them.
    pub(crate) async fn files(
        &self,
        table: &str,
        files: &TableParts,
        since: Timestamp,
        session: &SessionContext,
    ) -> Result<(Arc<dyn TableProvider>, StepUsage), EngineError> {
        let mut known = self.files.lock().await;
        let key = (table.to_owned(), files.version, since);
        if let Some(rows) = known.get(&key) {
            return Ok((Arc::clone(rows), StepUsage::default()));
        }
        let rows = session.read_table(files.provider())?;
        let (kept, usage) = self.keep(rows.clone(), session).await?;
        let rows = kept.unwrap_or(rows).into_view();
        known.insert(key, Arc::clone(&rows));
        Ok((rows, usage))
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
            let (place, rows) = done.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?;
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

/// The batch with its texts copied out of the pages it was read from, where these are more than twice as large: a page
/// stays in memory as long as one text points into it. The few texts of a dictionary are better shared.
fn compact(batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
    let columns = batch.columns().iter().map(|column| -> ArrayRef {
        let Some(texts) = column.as_string_view_opt() else { return Arc::clone(column) };
        let held: usize = texts.data_buffers().iter().map(|buffer| buffer.capacity()).sum();
        match held > 2 * texts.total_buffer_bytes_used() {
            true => Arc::new(texts.gc()),
            false => Arc::clone(column),
        }
    });
    Ok(RecordBatch::try_new(batch.schema(), columns.collect())?)
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    fn numbers(session: &SessionContext, rows: i64) -> DataFrame {
        let batch = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from_iter_values(0..rows)) as ArrayRef)]);
        session.read_batch(batch.expect("one column")).expect("rows")
    }

    #[tokio::test]
    async fn small_relations_are_kept_and_large_ones_leave_no_trace() {
        let session = SessionContext::new();
        let cache = RelationCache::new(&session, Some(SHARE_OF_LIMIT * 4096));
        let (kept, _) = cache.keep(numbers(&session, 100), &session).await.expect("collected");
        assert_eq!(kept.expect("there is room").count().await.expect("counted"), 100);
        let taken = cache.room.taken.size();
        assert!(taken >= 100 * size_of::<i64>());
        let (kept, _) = cache.keep(numbers(&session, 10_000), &session).await.expect("collected");
        assert!(kept.is_none(), "80 kB do not fit into 4 kB");
        assert_eq!(cache.room.taken.size(), taken, "what was collected in vain is given back");
    }
}
