//! Rows written into a table's folder under names that no version mentions yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use parquet::arrow::AsyncArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{ParquetMetaData, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::durable;
use super::error::WarehouseError;
use super::parts::{PartLayout, Settled};
use super::schema::stored_batch;
use crate::scan::SortColumn;
use crate::stores::Location;

/// Rows of a row group: enough for good compression, few enough for readers that hold one a core.
const ROW_GROUP_ROWS: usize = 1_048_576;

/// Encoded bytes of a row group at most, so that wide rows do not fill the memory.
const ROW_GROUP_BYTES: usize = 128 * 1024 * 1024;

/// Bytes after which the next file begins, where no order has to be kept.
const FILE_BYTES: usize = 128 * 1024 * 1024;

/// Encoded bytes that a file by settlement holds back before they become a row group: dozens are open at a time.
const PART_GROUP_BYTES: usize = 8 * 1024 * 1024;

/// Which rows go into which files.
#[derive(Debug, Clone)]
pub(super) enum Layout {
    /// A stream's rows follow each other; with an order, in one file.
    AsTheyCome { order: Vec<SortColumn> },
    /// By the instant in the streams' last column.
    BySettlement(PartLayout),
}

/// A data file that was written.
#[derive(Debug, Clone)]
pub(super) struct WrittenFile {
    /// Its name inside the table's folder.
    pub(super) name: String,
    pub(super) object: ObjectMeta,
    pub(super) metadata: Arc<ParquetMetaData>,
}

impl WrittenFile {
    pub(super) fn rows(&self) -> u64 {
        self.metadata.file_metadata().num_rows().try_into().unwrap_or(0)
    }
}

/// What every partition's writer shares.
struct Writing {
    folder: Location,
    stored: SchemaRef,
    properties: WriterProperties,
    id: Uuid,
    layout: Layout,
    /// Files begun, for removing them after a failure.
    begun: Mutex<Vec<Path>>,
}

/// Writes each stream into files of its own, or all into the files of their parts, side by side. After a failure nothing
/// is left behind, as far as the store lets its files be removed.
pub(super) async fn write(
    table: &str,
    folder: &Location,
    stored: &SchemaRef,
    layout: &Layout,
    id: Uuid,
    streams: Vec<SendableRecordBatchStream>,
) -> Result<Vec<WrittenFile>, WarehouseError> {
    let writing = Arc::new(Writing {
        folder: folder.clone(),
        stored: Arc::clone(stored),
        properties: properties(stored, layout),
        id,
        layout: layout.clone(),
        begun: Mutex::default(),
    });
    let written = match writing.layout {
        Layout::AsTheyCome { .. } => as_they_come(&writing, streams).await,
        Layout::BySettlement(parts) => by_part(&writing, parts, streams).await,
    };
    match written {
        Ok(written) => Ok(written),
        Err(error) => {
            let begun = std::mem::take(&mut *writing.begun.lock().unwrap_or_else(PoisonError::into_inner));
            remove(folder, begun.into_iter()).await.ok();
            Err(WarehouseError::Rows { table: table.into(), error: Box::new(error) })
        }
    }
}

/// Each stream into files of its own, in the order of the streams.
async fn as_they_come(
    writing: &Arc<Writing>,
    streams: Vec<SendableRecordBatchStream>,
) -> DataFusionResult<Vec<WrittenFile>> {
    let mut tasks = JoinSet::new();
    for (partition, rows) in streams.into_iter().enumerate() {
        let writing = Arc::clone(writing);
        tasks.spawn(async move { writing.partition(partition, rows).await.map(|files| (partition, files)) });
    }
    let mut written = all_or_first_failure(&mut tasks).await?;
    written.sort_unstable_by_key(|(partition, _)| *partition);
    Ok(written.into_iter().flat_map(|(_, files)| files).collect())
}

/// Rows of all streams into the files of their parts: one a part, since every file has its price each time it is read.
async fn by_part(
    writing: &Arc<Writing>,
    parts: PartLayout,
    streams: Vec<SendableRecordBatchStream>,
) -> DataFusionResult<Vec<WrittenFile>> {
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
    let written = all_or_first_failure(&mut tasks).await;
    dealt?;
    let mut written: Vec<(Settled, Vec<WrittenFile>)> = written?;
    written.sort_unstable_by_key(|(settled, _)| *settled);
    Ok(written.into_iter().flat_map(|(_, files)| files).collect())
}

