//! CSV and JSON sources as DataFusion tables: rows stream from the object store in bounded memory, and a bad row is
//! marked, never fatal.

use std::fmt;
use std::io::Read;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::{Buf, Bytes};
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::Count;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::StreamExt;
use indexmap::IndexMap;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore};
use throughline_config::{Column, Source};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::declared::declared_fields;
use super::error::SourceError;
use super::formats::format_name;
use super::rows::RowSink;
use super::text_scan::{CountedPartition, TextTable};
use super::value;
use crate::stores::Location;

/// What is wrong with the row; null when nothing is.
pub const PROBLEM_COLUMN: &str = "__problem";

/// Where the row stands: `file:line`.
pub const ORIGIN_COLUMN: &str = "__origin";

/// A record longer than this is a quote that was never closed, not data.
pub(super) const LONGEST_RECORD: u64 = 16 * 1024 * 1024;

/// What is said of a file that is another one than when the source was opened.
const REPLACED: &str = "it was replaced or rewritten while the run was reading its sources; run again";

/// Files of one source read side by side.
const PARTITIONS: usize = 4;

/// The declared columns, then problem and origin.
pub(super) fn schema(source: &Source) -> SchemaRef {
    let mut fields = declared_fields(source);
    fields.push(Field::new(PROBLEM_COLUMN, DataType::Utf8, true));
    fields.push(Field::new(ORIGIN_COLUMN, DataType::Utf8, true));
    Arc::new(Schema::new(fields))
}

/// Text carries no types: columns are declared, with names of their own and patterns that chrono understands.
pub(super) fn check_declarations(source: &Source) -> Result<(), SourceError> {
    if source.columns.is_empty() {
        let format = format_name(source.format);
        return Err(SourceError::Undeclared { source_name: source.name.value.clone(), format });
    }
    for (name, column) in &source.columns {
        if name == PROBLEM_COLUMN || name == ORIGIN_COLUMN {
            return Err(SourceError::ReservedColumn { source_name: source.name.value.clone(), column: name.clone() });
        }
        if let Some(pattern) = column.format.as_ref().filter(|pattern| !value::is_pattern(pattern)) {
            return Err(SourceError::Pattern { column: name.clone(), pattern: pattern.value.clone() });
        }
    }
    Ok(())
}

/// Turns the bytes of one file into rows.
pub(super) trait RowReader: fmt::Debug + Send + Sync {
    /// Reads to the end, to the first error of the store, or until the sink stops. Runs on a thread that may block.
    fn read(&self, file: usize, input: Chunks, sink: &mut RowSink);
}

/// A table over text files, several read side by side.
pub(super) fn table(
    source: &Source,
    location: &Location,
    files: Vec<ObjectMeta>,
    reader: Arc<dyn RowReader>,
) -> Arc<dyn TableProvider> {
    let schema = schema(source);
    let columns = Arc::new(source.columns.clone());
    let mut parts: Vec<Vec<TextFile>> = (0..files.len().clamp(1, PARTITIONS)).map(|_| Vec::new()).collect();
    let count = parts.len();
    for (index, seen) in files.into_iter().enumerate() {
        let shown = location.show(&seen.location);
        parts[index % count].push(TextFile { index, shown, seen, is_local: location.local.is_some() });
    }
    let partitions = parts
        .into_iter()
        .map(|files| {
            Arc::new(TextPartition {
                schema: Arc::clone(&schema),
                columns: Arc::clone(&columns),
                store: Arc::clone(&location.store),
                files,
                reader: Arc::clone(&reader),
                bytes: Count::new(),
            }) as Arc<dyn CountedPartition>
        })
        .collect();
    Arc::new(TextTable { schema, partitions })
}

/// A file as it was when the source was opened: whoever reads it reads those bytes.
#[derive(Debug, Clone)]
struct TextFile {
    index: usize,
    shown: String,
    seen: ObjectMeta,
    is_local: bool,
}

