//! Why no sample was written.

use std::path::PathBuf;

use crate::truth::TRUTH_FILE;

/// What kept a sample from being written.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The folder holds something that no sample run wrote.
    #[error("{} is not empty and holds no sample (no {}): choose another folder or remove it", path.display(), TRUTH_FILE)]
    NotASample {
        /// The folder.
        path: PathBuf,
    },
    /// Zero customers or months, or dates beyond the calendar.
    #[error("a sample needs at least one customer and one month, and dates between 1900 and 2100")]
    NothingToWrite,
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// Rows could not be turned into columns.
    #[error("could not build columns: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A file could not be written.
    #[error("could not write Parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// The truths could not be written.
    #[error("could not write the truths: {0}")]
    Json(#[from] serde_json::Error),
}
