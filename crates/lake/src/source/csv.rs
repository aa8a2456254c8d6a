//! CSV with a header line.

use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use csv::{ByteRecord, ReaderBuilder};
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStoreExt};
use throughline_config::Source;

use super::error::SourceError;
use super::listing::{CONCURRENT_FILES, stamp};
use super::opened::OpenSource;
use super::rows::{RowSink, Stopped};
use super::text::{self, Chunks, LONGEST_RECORD, RowReader};
use crate::stores::Location;

/// A header line longer than this is no header.
const HEADER_BYTES: u64 = 256 * 1024;

const BYTE_ORDER_MARK: &str = "\u{feff}";

pub(super) async fn open(
    source: &Source,
    location: &Location,
    files: Vec<ObjectMeta>,
    delimiter: u8,
) -> Result<OpenSource, SourceError> {
    let headers: Vec<Header> = futures::stream::iter(files.clone())
        .map(|file| header(source, location, file, delimiter))
        .buffered(CONCURRENT_FILES)
        .try_collect()
        .await?;
    let stamps = files.iter().map(|file| stamp(file, location)).collect();
    let shown = files.iter().map(|file| (location.show(&file.location), file.size)).collect();
    let reader = Arc::new(CsvReader { delimiter, headers });
    let provider = text::table(source, location, files, reader);
    Ok(OpenSource { schema: provider.schema(), provider, files: shown, stamps, warnings: Vec::new() })
}

/// Where a file holds the declared columns.
#[derive(Debug)]
struct Header {
    /// Columns of the file.
    width: usize,
    /// For each declared column, its index in the file.
    indices: Vec<usize>,
}

async fn header(source: &Source, location: &Location, file: ObjectMeta, delimiter: u8) -> Result<Header, SourceError> {
    let shown = location.show(&file.location);
    let no_header = |reason: &str| SourceError::NoHeader { file: shown.clone(), reason: reason.into(), error: None };
    let unreadable = |reason: String, error| SourceError::NoHeader { file: shown.clone(), reason, error: Some(error) };
    if file.size == 0 {
        return Err(no_header("it is empty"));
    }
    let head: Bytes =
        location.store.get_range(&file.location, 0..file.size.min(HEADER_BYTES)).await.map_err(|error| {
            SourceError::Storage { source_name: source.name.value.clone(), path: shown.clone(), error }
        })?;
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(head.as_ref());
    let mut record = ByteRecord::new();
    if !reader.read_byte_record(&mut record).map_err(|error| unreadable(error.to_string(), error.into()))? {
        return Err(no_header("it holds no line"));
    }
    let whole_file = file.size <= HEADER_BYTES;
    if !whole_file && reader.position().byte() >= HEADER_BYTES {
        return Err(no_header("its first line does not end within 256 KB"));
    }
    let mut names = Vec::with_capacity(record.len());
    for (index, field) in record.iter().enumerate() {
        let name = std::str::from_utf8(field)
            .map_err(|error| unreadable("its first line is not UTF-8".to_owned(), error.into()))?;
        let name = if index == 0 { name.trim_start_matches(BYTE_ORDER_MARK) } else { name };
        names.push(name.trim().to_owned());
    }
    let mut indices = Vec::with_capacity(source.columns.len());
    for column in source.columns.keys() {
        let mut found = names.iter().enumerate().filter(|(_, name)| *name == column).map(|(index, _)| index);
        let Some(index) = found.next() else {
            let closest = throughline_config::closest(column, names.iter().map(String::as_str)).map(Into::into);
            return Err(SourceError::MissingColumn { file: shown, column: column.clone(), closest, present: names });
        };
        if found.next().is_some() {
            return Err(SourceError::DuplicateColumn { file: shown, column: column.clone() });
        }
        indices.push(index);
    }
    Ok(Header { width: names.len(), indices })
}

#[derive(Debug)]
struct CsvReader {
    delimiter: u8,
    /// By the file's place in the listing.
    headers: Vec<Header>,
}

impl RowReader for CsvReader {
    fn read(&self, file: usize, input: Chunks, sink: &mut RowSink) {
        let header = &self.headers[file];
        let since_record = Rc::new(Cell::new(0));
        let bounded = Bounded { input, since_record: Rc::clone(&since_record) };
        let mut reader = ReaderBuilder::new()
            .has_headers(true)
            .flexible(true)
            .delimiter(self.delimiter)
            .buffer_capacity(64 * 1024)
            .from_reader(bounded);
        let mut record = ByteRecord::new();
        loop {
            since_record.set(0);
            let begins = reader.position().line();
            match reader.read_byte_record(&mut record) {
                Ok(false) => return,
                Ok(true) => {
                    let line = record.position().map_or(begins, csv::Position::line);
                    if row(header, &record, line, sink).is_err() {
                        return;
                    }
                }
                Err(_) if since_record.get() > LONGEST_RECORD => {
                    sink.fail(&format!(
                        "the record that begins near line {begins} does not end within 16 MB; look for a quote that \
                         is never closed"
                    ));
                    return;
                }
                Err(error) => {
                    sink.fail(&error.to_string());
                    return;
                }
            }
        }
    }
}

fn row(header: &Header, record: &ByteRecord, line: u64, sink: &mut RowSink) -> Result<(), Stopped> {
    if record.len() != header.width {
        // Which value belongs to which column is unknown, so none is taken.
        let fields = if record.len() == 1 { "field" } else { "fields" };
        let problem = format!("{} {fields} where the header has {}", record.len(), header.width);
        return sink.unreadable_row(line, &problem);
    }
    for (column, index) in header.indices.iter().enumerate() {
        match record.get(*index) {
            None | Some([]) => sink.null(column),
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if text.trim().is_empty() && !sink.is_text(column) => sink.null(column),
                Ok(text) => sink.text(column, text),
                Err(_) => {
                    let text = super::value::shortened(&String::from_utf8_lossy(bytes));
                    sink.unread(column, &format!("'{text}' is not UTF-8"));
                }
            },
        }
    }
    sink.end_row(line)
}

/// Ends a record that never ends with an error, before it fills the memory.
struct Bounded {
    input: Chunks,
    since_record: Rc<Cell<u64>>,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.since_record.get() > LONGEST_RECORD {
            return Err(std::io::Error::other("a record is too long"));
        }
        let count = self.input.read(buffer)?;
        self.since_record.set(self.since_record.get() + count as u64);
        Ok(count)
    }
}
