//! Sources in, Delta tables out, on any object store.
//!
//! In: locations of the pipeline (`stores`) and files of source systems (`source`). Out: DataFusion table providers,
//! and tables of the warehouse, each replaced in one atomic commit after its staged rows were tested (`warehouse`);
//! rows as CSV, JSON or Parquet for people (`export`); tables frozen with a manifest (`snapshot`).
//!
//! This crate knows storage and nothing of journeys, models or plans. Nothing else writes tables. Files of published
//! versions are deleted by a vacuum only, whose caller names the versions to keep.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod stores;
mod source;
mod scan;
mod warehouse;
mod row_hash;
mod snapshot;
mod export;

pub use export::{ExportError, ExportFormat, export};
pub use row_hash::row_hashes;
pub use snapshot::{
    Damage, Exported, FileManifest, LeftBehind, Manifest, NotASnapshotName, Period, Snapshot, SnapshotDraft,
    SnapshotError, SnapshotName, Snapshots, Superseded, TableDraft, TableManifest, Verification,
};
pub use source::{
    FoundColumn, FoundTable, Inventory, ORIGIN_COLUMN, OpenSource, PROBLEM_COLUMN, PassedOver, SourceError,
    column_type, declared_columns, declared_source, inventory, open_source, open_source_files, reads_as,
    reads_as_instant, type_name,
};
pub use stores::{Location, StoreError, Stores, plain_words};
pub use warehouse::{
    Checkpoint, CheckpointOutcome, CommitDetails, Committed, DeadFile, Lease, LeaseHolder, PartLayout, PublishedTable,
    SortColumn, SplitParts, StagedTable, TableParts, TableSpec, Vacuum, VacuumedTable, Warehouse, WarehouseError,
};
