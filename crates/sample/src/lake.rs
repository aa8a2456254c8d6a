//! Writes the lake: one folder a table, one open file a month, and a name the whole only gets when it is complete.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::SampleError;
use crate::truth::TRUTH_FILE;

/// Marks a folder that a run is still writing, or was when it died.
const UNFINISHED: &str = "_unfinished";
/// Rows of a row group.
const ROW_GROUP: usize = 120_000;

/// The folder of a sample while it is written.
#[derive(Debug)]
pub(crate) struct Staging {
    out: PathBuf,
    partial: PathBuf,
}

impl Staging {
    /// Opens `<out>.partial`, after making sure that `out` may be replaced and that no one else's files are touched.
    pub(crate) fn open(out: &Path) -> Result<Self, SampleError> {
        let partial = beside(out, ".partial");
        if fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) && !out.join(TRUTH_FILE).is_file() {
            return Err(SampleError::NotASample { path: out.to_owned() });
        }
        if partial.exists() {
            if !partial.join(UNFINISHED).is_file() && !partial.join(TRUTH_FILE).is_file() {
                return Err(SampleError::NotASample { path: partial });
            }
            remove(&partial)?;
        }
        fs::create_dir_all(&partial).map_err(|source| SampleError::Io { path: partial.clone(), source })?;
        let staging = Staging { out: out.to_owned(), partial };
        staging.write(UNFINISHED, b"")?;
        Ok(staging)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.partial
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), SampleError> {
        let path = self.partial.join(name);
        fs::write(&path, bytes).map_err(|source| SampleError::Io { path, source })
    }

    /// Gives the complete sample its name. A kill in between leaves either the old sample, the new one or none.
    pub(crate) fn finish(self, truth: &[u8]) -> Result<(), SampleError> {
        self.write(TRUTH_FILE, truth)?;
        let mark = self.partial.join(UNFINISHED);
        fs::remove_file(&mark).map_err(|source| SampleError::Io { path: mark, source })?;
        let old = beside(&self.out, ".old");
        if old.join(TRUTH_FILE).is_file() {
            remove(&old)?;
        }
        let replaces = self.out.exists();
        if replaces {
            rename(&self.out, &old)?;
        }
        rename(&self.partial, &self.out)?;
        if replaces { remove(&old) } else { Ok(()) }
    }
}

fn beside(out: &Path, suffix: &str) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove(folder: &Path) -> Result<(), SampleError> {
    fs::remove_dir_all(folder).map_err(|source| SampleError::Io { path: folder.to_owned(), source })
}

fn rename(from: &Path, to: &Path) -> Result<(), SampleError> {
    fs::rename(from, to).map_err(|source| SampleError::Io { path: from.to_owned(), source })
}

/// Writes one table: `2026-05.parquet` for what happened in a month, `2026-09-30.parquet` on a day of the last two
/// months, or `all.parquet` where rows are no events; and `late-00000.parquet` for what arrives late.
pub(crate) struct TableWriter {
    folder: PathBuf,
    open: BTreeMap<String, ArrowWriter<File>>,
}

impl TableWriter {
    pub(crate) fn create(lake: &Path, table: &str) -> Result<Self, SampleError> {
        let folder = lake.join(table);
        fs::create_dir_all(&folder).map_err(|source| SampleError::Io { path: folder.clone(), source })?;
        Ok(TableWriter { folder, open: BTreeMap::new() })
    }

    /// Adds rows to the file `name`.
    pub(crate) fn write(&mut self, name: &str, rows: &RecordBatch) -> Result<(), SampleError> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        if !self.open.contains_key(name) {
            let writer = self.open(&format!("{name}.parquet"), rows)?;
            self.open.insert(name.to_owned(), writer);
        }
        if let Some(writer) = self.open.get_mut(name) {
            writer.write(rows)?;
        }
        Ok(())
    }

    fn open(&self, name: &str, like: &RecordBatch) -> Result<ArrowWriter<File>, SampleError> {
        let path = self.folder.join(name);
        let file = File::create(&path).map_err(|source| SampleError::Io { path, source })?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_created_by("throughline-sample".to_owned())
            .build();
        Ok(ArrowWriter::try_new(file, like.schema(), Some(properties))?)
    }

    pub(crate) fn close(self) -> Result<(), SampleError> {
        for writer in self.open.into_values() {
            writer.close()?;
        }
        Ok(())
    }
}
