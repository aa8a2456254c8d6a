//! Rows into the files of their parts, one writer a part; a part whose rows have not changed keeps its files.
//!
//! Most rows that an increment rebuilds turn out to be the same as before: it reaches back because they may have
//! changed. Each file of a part carries the sum of the hashes of its rows in the Delta log, so the writer of a part
//! knows without reading whether it is to write the same rows again. It holds them back while that is possible and
//! there is room; without room it writes them and takes the files away again.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::data_file::DataFile;
use super::data_writer::{FileWriter, StoredRows, Writing, Written, WrittenFile, all_or_first_failure};
use super::old_part::Comparison;
use super::settlement::{PartLayout, Settled};

/// Bytes of rows that all parts of a table together hold back at most.
const HELD_BACK_BYTES: usize = 64 * 1024 * 1024;

/// Batches that wait for the writer of their part: enough for it to go on with, few enough to be small.
const WAITING_BATCHES: usize = 2;

/// What came of a part.
enum Part {
    Written(Vec<WrittenFile>),
    Unchanged(Vec<DataFile>),
}

type Done = DataFusionResult<(Settled, Part)>;

/// Rows of all streams into the files of their parts: one a part, since every file has its price each time it is read.
pub(super) async fn by_part(
    writing: &Arc<Writing>,
    parts: PartLayout,
    streams: Vec<SendableRecordBatchStream>,
) -> DataFusionResult<Written> {
    let writers = Arc::new(PartWriters::default());
    let mut dealing = JoinSet::new();
    for mut rows in streams {
        let (writing, writers) = (Arc::clone(writing), Arc::clone(&writers));
        dealing.spawn(async move {
            while let Some(batch) = rows.next().await {
                let batch = batch?;
                for (settled, rows) in by_settlement(&batch, parts)? {
                    let rows = match rows.len() == batch.num_rows() {
                        true => batch.clone(),
                        false => take_record_batch(&batch, &UInt64Array::from(rows))?,
                    };
                    // A writer that takes no more rows has failed; it says itself why.
                    if writers.of(settled, &writing).send(rows).await.is_err() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        });
    }
    let dealt = all_or_first_failure(&mut dealing).await;
    drop(dealing);
    let mut tasks = writers.finish(dealt.is_ok());
    let done = all_or_first_failure(&mut tasks).await;
    dealt?;
    let mut done: Vec<(Settled, Part)> = done?;
    done.sort_unstable_by_key(|(settled, _)| *settled);
    let mut written = Written::default();
    for (_, part) in done {
        match part {
            Part::Written(files) => written.files.extend(files),
            Part::Unchanged(files) => written.unchanged.extend(files),
        }
    }
    Ok(written)
}

/// The rows of a batch by the file they belong into.
fn by_settlement(batch: &RecordBatch, parts: PartLayout) -> DataFusionResult<BTreeMap<Settled, Vec<u64>>> {
    let instants = batch.columns().last().and_then(|last| last.as_primitive_opt::<TimestampMicrosecondType>());
    let Some(instants) = instants else {
        return Err(DataFusionError::Internal("rows without the instant at which they are settled".to_owned()));
    };
    let mut rows: BTreeMap<Settled, Vec<u64>> = BTreeMap::new();
    for row in 0..instants.len() {
        let settled_at = instants.is_valid(row).then(|| instants.value(row));
        rows.entry(parts.part(settled_at)).or_default().push(row as u64);
    }
    Ok(rows)
}

/// A writer for each part of which there are rows.
#[derive(Default)]
struct PartWriters(Mutex<Parts>);

#[derive(Default)]
struct Parts {
    open: BTreeMap<Settled, (mpsc::Sender<RecordBatch>, oneshot::Sender<()>)>,
    tasks: JoinSet<Done>,
}

impl PartWriters {
    /// Where rows of a part are sent to.
    fn of(&self, settled: Settled, writing: &Arc<Writing>) -> mpsc::Sender<RecordBatch> {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((sender, _)) = parts.open.get(&settled) {
            return sender.clone();
        }
        let (sender, rows) = mpsc::channel(WAITING_BATCHES);
        let (complete, is_complete) = oneshot::channel();
        let (number, writing) = (parts.open.len(), Arc::clone(writing));
        parts.tasks.spawn(async move { write_part(&writing, number, settled, rows, is_complete).await });
        parts.open.insert(settled, (sender.clone(), complete));
        sender
    }

    /// The writers, after the last row: they finish their files when these are `complete`, else let go of them.
    fn finish(&self, complete: bool) -> JoinSet<Done> {
        let parts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (_, is_complete) in parts.open.into_values() {
            if complete {
                let _ = is_complete.send(());
            }
        }
        parts.tasks
    }
}

/// The rows of one part, until there are no more.
async fn write_part(
    writing: &Writing,
    number: usize,
    settled: Settled,
    mut rows: mpsc::Receiver<RecordBatch>,
    complete: oneshot::Receiver<()>,
) -> Done {
    let mut writer = FileWriter::new(writing, number, Some(settled));
    let mut comparison = writing.old_part(settled).map(Comparison::with);
    let mut held = HeldBack { writing, rows: Vec::new(), bytes: 0 };
    while let Some(batch) = rows.recv().await {
        let rows = writing.stored(&batch)?;
        comparison = comparison.and_then(|comparison| comparison.and(rows.batch.num_rows(), rows.sum));
        let Some(rows) = held.hold(rows, comparison.is_some()) else { continue };
        for rows in held.take().into_iter().chain([rows]) {
            writer.write(&rows).await?;
        }
    }
    if complete.await.is_err() {
        writer.abort().await;
        return Ok((settled, Part::Written(Vec::new())));
    }
    if let Some(unchanged) = comparison.and_then(Comparison::unchanged) {
        writer.discard().await?;
        return Ok((settled, Part::Unchanged(unchanged)));
    }
    for rows in held.take() {
        writer.write(&rows).await?;
    }
    Ok((settled, Part::Written(writer.finish().await?)))
}

/// Rows that are not written as long as they may be those that lie in their part.
struct HeldBack<'a> {
    writing: &'a Writing,
    rows: Vec<StoredRows>,
    bytes: usize,
}

impl HeldBack<'_> {
    /// Holds rows back where they `may` be and there is room; else returns them.
    fn hold(&mut self, rows: StoredRows, may: bool) -> Option<StoredRows> {
        let bytes = rows.batch.get_array_memory_size();
        if !may {
            return Some(rows);
        }
        if self.writing.held_back.fetch_add(bytes, Ordering::Relaxed) + bytes > HELD_BACK_BYTES {
            self.writing.held_back.fetch_sub(bytes, Ordering::Relaxed);
            return Some(rows);
        }
        self.bytes += bytes;
        self.rows.push(rows);
        None
    }

    fn take(&mut self) -> Vec<StoredRows> {
        self.writing.held_back.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
        std::mem::take(&mut self.rows)
    }
}
