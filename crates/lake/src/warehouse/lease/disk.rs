//! A lease on a local disk: an exclusive lock on a file, which the system takes back when the process ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::warehouse::lease_holder::LeaseHolder;

/// The holder is written over what stood there in one piece of this size, so that readers do not see half of it.
const ROOM: usize = 1024;

#[derive(Debug)]
pub(super) struct DiskLock {
    file: File,
    path: PathBuf,
}

pub(super) enum Taken {
    Mine(DiskLock, Option<LeaseHolder>),
    Theirs(Option<LeaseHolder>),
}

impl DiskLock {
    /// Takes the lock or says who has it; `None` on a file system without locks.
    pub(super) fn take(path: PathBuf, mine: &LeaseHolder) -> io::Result<Option<Taken>> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        loop {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            match file.try_lock() {
                Ok(()) => {
                    let lock = Self { file, path: path.clone() };
                    // Somebody removed the file between the two steps: the lock is on nothing.
                    if !lock.is_in_place() {
                        continue;
                    }
                    let before = read(&path).filter(|before| !before.released);
                    lock.write(mine)?;
                    return Ok(Some(Taken::Mine(lock, before)));
                }
                Err(TryLockError::WouldBlock) => return Ok(Some(Taken::Theirs(read(&path)))),
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    pub(super) fn write(&self, holder: &LeaseHolder) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(holder)?;
        text.push('\n');
        let padded = format!("{text:<ROOM$}");
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(padded.as_bytes())
    }

    /// Gives the lock back before the file is closed.
    pub(super) fn unlock(&self) {
        // What cannot be unlocked ends with the process.
        let _ = self.file.unlock();
    }

    /// Whether the locked file is still the one that others find under its name: who removes it ends the lease.
    #[cfg(unix)]
    pub(super) fn is_in_place(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        match (self.file.metadata(), fs::metadata(&self.path)) {
            (Ok(mine), Ok(found)) => id(mine) == id(found),
            _ => false,
        }
    }

    /// A locked file cannot be removed.
    #[cfg(not(unix))]
    pub(super) fn is_in_place(&self) -> bool {
        self.path.exists()
    }
}

fn read(path: &Path) -> Option<LeaseHolder> {
    let mut text = String::new();
    File::open(path).ok()?.read_to_string(&mut text).ok()?;
    serde_json::from_str(text.trim_end()).ok()
}
