//! What lies at a location: tables, by the names and the columns of their files, and files that are no table.
//!
//! Read are a listing, Parquet footers and the first 256 KB of a text file. Files make one table when they lie in one
//! folder, or in folders of its parts (`year=2026`, `2026-11`), with no other data in it, and have the same columns.
//! Each other file is a table of its own.

mod grouping;
mod head;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::DataType;
use futures::StreamExt;
use object_store::{ObjectMeta, ObjectStoreExt};
use throughline_config::{
    Column, ColumnType, Format, Located, Place, RejectedLimits, RowLimits, Source, SourceFile, SourceKind,
};

use super::error::SourceError;
use super::formats::{extensions, format_name};
use super::listing::{CONCURRENT_FILES, Listing, everything};
use super::text::{ORIGIN_COLUMN, PROBLEM_COLUMN};
use super::{delta, parquet};
use crate::stores::{Location, Stores};
use grouping::{Group, groups};

/// More files than these below one location are not looked through.
const MOST_FILES: usize = 100_000;

/// Of the files of one group, so many are opened to see whether their columns are the same.
const OPENED_FILES: usize = 50;

/// Bytes of a text file's beginning that are looked at.
const HEAD_BYTES: u64 = 256 * 1024;

/// The folder of a Delta table's log.
const DELTA_LOG: &str = "_delta_log";

/// What lies at a location.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The tables, by their paths.
    pub tables: Vec<FoundTable>,
    /// Files that are no table that a source could read.
    pub passed_over: Vec<PassedOver>,
}

/// A file or a folder that a source could read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTable {
    /// Its location, beginning as the location that was looked at; a folder's ends with a slash.
    pub path: String,
    /// How its bytes are read.
    pub format: Format,
    /// The columns that all its files have, in the order of the first.
    pub columns: Vec<FoundColumn>,
    /// How many files it has; 0 for a Delta table.
    pub files: usize,
    /// Bytes of all its files; 0 for a Delta table.
    pub bytes: u64,
}

impl FoundTable {
    /// A source that reads the table as it lies: of text files each column as text, of others all columns with the
    /// types they have. Of columns that are called alike it reads none, nor one without a name.
    pub fn source(&self) -> Source {
        let nowhere = Place { file: Arc::new(SourceFile { path: PathBuf::new(), text: String::new() }), span: 0..0 };
        let located = |value: &str| Located { value: value.to_owned(), place: nowhere.clone() };
        let text = |column: &FoundColumn| {
            let data_type = Located { value: ColumnType::String, place: nowhere.clone() };
            (column.name.clone(), Column { data_type, format: None })
        };
        let readable = self.columns.iter().filter(|column| column.data_type.is_none() && self.has_one(&column.name));
        Source {
            name: located(&self.path),
            kind: SourceKind::Source,
            path: located(&self.path),
            format: self.format,
            columns: readable.map(text).collect(),
            time_column: None,
            key: Vec::new(),
            sorted_by: Vec::new(),
            active_at: Vec::new(),
            contract: Vec::new(),
            freshness: None,
            rejected: RejectedLimits::default(),
            rows: RowLimits::default(),
            description: None,
            owner: None,
        }
    }

