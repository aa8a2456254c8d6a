//! Writes the lake: one folder a table, one open file a table, and a name the whole only gets when it is complete.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::SampleError;

/// Marks a complete sample, and holds its truths.
pub(crate) const MARKER: &str = "_truth.json";
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
        if fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) && !out.join(MARKER).is_file() {
            return Err(SampleError::NotASample { path: out.to_owned() });
        }
        if partial.exists() {
            if !partial.join(UNFINISHED).is_file() && !partial.join(MARKER).is_file() {
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
        self.write(MARKER, truth)?;
        let mark = self.partial.join(UNFINISHED);
        fs::remove_file(&mark).map_err(|source| SampleError::Io { path: mark, source })?;
        let old = beside(&self.out, ".old");
        if old.join(MARKER).is_file() {
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

/// Writes one table: `part-00000.parquet` and so on, and `late-00000.parquet` for what arrives late.
pub(crate) struct TableWriter {
    folder: PathBuf,
    parts: u32,
    blocks_per_file: u64,
    blocks: u64,
    part: Option<ArrowWriter<File>>,
    late: Option<ArrowWriter<File>>,
}

impl TableWriter {
    pub(crate) fn create(lake: &Path, table: &str, blocks_per_file: u64) -> Result<Self, SampleError> {
        let folder = lake.join(table);
        fs::create_dir_all(&folder).map_err(|source| SampleError::Io { path: folder.clone(), source })?;
        Ok(TableWriter { folder, parts: 0, blocks_per_file, blocks: 0, part: None, late: None })
    }

    /// Writes a block's rows; a new file begins every `blocks_per_file` blocks.
    pub(crate) fn write(&mut self, on_time: &RecordBatch, late: &RecordBatch) -> Result<(), SampleError> {
        let mut part = match self.part.take() {
            Some(part) => part,
            None => {
                self.parts += 1;
                self.open(&format!("part-{:05}.parquet", self.parts - 1), on_time)?
            }
        };
        part.write(on_time)?;
        self.blocks += 1;
        if self.blocks.is_multiple_of(self.blocks_per_file) {
            part.close()?;
        } else {
            self.part = Some(part);
        }
        if late.num_rows() > 0 {
            let mut writer = match self.late.take() {
                Some(writer) => writer,
                None => self.open("late-00000.parquet", late)?,
            };
            writer.write(late)?;
            self.late = Some(writer);
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
        for writer in [self.part, self.late].into_iter().flatten() {
            writer.close()?;
        }
        Ok(())
    }
}
