//! Bytes on a local disk that are there after a power cut. `object_store`'s local store does not flush, so files of
//! a local warehouse are flushed here before a log entry names them, and the entry is flushed before it counts.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use uuid::Uuid;

/// Flushes a file's bytes to the disk.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Flushes a folder's names to the disk. Those of the two folders above it, which may have been made for it, are flushed
/// as far as they can be opened.
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