/// What all tasks come to. The others end with "cancelled", which says nothing; the first failure is the reason.
async fn all_or_first_failure<T: 'static>(tasks: &mut JoinSet<DataFusionResult<T>>) -> DataFusionResult<Vec<T>> {
    let mut outcome = Ok(Vec::new());
    while let Some(done) = tasks.join_next().await {
        let done = done.map_err(|error| DataFusionError::External(Box::new(error))).and_then(|done| done);
        match (done, &mut outcome) {
            (Ok(done), Ok(all)) => all.push(done),
            (Err(error), Ok(_)) => {
                outcome = Err(error);
                tasks.abort_all();
            }
            (_, Err(_)) => {}
        }
    }
    outcome
}

/// Removes files; one that is not there is fine.
pub(super) async fn remove(folder: &Location, files: impl Iterator<Item = Path>) -> object_store::Result<()> {
    let mut failure = Ok(());
    for file in files {
        match folder.store.delete(&file).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => failure = Err(error),
        }
    }
    failure
}

impl Writing {
    async fn partition(
        &self,
        partition: usize,
        mut rows: SendableRecordBatchStream,
    ) -> DataFusionResult<Vec<WrittenFile>> {
        let mut writer = FileWriter::new(self, partition, None);
        while let Some(batch) = rows.next().await {
            match batch {
                Ok(batch) if batch.num_rows() == 0 => {}
                Ok(batch) => writer.write(&batch).await?,
                Err(error) => {
                    writer.abort().await;
                    return Err(error);
                }
            }
        }
        writer.finish().await
    }

    /// The rows of one part, until there are no more.
    async fn part(
        &self,
        number: usize,
        settled: Settled,
        mut rows: mpsc::Receiver<RecordBatch>,
        complete: oneshot::Receiver<()>,
    ) -> DataFusionResult<(Settled, Vec<WrittenFile>)> {
        let mut writer = FileWriter::new(self, number, Some(settled));
        while let Some(batch) = rows.recv().await {
            writer.write(&batch).await?;
        }
        if complete.await.is_err() {
            writer.abort().await;
            return Ok((settled, Vec::new()));
        }
        Ok((settled, writer.finish().await?))
    }

    fn begin(&self, partition: usize, sequence: usize, settled: Option<Settled>) -> DataFusionResult<OpenFile> {
        let settled = settled.map(|settled| format!(".{}", settled.word())).unwrap_or_default();
        let name = format!("part-{partition:05}-{}-c{sequence:03}{settled}.zstd.parquet", self.id);
        let path = self.folder.prefix.clone().join(name.as_str());
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        let sink = BufWriter::new(Arc::clone(&self.folder.store), path.clone());
        let writer = AsyncArrowWriter::try_new(sink, Arc::clone(&self.stored), Some(self.properties.clone()))?;
        Ok(OpenFile { name, path, writer })
    }

    async fn end(&self, mut file: OpenFile) -> DataFusionResult<WrittenFile> {
        let metadata = file.writer.finish().await?;
        let object = ObjectMeta {
            location: file.path,
            last_modified: chrono::Utc::now(),
            size: file.writer.bytes_written() as u64,
            e_tag: None,
            version: None,
        };
        Ok(WrittenFile { name: file.name, object, metadata: Arc::new(metadata) })
    }
}

/// Batches that wait for the writer of their part: enough for it to go on with, few enough to be small.
const WAITING_BATCHES: usize = 2;

/// A writer for each part of which there are rows.
#[derive(Default)]
struct PartWriters(Mutex<Parts>);

