//! Data files of a table: which rows go into which, and the writer of files that follow each other.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use parquet::arrow::AsyncArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{ParquetMetaData, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::data_file::DataFile;
use super::durable;
use super::old_part::OldPart;
use super::schema::stored_batch;
use super::settlement::{PartLayout, Settled};
use crate::row_hash::row_hashes;
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
    /// By the instant in the streams' last column; beside it the parts of the version that is replaced.
    BySettlement(PartLayout, BTreeMap<Settled, OldPart>),
}

/// A data file that was written.
#[derive(Debug, Clone)]
pub(super) struct WrittenFile {
    /// Its name inside the table's folder.
    pub(super) name: String,
    pub(super) object: ObjectMeta,
    pub(super) metadata: Arc<ParquetMetaData>,
    /// The sum of the hashes of its rows, where it is a file of a part.
    pub(super) row_sum: Option<u128>,
}

impl WrittenFile {
    pub(super) fn rows(&self) -> u64 {
        self.metadata.file_metadata().num_rows().try_into().unwrap_or(0)
    }
}

/// What came of writing.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) files: Vec<WrittenFile>,
    /// Files of the version that is replaced whose rows have not changed.
    pub(super) unchanged: Vec<DataFile>,
}

/// What every partition's writer shares.
pub(super) struct Writing {
    folder: Location,
    stored: SchemaRef,
    properties: WriterProperties,
    id: Uuid,
    pub(super) layout: Layout,
    /// Files begun, for removing them after a failure.
    begun: Mutex<Vec<Path>>,
    /// Bytes of rows that writers of parts hold back.
    pub(super) held_back: AtomicUsize,
}

/// Rows as they are stored.
pub(super) struct StoredRows {
    pub(super) batch: RecordBatch,
    /// The sum of their hashes; `None` for rows of no part, and for types without a hash.
    pub(super) sum: Option<u128>,
}

/// What all tasks come to. The others end with "cancelled", which says nothing; the first failure is the reason.
pub(super) async fn all_or_first_failure<T: 'static>(
    tasks: &mut JoinSet<DataFusionResult<T>>,
) -> DataFusionResult<Vec<T>> {
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
    pub(super) fn new(folder: &Location, stored: &SchemaRef, layout: &Layout, id: Uuid) -> Self {
        Self {
            folder: folder.clone(),
            stored: Arc::clone(stored),
            properties: properties(stored, layout),
            id,
            layout: layout.clone(),
            begun: Mutex::default(),
            held_back: AtomicUsize::new(0),
        }
    }

    /// After a failure: removes every file that was begun.
    pub(super) async fn remove_begun(&self) -> object_store::Result<()> {
        let begun = std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
        remove(&self.folder, begun.into_iter()).await
    }

    /// Rows in the types in which they are stored.
    pub(super) fn stored(&self, batch: &RecordBatch) -> DataFusionResult<StoredRows> {
        let batch = stored_batch(batch, &self.stored)?;
        let sum = match self.layout {
            Layout::AsTheyCome { .. } => None,
            Layout::BySettlement(..) => {
                row_hashes(&batch).ok().map(|hashes| hashes.into_iter().fold(0, u128::wrapping_add))
            }
        };
        Ok(StoredRows { batch, sum })
    }

    /// What lies in a part of the version that is replaced.
    pub(super) fn old_part(&self, settled: Settled) -> Option<&OldPart> {
        match &self.layout {
            Layout::AsTheyCome { .. } => None,
            Layout::BySettlement(_, old) => old.get(&settled),
        }
    }

    fn begin(&self, partition: usize, sequence: usize, settled: Option<Settled>) -> DataFusionResult<OpenFile> {
        let settled_sum = settled.map(|_| 0);
        let settled = settled.map(|settled| format!(".{}", settled.word())).unwrap_or_default();
        let name = format!("part-{partition:05}-{}-c{sequence:03}{settled}.zstd.parquet", self.id);
        let path = self.folder.prefix.clone().join(name.as_str());
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        let sink = BufWriter::new(Arc::clone(&self.folder.store), path.clone());
        let writer = AsyncArrowWriter::try_new(sink, Arc::clone(&self.stored), Some(self.properties.clone()))?;
        Ok(OpenFile { name, path, writer, row_sum: settled_sum })
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
        Ok(WrittenFile { name: file.name, object, metadata: Arc::new(metadata), row_sum: file.row_sum })
    }
}

/// Files that follow each other, of a stream or of a part.
pub(super) struct FileWriter<'a> {
    writing: &'a Writing,
    number: usize,
    settled: Option<Settled>,
    done: Vec<WrittenFile>,
    /// Files being flushed to the disk, all at once: waiting for all takes hardly longer than waiting for one.
    flushed: JoinSet<std::io::Result<()>>,
    /// The file that rows are being added to.
    open: Option<OpenFile>,
}

impl<'a> FileWriter<'a> {
    pub(super) fn new(writing: &'a Writing, number: usize, settled: Option<Settled>) -> Self {
        Self { writing, number, settled, done: Vec::new(), flushed: JoinSet::new(), open: None }
    }

    pub(super) async fn write(&mut self, rows: &StoredRows) -> DataFusionResult<()> {
        let mut file = match self.open.take() {
            Some(open) => open,
            None => self.writing.begin(self.number, self.done.len(), self.settled)?,
        };
        file.writer.write(&rows.batch).await?;
        file.row_sum = file.row_sum.zip(rows.sum).map(|(sum, of_rows)| sum.wrapping_add(of_rows));
        if self.settled.is_some() && file.writer.in_progress_size() >= PART_GROUP_BYTES {
            file.writer.flush().await?;
        }
        let may_split = match &self.writing.layout {
            Layout::AsTheyCome { order } => order.is_empty(),
            Layout::BySettlement(..) => true,
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

    pub(super) async fn finish(mut self) -> DataFusionResult<Vec<WrittenFile>> {
        if let Some(file) = self.open.take() {
            self.end(file).await?;
        }
        while let Some(flushed) = self.flushed.join_next().await {
            flushed.map_err(|error| DataFusionError::External(Box::new(error)))??;
        }
        Ok(self.done)
    }

    pub(super) async fn abort(self) {
        if let Some(file) = self.open {
            file.abort().await;
        }
    }

    /// Removes what was written.
    pub(super) async fn discard(mut self) -> DataFusionResult<()> {
        while self.flushed.join_next().await.is_some() {}
        let done = std::mem::take(&mut self.done).into_iter().map(|file| file.object.location);
        remove(&self.writing.folder, done).await?;
        self.abort().await;
        Ok(())
    }
}

struct OpenFile {
    name: String,
    path: Path,
    writer: AsyncArrowWriter<BufWriter>,
    row_sum: Option<u128>,
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
        Layout::BySettlement(..) => &[],
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
