//! The one pass over every row: its verdict is counted and its key hashed.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int32Type;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::runtime::JoinSet;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::execute_stream_partitioned;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use crate::record::usage::StepUsage;

/// Hashes are kept apart by their upper bits, so that each part is sorted in the cache.
const PARTS: usize = 256;

/// Two keys with one hash are compared later; the seed only has to be the same in both passes.
const HASH_SEED: u64 = 0x696e_7461_6b65;

/// What the first pass found.
pub(super) struct FirstPass {
    /// Rows by verdict; the first are those that passed.
    pub(super) verdicts: Vec<u64>,
    pub(super) suspects: Suspects,
    pub(super) usage: StepUsage,
}

/// Keys that may belong to several of the rows that passed.
pub(super) enum Suspects {
    /// No two keys have the same hash.
    None,
    /// The hashes that came up more than once.
    Hashes(Arc<HashSet<u64>>),
    /// The memory limit left no room for all hashes.
    Unknown,
}

/// Reads `rows`, a verdict from 0 to `verdicts` followed by the key columns.
pub(super) async fn first_pass(
    rows: DataFrame,
    verdicts: usize,
    session: &SessionContext,
) -> Result<FirstPass, DataFusionError> {
    let plan = rows.create_physical_plan().await?;
    let mut tasks = JoinSet::new();
    for (number, stream) in execute_stream_partitioned(Arc::clone(&plan), session.task_ctx())?.into_iter().enumerate() {
        let consumer = MemoryConsumer::new(format!("intake[{number}]"));
        let memory = consumer.register(session.task_ctx().memory_pool());
        tasks.spawn(Reader::new(verdicts, memory).read(stream));
    }
    let mut readers = Vec::new();
    while let Some(reader) = tasks.join_next().await {
        readers.push(reader.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??);
    }
    let mut counts = vec![0; verdicts];
    for reader in &readers {
        counts.iter_mut().zip(&reader.verdicts).for_each(|(sum, number)| *sum += number);
    }
    Ok(FirstPass { verdicts: counts, suspects: suspects(readers).await?, usage: StepUsage::of(&plan) })
}

/// Rows of `keys`, which holds the key columns only, whose hash is among the suspects.
pub(super) async fn suspect_rows(
    keys: DataFrame,
    suspects: Arc<HashSet<u64>>,
    most: usize,
    session: &SessionContext,
) -> Result<Vec<RecordBatch>, DataFusionError> {
    let mut tasks = JoinSet::new();
    let plan = keys.create_physical_plan().await?;
    for stream in execute_stream_partitioned(plan, session.task_ctx())? {
        let suspects = Arc::clone(&suspects);
        let kept = stream.try_filter_map(move |batch| {
            let suspects = Arc::clone(&suspects);
            async move {
                let is_suspect: BooleanArray = hashes(batch.columns(), batch.num_rows())?
                    .iter()
                    .map(|hash| Some(suspects.contains(hash)))
                    .collect();
                Ok((is_suspect.true_count() > 0).then_some(filter_record_batch(&batch, &is_suspect)?))
            }
        });
        tasks.spawn(kept.try_collect::<Vec<_>>());
    }
    let mut all = Vec::new();
    let mut rows = 0;
    while let Some(kept) = tasks.join_next().await {
        let kept = kept.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??;
        rows += kept.iter().map(RecordBatch::num_rows).sum::<usize>();
        all.extend(kept);
        if rows > most {
            break;
        }
    }
    Ok(all)
}

fn hashes(keys: &[arrow::array::ArrayRef], rows: usize) -> Result<Vec<u64>, DataFusionError> {
    let mut hashes = vec![0; rows];
    create_hashes(keys, &RandomState::with_seed(HASH_SEED), &mut hashes)?;
    Ok(hashes)
}

/// One partition's counts and hashes.
struct Reader {
    verdicts: Vec<u64>,
    /// The hashes of the rows that passed, by part; `None` once there was no room for them.
    parts: Option<Vec<Vec<u64>>>,
    memory: MemoryReservation,
}

impl Reader {
    fn new(verdicts: usize, memory: MemoryReservation) -> Self {
        Self { verdicts: vec![0; verdicts], parts: Some(vec![Vec::new(); PARTS]), memory }
    }

    async fn read(mut self, mut rows: SendableRecordBatchStream) -> Result<Self, DataFusionError> {
        while let Some(batch) = rows.try_next().await? {
            self.add(&batch)?;
        }
        Ok(self)
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<(), DataFusionError> {
        let verdicts = batch.column(0).as_primitive::<Int32Type>().values();
        verdicts.iter().for_each(|&verdict| self.verdicts[verdict as usize] += 1);
        let keys = &batch.columns()[1..];
        let Some(parts) = &mut self.parts else { return Ok(()) };
        if keys.is_empty() {
            return Ok(());
        }
        // Vectors that grow are half empty at times.
        if self.memory.try_grow(batch.num_rows() * size_of::<u64>() * 3 / 2).is_err() {
            self.memory.free();
            self.parts = None;
            return Ok(());
        }
        let hashes = hashes(keys, batch.num_rows())?;
        for (hash, _) in hashes.into_iter().zip(verdicts).filter(|(_, verdict)| **verdict == 0) {
            parts[(hash >> (u64::BITS - PARTS.ilog2())) as usize].push(hash);
        }
        Ok(())
    }
}

/// Hashes that came up more than once, over all partitions.
async fn suspects(readers: Vec<Reader>) -> Result<Suspects, DataFusionError> {
    let mut by_part: Vec<Vec<Vec<u64>>> = vec![Vec::new(); PARTS];
    let mut memory = Vec::new();
    for reader in readers {
        let Some(parts) = reader.parts else { return Ok(Suspects::Unknown) };
        by_part.iter_mut().zip(parts).for_each(|(all, part)| all.push(part));
        memory.push(reader.memory);
    }
    let mut tasks = JoinSet::new();
    let tasks_number = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let size = PARTS.div_ceil(tasks_number);
    while !by_part.is_empty() {
        let share = by_part.split_off(by_part.len().saturating_sub(size));
        tasks.spawn_blocking(move || share.into_iter().flat_map(repeated).collect::<Vec<u64>>());
    }
    let mut found = HashSet::new();
    while let Some(repeated) = tasks.join_next().await {
        found.extend(repeated.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?);
    }
    Ok(if found.is_empty() { Suspects::None } else { Suspects::Hashes(Arc::new(found)) })
}

fn repeated(parts: Vec<Vec<u64>>) -> Vec<u64> {
    let mut hashes = parts.concat();
    drop(parts);
    hashes.sort_unstable();
    hashes.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect()
}
