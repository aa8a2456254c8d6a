//! One JSON object a line.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use object_store::ObjectMeta;
use serde_json::{Map, Value};
use throughline_config::Source;

use super::error::SourceError;
use super::listing::stamp;
use super::opened::OpenSource;
use super::rows::{RowSink, Stopped};
use super::text::{self, Chunks, LONGEST_RECORD, RowReader};
use crate::stores::Location;

pub(super) fn open(source: &Source, location: &Location, files: Vec<ObjectMeta>) -> Result<OpenSource, SourceError> {
    let stamps = files.iter().map(|file| stamp(file, location)).collect();
    let shown = files.iter().map(|file| (location.show(&file.location), file.size)).collect();
    let reader = Arc::new(JsonReader { columns: source.columns.keys().cloned().collect() });
    let provider = text::table(source, location, files, reader);
    Ok(OpenSource { schema: provider.schema(), provider, files: shown, stamps, warnings: Vec::new() })
}

#[derive(Debug)]
struct JsonReader {
    columns: Vec<String>,
}

impl RowReader for JsonReader {
    fn read(&self, _file: usize, input: Chunks, sink: &mut RowSink) {
        let mut input = BufReader::with_capacity(64 * 1024, input);
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            match input.by_ref().take(LONGEST_RECORD).read_until(b'\n', &mut bytes) {
                Ok(0) => return,
                Ok(_) if bytes.len() as u64 >= LONGEST_RECORD => {
                    sink.fail(&format!("line {line} is longer than 16 MB; write one object a line"));
                    return;
                }
                Ok(_) => {}
                Err(error) => {
                    sink.fail(&error.to_string());
                    return;
                }
            }
            let text = bytes.trim_ascii();
            let text = if line == 1 { text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text) } else { text };
            if !text.is_empty() && self.row(text, line, sink).is_err() {
                return;
            }
        }
    }
}

impl JsonReader {
    fn row(&self, text: &[u8], line: u64, sink: &mut RowSink) -> Result<(), Stopped> {
        if std::str::from_utf8(text).is_err() {
            return sink.unreadable_row(line, "not UTF-8");
        }
        let object: Map<String, Value> = match serde_json::from_slice(text) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return sink.unreadable_row(line, "not a JSON object"),
            // serde_json counts lines within the one line it was given.
            Err(error) => {
                let problem = error.to_string();
                let problem = problem.split(" at line ").next().unwrap_or_default();
                return sink
                    .unreadable_row(line, &format!("not valid JSON: {problem}, at character {}", error.column()));
            }
        };
        for (column, name) in self.columns.iter().enumerate() {
            match object.get(name) {
                None | Some(Value::Null) => sink.null(column),
                Some(Value::String(text)) if text.trim().is_empty() && !sink.is_text(column) => sink.null(column),
                Some(Value::String(text)) => sink.text(column, text),
                Some(nested) => sink.text(column, &nested.to_string()),
            }
        }
        sink.end_row(line)
    }
}
