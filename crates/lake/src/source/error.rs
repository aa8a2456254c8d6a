//! What can be wrong with a source, and the way out of each.

use deltalake::DeltaTableError;

use super::formats::endings;
use crate::stores::{StoreError, storage_help, storage_words};

/// A source cannot be read. The message names the file and what is wrong; [`SourceError::help`] says the way out.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The location itself is wrong.
    #[error("source `{source_name}`: {error}")]
    Location {
        /// The source.
        source_name: String,
        /// What is wrong.
        #[source]
        error: StoreError,
    },
    /// Nothing lies at the path.
    #[error("source `{source_name}`: `{path}` does not exist")]
    Missing {
        /// The source.
        source_name: String,
        /// The path as shown to people.
        path: String,
    },
    /// The source declares no columns, and its files are not to be opened.
    #[error("source `{source_name}` declares no `columns:`, so only its files have them, and they are not opened")]
    OnlyFilesKnow {
        /// The source.
        source_name: String,
    },
    /// The folder holds no file of the format, and without declared columns an empty table has no shape.
    #[error("source `{source_name}`: `{path}` holds no {format} file")]
    Empty {
        /// The source.
        source_name: String,
        /// The folder.
        path: String,
        /// The format's name.
        format: &'static str,
    },
    /// The object store refused or failed.
    #[error("source `{source_name}`: `{path}` cannot be read: {}", storage_words(error))]
    Storage {
        /// The source.
        source_name: String,
        /// The file or folder.
        path: String,
        /// What the store says.
        #[source]
        error: object_store::Error,
    },
    /// More files than anyone means by one location.
    #[error("`{path}` holds {files} files, too many to look through")]
    TooManyFiles {
        /// The folder.
        path: String,
        /// How many files lie below it.
        files: usize,
    },
    /// A Parquet file that ends before its footer.
    #[error("`{file}` is cut short: {bytes} bytes without a readable Parquet footer ({reason})")]
    CutShort {
        /// The file.
        file: String,
        /// Its size.
        bytes: u64,
        /// What the Parquet reader says.
        reason: String,
    },
    /// Not a Parquet file.
    #[error("`{file}` is not a Parquet file ({reason})")]
    NotParquet {
        /// The file.
        file: String,
        /// What the Parquet reader says.
        reason: String,
    },
    /// One column, two types, in two files of a source.
    #[error("column `{column}` is {first_type} in `{first_file}` but {second_type} in `{second_file}`")]
    MixedTypes {
        /// The column.
        column: String,
        /// A file that has it.
        first_file: String,
        /// Its type there.
        first_type: String,
        /// Another file.
        second_file: String,
        /// Its type there.
        second_type: String,
    },
    /// A column's type does not become the declared one without loss.
    #[error("column `{column}` of `{file}` is {found}, which does not become the declared {declared} without loss")]
    ColumnType {
        /// The column.
        column: String,
        /// The file, or the Delta table.
        file: String,
        /// The type found.
        found: String,
        /// The type declared.
        declared: &'static str,
    },
    /// A declared column that no file has.
    #[error("`{file}` has no column `{column}`")]
    MissingColumn {
        /// The file or folder.
        file: String,
        /// The declared column.
        column: String,
        /// The name that comes closest.
        closest: Option<String>,
        /// The columns there are.
        present: Vec<String>,
    },
    /// A column occurs twice.
    #[error("`{file}` has two columns named `{column}`")]
    DuplicateColumn {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// A CSV file without a header line.
    #[error("`{file}` has no header line: {reason}")]
    NoHeader {
        /// The file.
        file: String,
        /// What is there instead.
        reason: String,
        /// What the reader says, where it was asked.
        #[source]
        error: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// CSV and JSON carry no types.
    #[error("source `{source_name}` is {format}, which carries no types, and declares no columns")]
    Undeclared {
        /// The source.
        source_name: String,
        /// The format's name.
        format: &'static str,
    },
    /// A declared column has a name this program uses itself.
    #[error("source `{source_name}` has a column `{column}`, a name kept for this program's own use")]
    ReservedColumn {
        /// The source.
        source_name: String,
        /// The column.
        column: String,
    },
    /// A `format:` that is no strftime pattern.
    #[error("column `{column}`: `{pattern}` is not a strftime pattern")]
    Pattern {
        /// The column.
        column: String,
        /// The pattern.
        pattern: String,
    },
    /// No Delta table lies at the path.
    #[error("source `{source_name}`: `{path}` is not a Delta table: it has no `_delta_log`")]
    NotDelta {
        /// The source.
        source_name: String,
        /// The folder.
        path: String,
    },
    /// The Delta table's log cannot be read.
    #[error("source `{source_name}`: the Delta table `{path}` cannot be read: {error}")]
    Delta {
        /// The source.
        source_name: String,
        /// The folder.
        path: String,
        /// What the reader says.
        #[source]
        error: Box<DeltaTableError>,
    },
    /// DataFusion cannot plan the scan.
    #[error("source `{source_name}`: `{path}` cannot be planned: {error}")]
    Plan {
        /// The source.
        source_name: String,
        /// The folder.
        path: String,
        /// What DataFusion says.
        #[source]
        error: Box<datafusion::error::DataFusionError>,
    },
}

impl SourceError {
    /// A stable kebab-case word for the kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Location { .. } => "bad-location",
            Self::Missing { .. } => "missing-source",
            Self::Empty { .. } => "empty-source",
            Self::Storage { .. } => "storage",
            Self::TooManyFiles { .. } => "too-many-files",
            Self::CutShort { .. } => "cut-short-file",
            Self::NotParquet { .. } => "not-parquet",
            Self::MixedTypes { .. } => "mixed-types",
            Self::ColumnType { .. } => "column-type",
            Self::MissingColumn { .. } => "missing-column",
            Self::DuplicateColumn { .. } => "duplicate-column",
            Self::NoHeader { .. } => "no-header",
            Self::Undeclared { .. } | Self::OnlyFilesKnow { .. } => "undeclared-columns",
            Self::ReservedColumn { .. } => "reserved-column",
            Self::Pattern { .. } => "bad-pattern",
            Self::NotDelta { .. } => "not-delta",
            Self::Delta { .. } => "delta",
            Self::Plan { .. } => "plan",
        }
    }

    /// The way out.
    pub fn help(&self) -> String {
        match self {
            Self::Location { error, .. } => error.help(),
            Self::Missing { .. } => {
                "correct `path:`; a relative path starts at the workspace, the folder that holds `pipelines/`".into()
            }
            Self::Empty { format, .. } => format!(
                "correct `path:` or `format:`; or declare `columns:` if an empty source is fine (files named `_…` or \
                 `.…` are skipped, {format} files end in {})",
                endings(format)
            ),
            Self::Storage { error, .. } => storage_help(error),
            Self::TooManyFiles { .. } => "name the folders of the tables themselves".into(),
            Self::CutShort { .. } => "copy the file again from its source, or move it away".into(),
            Self::NotParquet { .. } => {
                "correct `format:`, or move the file away; names that begin with `_` or `.` are skipped".into()
            }
            Self::MixedTypes { column, .. } => format!(
                "declare `columns: {{ {column}: <type> }}` with a type that both become without loss, or read the \
                 files as two sources and join them in SQL"
            ),
            Self::ColumnType { column, found, .. } => {
                format!(
                    "declare `{column}` with a type that {found} becomes without loss, and convert it in staging SQL"
                )
            }
            Self::MissingColumn { closest: Some(closest), .. } => format!("did you mean `{closest}`?"),
            Self::MissingColumn { present, .. } => format!("it has: {}", present.join(", ")),
            Self::DuplicateColumn { column, .. } => format!("rename one of the two `{column}` where the file is made"),
            Self::NoHeader { .. } => "put the columns' names on the first line, in UTF-8".into(),
            Self::OnlyFilesKnow { .. } => {
                "declare `columns: { name: type, … }`, which a check without `--offline` then holds against the files"
                    .into()
            }
            Self::Undeclared { .. } => "declare `columns: { name: type, … }`".into(),
            Self::ReservedColumn { .. } => {
                "leave the column out of `columns:`, or rename it where the file is made".into()
            }
            Self::Pattern { .. } => "for example `%d/%m/%Y` or `%Y-%m-%d %H:%M:%S`".into(),
            Self::NotDelta { .. } => "correct `path:`, or use `format: parquet` for plain Parquet files".into(),
            Self::Delta { .. } | Self::Plan { .. } => {
                "check that other programs can read it; a damaged `_last_checkpoint` can be removed without loss".into()
            }
        }
    }
}