#[derive(Default)]
struct Parts {
    open: BTreeMap<Settled, (mpsc::Sender<RecordBatch>, oneshot::Sender<()>)>,
    tasks: JoinSet<DataFusionResult<(Settled, Vec<WrittenFile>)>>,
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
        parts.tasks.spawn(async move { writing.part(number, settled, rows, is_complete).await });
        parts.open.insert(settled, (sender.clone(), complete));
        sender
    }

    /// The writers, told that there are no more rows: they finish their files when these are `complete`, else let go of
    /// them.
    fn finish(&self, complete: bool) -> JoinSet<DataFusionResult<(Settled, Vec<WrittenFile>)>> {
        let parts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (_, is_complete) in parts.open.into_values() {
            if complete {
                let _ = is_complete.send(());
            }
        }
        parts.tasks
    }
}

/// Files that follow each other, of a stream or of a part.
struct FileWriter<'a> {
    writing: &'a Writing,
    number: usize,
    settled: Option<Settled>,
    done: Vec<WrittenFile>,
    /// Files on their way to the disk: one waits for it no longer than all.
    flushed: JoinSet<std::io::Result<()>>,
    /// The file that rows are being added to.
    open: Option<OpenFile>,
}

impl<'a> FileWriter<'a> {
    fn new(writing: &'a Writing, number: usize, settled: Option<Settled>) -> Self {
        Self { writing, number, settled, done: Vec::new(), flushed: JoinSet::new(), open: None }
    }

    async fn write(&mut self, batch: &RecordBatch) -> DataFusionResult<()> {
        let rows = stored_batch(batch, &self.writing.stored)?;
        let mut file = match self.open.take() {
            Some(open) => open,
            None => self.writing.begin(self.number, self.done.len(), self.settled)?,
        };
        file.writer.write(&rows).await?;
        if self.settled.is_some() && file.writer.in_progress_size() >= PART_GROUP_BYTES {
            file.writer.flush().await?;
        }
        let may_split = match &self.writing.layout {
            Layout::AsTheyCome { order } => order.is_empty(),
            Layout::BySettlement(_) => true,
        };
        if may_split && file.bytes() >= FILE_BYTES {
            return self.end(file).await;
        }
        self.open = Some(file);
        Ok(())
    }

    async fn end(&mut self, file: OpenFile) -> DataFusionResult<()> {
        let written = self.writing.end(file).await?;
        if let Some(local) = self.writing.folder.local.as_ref().map(|folder| folder.join(&written.name)) {
            self.flushed.spawn_blocking(move || durable::sync_file(&local));
        }
        self.done.push(written);
        Ok(())
    }

    async fn finish(mut self) -> DataFusionResult<Vec<WrittenFile>> {
        if let Some(file) = self.open.take() {
            self.end(file).await?;
        }
        while let Some(flushed) = self.flushed.join_next().await {
            flushed.map_err(|error| DataFusionError::External(Box::new(error)))??;
        }
        Ok(self.done)
    }

    async fn abort(self) {
        if let Some(file) = self.open {
            file.abort().await;
        }
    }
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

struct OpenFile {
    name: String,
    path: Path,
    writer: AsyncArrowWriter<BufWriter>,
}

impl OpenFile {
    fn bytes(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    /// Lets go of an upload in parts, which the store would keep otherwise. Only for a writer that has not failed
    /// itself: one that is being shut down cannot be aborted.
    async fn abort(self) {
        let _ = self.writer.into_inner().abort().await;
    }
}

fn properties(stored: &SchemaRef, layout: &Layout) -> WriterProperties {
    let order: &[SortColumn] = match layout {
        Layout::AsTheyCome { order } => order,
        Layout::BySettlement(_) => &[],
    };
    // Column indices in a footer count leaves, so an order behind a nested column is not written there.
    let flat = stored.fields().iter().all(|field| !field.data_type().is_nested());
    let sorting: Option<Vec<SortingColumn>> = order
        .iter()
        .map(|by| {
            let index = stored.index_of(&by.name).ok().filter(|_| flat)?;
            let column_idx = index.try_into().ok()?;
            Some(SortingColumn { column_idx, descending: by.descending, nulls_first: by.nulls_first })
        })
        .collect();
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap_or_default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(sorting.filter(|columns| !columns.is_empty()))
        .set_created_by(concat!("throughline ", env!("CARGO_PKG_VERSION")).to_owned())
        .build()
}
