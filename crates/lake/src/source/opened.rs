//! A source that was opened.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;

/// A source ready to be read.
#[derive(Debug)]
pub struct OpenSource {
    /// The columns: declared ones where `columns:` is given, else the union of the files' columns, each nullable.
    /// CSV and JSON sources end with two hidden columns, [`PROBLEM_COLUMN`](super::PROBLEM_COLUMN) and
    /// [`ORIGIN_COLUMN`](super::ORIGIN_COLUMN).
    pub schema: SchemaRef,
    /// The rows.
    pub provider: Arc<dyn TableProvider>,
    /// Each file, as shown to people, with its size in bytes; empty for an empty source.
    pub files: Vec<(String, u64)>,
    /// For each of the files a number that changes when the file does.
    pub stamps: Vec<u64>,
    /// What is odd but can be lived with, e.g. a folder without files.
    pub warnings: Vec<String>,
}
