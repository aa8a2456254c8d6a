//! The files of a source.

use std::hash::{DefaultHasher, Hash, Hasher};

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use throughline_config::Format;

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

/// Differs for files that differ in path, size, time of writing or the store's own mark.
pub(super) fn stamp(file: &ObjectMeta) -> u64 {
    let mut hasher = DefaultHasher::new();
    let written = file.last_modified.timestamp_micros();
    (file.location.as_ref(), file.size, written, &file.e_tag).hash(&mut hasher);
    hasher.finish()
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
    use super::*;

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
