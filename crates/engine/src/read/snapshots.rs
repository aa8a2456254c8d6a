//! Snapshots found by name in a workspace's warehouse, or at any place.

use std::sync::Arc;

use throughline_lake::{
    Exported, NotASnapshotName, Snapshot, SnapshotError, SnapshotName, Stores, Verification, Warehouse,
};

use crate::failure::EngineError;
use crate::workspace::locate::locate;
use crate::workspace::options::PrepareOptions;
use crate::workspace::sessions::{SessionOptions, new_runtime};

/// A snapshot of the warehouse, or why it cannot be read.
#[derive(Debug)]
pub struct ListedSnapshot {
    /// Its name.
    pub name: SnapshotName,
    /// The snapshot; an error when its manifest is damaged.
    pub snapshot: Result<Snapshot, SnapshotError>,
}

/// Every snapshot of the workspace's pipeline, by period and revision.
///
/// Each gives its tables' rows ([`Snapshot::table`]) and columns with comments ([`Snapshot::schema`]); a session that
/// reads them needs the runtime with which the warehouse was opened, so a program that has
/// [`crate::Published`] open uses [`crate::Published::snapshots`].
///
/// # Errors
/// The pipeline cannot be loaded, or the warehouse cannot be listed.
pub async fn snapshots(options: &PrepareOptions) -> Result<Vec<ListedSnapshot>, EngineError> {
    let (pipeline, warehouse, _) = locate(options)?;
    listed(&warehouse, &pipeline.name.value).await
}

pub(crate) async fn listed(warehouse: &Warehouse, pipeline: &str) -> Result<Vec<ListedSnapshot>, EngineError> {
    let all = warehouse.snapshots();
    let mut listed = Vec::new();
    for name in all.names().await? {
        match all.open(name).await {
            Ok(Some(snapshot)) if snapshot.manifest().pipeline == pipeline => {
                listed.push(ListedSnapshot { name, snapshot: Ok(snapshot) });
            }
            // Another pipeline's, or gone meanwhile.
            Ok(_) => {}
            Err(error) => listed.push(ListedSnapshot { name, snapshot: Err(error) }),
        }
    }
    Ok(listed)
}

/// One snapshot of the workspace's pipeline.
///
/// # Errors
/// There is none of this name, or its manifest is damaged.
pub async fn find_snapshot(options: &PrepareOptions, name: &str) -> Result<Snapshot, EngineError> {
    let (pipeline, warehouse, _) = locate(options)?;
    find(&warehouse, &pipeline.name.value, name).await
}

pub(crate) async fn find(warehouse: &Warehouse, pipeline: &str, name: &str) -> Result<Snapshot, EngineError> {
    let name = parsed(name)?;
    match warehouse.snapshots().open(name).await? {
        Some(snapshot) if snapshot.manifest().pipeline == pipeline => Ok(snapshot),
        Some(snapshot) => Err(EngineError::refused(
            format!("the snapshot {name} is of the pipeline `{}`", snapshot.manifest().pipeline),
            format!("name that pipeline: --pipeline {}", snapshot.manifest().pipeline),
        )),
        None => {
            let names = warehouse.snapshots().names().await?;
            let there: Vec<String> = names.iter().map(ToString::to_string).collect();
            let there = if there.is_empty() { "none yet".to_owned() } else { there.join(", ") };
            Err(EngineError::refused(
                format!("there is no snapshot {name} in {}", warehouse.location()),
                format!("there are: {there}; one is made by `throughline snapshot create {}`", name.period),
            ))
        }
    }
}

pub(crate) fn parsed(name: &str) -> Result<SnapshotName, EngineError> {
    name.parse().map_err(|error: NotASnapshotName| EngineError::refused_because(error.to_string(), "", error))
}

/// A snapshot at any place, such as a copy somebody was sent: a path or a URL such as `s3://bucket/prefix`. Needs no
/// workspace.
///
/// # Errors
/// The place is no location, holds no snapshot, or one whose manifest is damaged.
pub async fn snapshot_at(place: &str) -> Result<Snapshot, EngineError> {
    let stores = stores_here()?;
    let location = stores.locate(place).map_err(SnapshotError::from)?;
    Ok(Snapshot::at(&location).await?)
}

/// Copies a snapshot to a place and verifies the copy by its manifest; the copy needs nothing of the warehouse.
///
/// # Errors
/// Those of [`find_snapshot`] and [`snapshot_at`]; another snapshot is at the place; a file is not what the manifest
/// says.
pub async fn export_snapshot(
    options: &PrepareOptions,
    name: &str,
    place: &str,
) -> Result<(Snapshot, Exported, Verification), EngineError> {
    let snapshot = find_snapshot(options, name).await?;
    let to = stores_here()?.locate(place).map_err(SnapshotError::from)?;
    let exported = snapshot.export(&to).await?;
    let copy = Snapshot::at(&to).await?;
    let verification = copy.verify().await?;
    Ok((copy, exported, verification))
}

/// Stores for places that a person names on the command line, relative to the current folder.
fn stores_here() -> Result<Arc<Stores>, EngineError> {
    let here = std::env::current_dir().map_err(EngineError::NoCurrentFolder)?;
    Ok(Arc::new(Stores::new(here, new_runtime(&SessionOptions::default())?)))
}
