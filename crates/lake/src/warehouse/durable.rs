//! Bytes on a local disk that are there after a power cut. `object_store`'s local store does not flush, so files of
//! a local warehouse are flushed here before a log entry names them, and the entry is flushed before it counts.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use uuid::Uuid;

/// Flushes a file's bytes to the disk.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Flushes a folder's names to the disk. Those of the two folders above it, which may have been made for it, are
/// flushed as far as they can be opened.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    for folder in path.ancestors().skip(1).take(2) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

/// Creates a file with these bytes as one step: it is there whole or not at all, and never replaces another.
pub(super) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let unfinished = folder.join(format!(".{}.tmp", Uuid::new_v4()));
    let written = write_flushed(&unfinished, bytes).and_then(|()| fs::hard_link(&unfinished, path));
    // The name is only of use to the step above.
    let _ = fs::remove_file(&unfinished);
    written?;
    sync_folder(folder)
}

/// Replaces a file in one step: readers see the old bytes or the new ones. Not flushed: for files whose loss does no
/// harm.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let unfinished = folder.join(format!(".{}.tmp", Uuid::new_v4()));
    let written = fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // The name is only of use to the step above.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Removes what writers that were killed left unfinished in a folder before `before`. A file of a writer that lives
/// has this name for a moment only; without it the writer fails, and harms nothing.
pub(super) fn remove_unfinished(folder: &Path, before: SystemTime) -> io::Result<usize> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let unfinished = name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(".tmp"));
        let old = |entry: &fs::DirEntry| entry.metadata().and_then(|data| data.modified()).is_ok_and(|at| at < before);
        if unfinished && old(&entry) && fs::remove_file(entry.path()).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

fn write_flushed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_created_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log/0.json");
        create(&path, b"first").unwrap();
        assert_eq!(create(&path, b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path().join("log")).unwrap().count(), 1);
    }
}