    /// Whether just one column has the name, and it is one.
    pub fn has_one(&self, name: &str) -> bool {
        let own = [PROBLEM_COLUMN, ORIGIN_COLUMN].contains(&name);
        !name.is_empty() && !own && self.columns.iter().filter(|column| column.name == name).count() == 1
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundColumn {
    /// Its name in the files.
    pub name: String,
    /// Its type in the files; `None` in CSV and JSON files, which have none.
    pub data_type: Option<DataType>,
}

/// A file that no source can read as it is, and what could be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// The file or folder, as shown to people.
    pub file: String,
    /// Why it is passed over.
    pub reason: String,
}

/// Finds the tables at `path`: a file, a folder, a Delta table or an address such as `s3://bucket/prefix`.
///
/// # Errors
/// The location is none, does not exist, cannot be read or holds too many files. What is wrong with single files is
/// no error; they are passed over with the reason.
pub async fn inventory(path: &str, stores: &Stores) -> Result<Inventory, SourceError> {
    let failed = |error| SourceError::Location { source_name: path.into(), error };
    let location = stores.locate(path).map_err(failed)?;
    let mut found = Inventory::default();
    match everything(path, &location).await? {
        Listing::File(file) => match look_at_file(&location, stores, file.clone()).await {
            Ok((format, columns)) => {
                let path = path.to_owned();
                found.tables.push(FoundTable { path, format, columns, files: 1, bytes: file.size });
            }
            Err(reason) => found.passed_over.push(PassedOver { file: location.to_string(), reason }),
        },
        Listing::Folder(all) if all.len() > MOST_FILES => {
            return Err(SourceError::TooManyFiles { path: location.to_string(), files: all.len() });
        }
        Listing::Folder(mut all) => {
            all.sort_unstable_by(|a, b| a.location.cmp(&b.location));
            look_into_folder(path.trim_end_matches('/'), &location, stores, all, &mut found).await;
        }
    }
    found.tables.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

async fn look_into_folder(
    path: &str,
    location: &Location,
    stores: &Stores,
    all: Vec<ObjectMeta>,
    found: &mut Inventory,
) {
    let segments = |file: &ObjectMeta| -> Vec<String> {
        let parts = file.location.prefix_match(&location.prefix);
        parts.into_iter().flatten().map(|part| part.as_ref().to_owned()).collect()
    };
    let files: Vec<(Vec<String>, ObjectMeta)> = all.into_iter().map(|file| (segments(&file), file)).collect();
    let deltas: BTreeSet<Vec<String>> = files
        .iter()
        .filter_map(|(parts, _)| Some(parts[..parts.iter().position(|part| part == DELTA_LOG)?].to_vec()))
        .collect();
    for folder in &deltas {
        let path = joined(path, folder, true);
        match delta_columns(&path, stores).await {
            Ok(columns) => {
                found.tables.push(FoundTable { path, format: Format::Delta, columns, files: 0, bytes: 0 });
            }
            Err(error) => found.passed_over.push(PassedOver { file: path, reason: error.to_string() }),
        }
    }
    let in_delta = |parts: &[String]| deltas.iter().any(|folder| parts.starts_with(folder));
    let hidden = |parts: &[String]| parts.iter().any(|part| part.starts_with(['_', '.']));
    let plain: Vec<_> = files.into_iter().filter(|(parts, _)| !in_delta(parts) && !hidden(parts)).collect();
    let mut data = Vec::new();
    for (parts, file) in plain {
        match format_by_name(&parts) {
            Some(format) => data.push((parts, file, format)),
            None => found.passed_over.push(PassedOver {
                file: location.show(&file.location),
                reason: no_format(parts.last().map_or("", String::as_str)),
            }),
        }
    }
    for group in groups(&data) {
        look_at_group(path, location, stores, group, found).await;
    }
}

/// One table if all its files have the same columns, otherwise a table for each file.
async fn look_at_group(path: &str, location: &Location, stores: &Stores, group: Group<'_>, found: &mut Inventory) {
    let step = group.files.len().div_ceil(OPENED_FILES).max(1);
    // A folder of many files is opened here and there; where its files differ, all of them are.
    let sampled: Vec<_> = group.files.iter().step_by(step).collect();
    let looked = look_at_files(location, stores, &sampled).await;
    let columns: Vec<_> = looked.iter().filter_map(|(_, outcome)| outcome.as_ref().ok()).collect();
    let alike = columns.len() == looked.len() && columns.windows(2).all(|pair| same_columns(pair[0], pair[1]));
    if let (true, Some(folder), Some((format, columns))) = (alike, &group.folder, columns.first()) {
        found.tables.push(FoundTable {
            path: joined(path, folder, true),
            format: *format,
            columns: columns.clone(),
            files: group.files.len(),
            bytes: group.files.iter().map(|(_, file)| file.size).sum(),
        });
        return;
    }
    let looked = match step {
        1 => looked,
        _ => look_at_files(location, stores, &group.files.iter().collect::<Vec<_>>()).await,
    };
    for ((parts, file), outcome) in looked {
        match outcome {
            Ok((format, columns)) => {
                let path = joined(path, parts, false);
                found.tables.push(FoundTable { path, format, columns, files: 1, bytes: file.size });
            }
            Err(reason) => found.passed_over.push(PassedOver { file: location.show(&file.location), reason }),
        }
    }
}

type Looked = Result<(Format, Vec<FoundColumn>), String>;

async fn look_at_files<'a>(
    location: &Location,
    stores: &Stores,
    files: &[&'a (&'a [String], &'a ObjectMeta)],
) -> Vec<(&'a (&'a [String], &'a ObjectMeta), Looked)> {
    futures::stream::iter(files.iter().copied())
        .map(|entry| async move { (entry, look_at_file(location, stores, entry.1.clone()).await) })
        .buffered(CONCURRENT_FILES)
        .collect()
        .await
}

fn same_columns(one: &(Format, Vec<FoundColumn>), other: &(Format, Vec<FoundColumn>)) -> bool {
    let names = |columns: &[FoundColumn]| columns.iter().map(|column| column.name.clone()).collect::<BTreeSet<_>>();
    one.0 == other.0 && names(&one.1) == names(&other.1)
}

/// The format and columns of a file, or why it cannot be read.
async fn look_at_file(location: &Location, stores: &Stores, file: ObjectMeta) -> Looked {
    if file.size == 0 {
        return Err("it is empty".to_owned());
    }
    let bytes = location.store.get_range(&file.location, 0..file.size.min(HEAD_BYTES)).await;
    let head = bytes.map_err(|error| format!("it cannot be read: {}", crate::stores::storage_words(&error)))?;
    let whole = file.size <= HEAD_BYTES;
    let named = file.location.filename().and_then(|name| format_by_name(&[name.to_owned()]));
    let format = named.unwrap_or_else(|| head::format_by_content(&head));
    let texts = |names: Vec<String>| names.into_iter().map(|name| FoundColumn { name, data_type: None }).collect();
    match format {
        Format::Csv { .. } => {
            let (delimiter, names) = head::csv(&head, whole)?;
            Ok((Format::Csv { delimiter }, texts(names)))
        }
        Format::Json => head::json(&head, whole).map(|names| (Format::Json, texts(names))),
        Format::Parquet | Format::Delta => {
            let schema = parquet::file_schema(stores, location, file).await.map_err(|error| error.to_string())?;
            let column = |field: &Arc<arrow::datatypes::Field>| FoundColumn {
                name: field.name().clone(),
                data_type: Some(field.data_type().clone()),
            };
            Ok((Format::Parquet, schema.fields().iter().map(column).collect()))
        }
    }
}

async fn delta_columns(path: &str, stores: &Stores) -> Result<Vec<FoundColumn>, SourceError> {
    let table = FoundTable { path: path.into(), format: Format::Delta, columns: Vec::new(), files: 0, bytes: 0 };
    let source = table.source();
    let failed = |error| SourceError::Location { source_name: path.into(), error };
    let open = delta::open(&source, &stores.locate(path).map_err(failed)?).await?;
    let column = |field: &Arc<arrow::datatypes::Field>| FoundColumn {
        name: field.name().clone(),
        data_type: Some(field.data_type().clone()),
    };
    Ok(open.schema.fields().iter().map(column).collect())
}

fn joined(path: &str, parts: &[String], folder: bool) -> String {
    let mut text = path.to_owned();
    for part in parts {
        if !text.is_empty() && !text.ends_with('/') {
            text.push('/');
        }
        text.push_str(part);
    }
    if folder && !text.ends_with('/') {
        text.push('/');
    }
    text
}

/// The format that a file's name says; the delimiter is not known yet.
fn format_by_name(parts: &[String]) -> Option<Format> {
    let (_, ending) = parts.last()?.rsplit_once('.')?;
    let ending = ending.to_ascii_lowercase();
    let formats = [Format::Parquet, Format::Csv { delimiter: b',' }, Format::Json];
    formats.into_iter().find(|format| extensions(format_name(*format)).contains(&ending.as_str()))
}

fn no_format(name: &str) -> String {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "gz" | "zst" | "bz2" | "xz" | "zip" | "7z" | "tar" => {
            "it is packed; sources are read as they lie, so unpack it first".to_owned()
        }
        "xlsx" | "xls" | "ods" => "it is a workbook; save its sheets as CSV".to_owned(),
        "xes" | "xml" => "XML is not read; export the log as CSV".to_owned(),
        _ => "its name does not say that it is Parquet, CSV or JSON lines".to_owned(),
    }
}
