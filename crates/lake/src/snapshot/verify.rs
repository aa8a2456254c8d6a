//! A snapshot held against its manifest, byte for byte.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};

use super::copy::{AT_ONCE, checksum};
use super::error::SnapshotError;
use super::{MANIFEST, Snapshot, storage};
use crate::stores::Location;

/// How a file differs from what the manifest says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "damage")]
pub enum Damage {
    /// The manifest names it, and it is not there.
    Missing,
    /// It is longer or shorter than it was.
    Size {
        /// Bytes by the manifest.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// As long as it was, with other bytes.
    Changed,
    /// It is there, and the manifest does not name it.
    Extra,
    /// It cannot be read.
    Unreadable {
        /// What the store says.
        reason: String,
    },
}

/// What came of holding a snapshot against its manifest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Verification {
    /// Files checked, the manifest among them.
    pub files: usize,
    /// Their bytes, those of the manifest left out.
    pub bytes: u64,
    /// Files that are not as they should be, by their paths inside the snapshot's folder.
    pub damaged: BTreeMap<String, Damage>,
}

impl Verification {
    /// Whether everything is as it was written.
    pub fn holds(&self) -> bool {
        self.damaged.is_empty()
    }
}

impl Snapshot {
    /// Holds names and sizes of the files against the manifest, without reading them.
    pub async fn verify_sizes(&self) -> Result<Verification, SnapshotError> {
        let found = files_in(&self.folder).await?;
        let mut damaged: BTreeMap<String, Damage> = BTreeMap::new();
        let mut named = BTreeSet::from([MANIFEST]);
        for file in self.manifest.files() {
            named.insert(file.path.as_str());
            let damage = match found.get(&file.path) {
                None => Some(Damage::Missing),
                Some(bytes) if *bytes != file.bytes => Some(Damage::Size { expected: file.bytes, found: *bytes }),
                Some(_) => None,
            };
            damaged.extend(damage.map(|damage| (file.path.clone(), damage)));
        }
        let extra = found.keys().filter(|path| !named.contains(path.as_str()));
        damaged.extend(extra.map(|path| (path.clone(), Damage::Extra)));
        Ok(Verification { files: named.len(), bytes: self.manifest.bytes(), damaged })
    }

    /// Holds every byte against the manifest, whose own were checked when it was opened. All files are checked, however
    /// many are damaged.
    pub async fn verify(&self) -> Result<Verification, SnapshotError> {
        let mut verification = self.verify_sizes().await?;
        let whole: Vec<_> =
            self.manifest.files().filter(|file| !verification.damaged.contains_key(&file.path)).cloned().collect();
        let read: Vec<(String, Option<Damage>)> = futures::stream::iter(whole)
            .map(|file| async move {
                let damage = match checksum(self.folder.store.as_ref(), &self.path(&file.path)).await {
                    Ok((_, sha256)) if sha256 == file.sha256 => None,
                    Ok(_) => Some(Damage::Changed),
                    Err(error) => Some(Damage::Unreadable { reason: error.to_string() }),
                };
                (file.path, damage)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        verification.damaged.extend(read.into_iter().filter_map(|(path, damage)| Some((path, damage?))));
        Ok(verification)
    }
}

/// Sizes of all files in a folder, by their paths inside it.
async fn files_in(folder: &Location) -> Result<BTreeMap<String, u64>, SnapshotError> {
    let listed = folder.store.list(Some(&folder.prefix)).try_collect::<Vec<_>>().await;
    let objects = listed.map_err(|error| storage(folder, &folder.prefix, error))?;
    let inside = objects.iter().filter_map(|object| {
        let parts: Vec<_> =
            object.location.prefix_match(&folder.prefix)?.map(|part| part.as_ref().to_owned()).collect();
        Some((parts.join("/"), object.size))
    });
    Ok(inside.collect())
}