impl TextFile {
    /// Whether the file as it is `now` begins with the bytes that were seen.
    ///
    /// On a local disk logs are appended to while they are read. A file's mark (ETag) begins there with its number,
    /// which another file under the same name does not have. An object of a store is replaced as a whole or not at all.
    fn begins_as_seen(&self, now: &ObjectMeta) -> bool {
        let mark = |meta: &ObjectMeta| meta.e_tag.as_deref().map(|mark| mark.trim_matches('"').to_owned());
        let (before, after) = (mark(&self.seen), mark(now));
        if !self.is_local {
            // Lists and single answers of a store do not both carry a mark everywhere.
            return now.size == self.seen.size && (before.is_none() || after.is_none() || before == after);
        }
        let number = |mark: Option<String>| mark.and_then(|mark| mark.split('-').next().map(str::to_owned));
        let is_untouched = now.size == self.seen.size && now.last_modified == self.seen.last_modified;
        number(before) == number(after) && (is_untouched || now.size > self.seen.size)
    }
}

#[derive(Debug, Clone)]
struct TextPartition {
    schema: SchemaRef,
    columns: Arc<IndexMap<String, Column>>,
    store: Arc<dyn ObjectStore>,
    files: Vec<TextFile>,
    reader: Arc<dyn RowReader>,
    bytes: Count,
}

impl CountedPartition for TextPartition {
    fn counting(&self, bytes: Count) -> Arc<dyn PartitionStream> {
        Arc::new(Self { bytes, ..self.clone() })
    }
}

impl PartitionStream for TextPartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut stream = RecordBatchReceiverStream::builder(Arc::clone(&self.schema), 2);
        let batches = stream.tx();
        let (store, files, reader) = (Arc::clone(&self.store), self.files.clone(), Arc::clone(&self.reader));
        let (schema, columns) = (Arc::clone(&self.schema), Arc::clone(&self.columns));
        let bytes = self.bytes.clone();
        stream.spawn(async move {
            let mut sink = RowSink::new(schema, columns.iter(), batches);
            for file in files {
                let (chunks, input) = channel(4);
                let reader = Arc::clone(&reader);
                let (index, shown) = (file.index, file.shown.clone());
                let parsing = tokio::task::spawn_blocking(move || {
                    sink.begin_file(&shown);
                    reader.read(index, Chunks::new(input), &mut sink);
                    sink
                });
                fetch(&store, &file, chunks, &bytes).await;
                sink = parsing.await.map_err(|error| DataFusionError::External(Box::new(error)))?;
            }
            tokio::task::spawn_blocking(move || drop(sink.send()))
                .await
                .map_err(|error| DataFusionError::External(Box::new(error)))
        });
        stream.build()
    }
}

/// Sends a file's bytes, or the store's error, to the reader; ends early when the reader does.
///
/// A run reads a source more than once, and all readings have to see the same rows. So only the bytes are read that
/// were there when the source was opened, and a file that was replaced since is an error.
async fn fetch(store: &Arc<dyn ObjectStore>, file: &TextFile, chunks: Sender<std::io::Result<Bytes>>, count: &Count) {
    if file.seen.size == 0 {
        return;
    }
    let range = Some(GetRange::Bounded(0..file.seen.size));
    let mut bytes = match store.get_opts(&file.seen.location, GetOptions { range, ..GetOptions::default() }).await {
        Ok(found) if file.begins_as_seen(&found.meta) => found.into_stream(),
        Ok(_) => {
            let _ = chunks.send(Err(std::io::Error::other(REPLACED))).await;
            return;
        }
        Err(error) => {
            let _ = chunks.send(Err(std::io::Error::other(error))).await;
            return;
        }
    };
    while let Some(chunk) = bytes.next().await {
        if let Ok(chunk) = &chunk {
            count.add(chunk.len());
        }
        if chunks.send(chunk.map_err(std::io::Error::other)).await.is_err() {
            return;
        }
    }
}

/// A file's bytes as they arrive, read by a thread that may block.
pub(super) struct Chunks {
    input: Receiver<std::io::Result<Bytes>>,
    current: Bytes,
}

impl Chunks {
    fn new(input: Receiver<std::io::Result<Bytes>>) -> Self {
        Self { input, current: Bytes::new() }
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.current.is_empty() {
            match self.input.blocking_recv() {
                Some(chunk) => self.current = chunk?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
