//! The files of a source.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use throughline_config::Format;
use xxhash_rust::xxh3::Xxh3;

use super::error::SourceError;
use super::formats::{extensions, format_name};
use crate::stores::Location;

/// How many files are opened side by side: enough to hide an object store's latency, few enough for its limits.
pub(super) const CONCURRENT_FILES: usize = 16;

/// The files of a format under a location, ordered by path. A location that is itself a file counts whatever its name;
/// in a folder, at any depth, names that begin with `_` or `.` are skipped and the ending decides.
pub(super) async fn files(
    source_name: &str,
    location: &Location,
    format: Format,
) -> Result<Vec<ObjectMeta>, SourceError> {
    let all = match everything(source_name, location).await? {
        Listing::File(file) => return Ok(vec![file]),
        Listing::Folder(all) => all,
    };
    let wanted = extensions(format_name(format));
    let mut files: Vec<ObjectMeta> =
        all.into_iter().filter(|file| is_data(&location.prefix, &file.location, wanted)).collect();
    files.sort_unstable_by(|a, b| a.location.cmp(&b.location));
    Ok(files)
}

/// What lies at a location.
pub(super) enum Listing {
    /// The location is a file.
    File(ObjectMeta),
    /// All files below it, whatever their names, in no order.
    Folder(Vec<ObjectMeta>),
}

/// The file, or all files below the folder.
pub(super) async fn everything(source_name: &str, location: &Location) -> Result<Listing, SourceError> {
    let failed = |error| SourceError::Storage { source_name: source_name.into(), path: location.to_string(), error };
    let missing = || SourceError::Missing { source_name: source_name.into(), path: location.to_string() };
    if let Some(path) = &location.local {
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(missing()),
            Err(error) => {
                return Err(failed(object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(error) }));
            }
            Ok(metadata) if metadata.is_file() => {
                return location.store.head(&location.prefix).await.map(Listing::File).map_err(failed);
            }
            Ok(_) => {}
        }
    }
    let listed: Result<Vec<ObjectMeta>, _> = location.store.list(Some(&location.prefix)).try_collect().await;
    // The list comes first: its answer says why it was refused, that to a question about one object has no body.
    match listed {
        Ok(all) if !all.is_empty() || location.local.is_some() => Ok(Listing::Folder(all)),
        Err(error) if !says_no(&error) => Err(failed(error)),
        outcome => match single_file(location).await {
            Ok(Some(file)) => Ok(Listing::File(file)),
            Ok(None) => Err(outcome.map_or_else(failed, |_| missing())),
            Err(error) => Err(failed(outcome.err().unwrap_or(error))),
        },
    }
}

/// Differs for files that differ in their path below the source, in size, or in what is known of their content: the
/// store's own mark (ETag), or the time of writing where there is none.
///
/// A local disk's mark names the inode, which a copy changes, so there the time of writing counts. Stamps are kept from
/// run to run: they are the same in every build and on every machine, and a source that is moved as a whole keeps them.
pub(super) fn stamp(file: &ObjectMeta, location: &Location) -> u64 {
    let mut hash = Xxh3::new();
    let path = file.location.prefix_match(&location.prefix).into_iter().flatten();
    for part in path {
        hash.update(part.as_ref().as_bytes());
        hash.update(b"/");
    }
    hash.update(&file.size.to_le_bytes());
    match file.e_tag.as_deref().filter(|_| location.local.is_none()) {
        Some(mark) => hash.update(mark.as_bytes()),
        None => hash.update(&file.last_modified.timestamp_micros().to_le_bytes()),
    }
    hash.digest()
}

/// Whether the store answered, and the answer is no.
fn says_no(error: &object_store::Error) -> bool {
    use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
    matches!(error, NotFound { .. } | PermissionDenied { .. } | Unauthenticated { .. })
}

/// The location as one object of a store. Who may read it need not be allowed to list.
async fn single_file(location: &Location) -> object_store::Result<Option<ObjectMeta>> {
    if location.prefix.as_ref().is_empty() {
        return Ok(None);
    }
    match location.store.head(&location.prefix).await {
        Ok(file) => Ok(Some(file)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_data(prefix: &Path, file: &Path, extensions: &[&str]) -> bool {
    let Some(parts) = file.prefix_match(prefix) else { return false };
    let hidden = parts.into_iter().any(|part| part.as_ref().starts_with(['_', '.']));
    let ending = file.extension().map(str::to_ascii_lowercase);
    !hidden && ending.is_some_and(|ending| extensions.contains(&ending.as_str()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::{DateTime, Utc};
    use datafusion::execution::runtime_env::RuntimeEnv;

    use super::*;
    use crate::stores::Stores;

    fn file(path: &str, size: u64, written: i64, e_tag: &str) -> ObjectMeta {
        let last_modified: DateTime<Utc> = DateTime::from_timestamp(written, 0).unwrap();
        ObjectMeta { location: Path::from(path), last_modified, size, e_tag: Some(e_tag.to_owned()), version: None }
    }

    #[test]
    fn files_that_are_moved_as_a_whole_keep_their_stamps() {
        let folder = tempfile::tempdir().unwrap();
        let stores = Stores::new(folder.path(), Arc::new(RuntimeEnv::default()));
        let located = |path: &str| stores.locate(path).unwrap();
        let (here, there) = (located("lake/calls"), located("archive/2026/calls"));
        let at = |location: &Location, name: &str, size, written, e_tag: &str| {
            stamp(&file(&format!("{}/{name}", location.prefix), size, written, e_tag), location)
        };
        let one = at(&here, "2026/a.csv", 10, 1_700_000_000, "inode 1");
        assert_eq!(at(&there, "2026/a.csv", 10, 1_700_000_000, "inode 2"), one);
        assert_ne!(at(&here, "2026/b.csv", 10, 1_700_000_000, "inode 1"), one, "another name");
        assert_ne!(at(&here, "2026/a.csv", 11, 1_700_000_000, "inode 1"), one, "another size");
        assert_ne!(at(&here, "2026/a.csv", 10, 1_700_000_001, "inode 1"), one, "written again");
        assert_ne!(at(&here, "202/6a.csv", 10, 1_700_000_000, "inode 1"), one, "another folder");
    }

    #[test]
    fn hidden_files_and_other_endings_are_no_data() {
        let prefix = Path::from("lake/calls");
        let data = |file: &str| is_data(&prefix, &Path::from(file), extensions("Parquet"));
        assert!(data("lake/calls/part-0.parquet"));
        assert!(data("lake/calls/2026/11/part-0.PARQUET"));
        assert!(!data("lake/calls/_temporary/part-0.parquet"));
        assert!(!data("lake/calls/.part-0.parquet.crc"));
        assert!(!data("lake/calls/_truth.json"));
        assert!(!data("lake/calls/readme.md"));
        assert!(!data("lake/calls_old/part-0.parquet"));
    }
}
