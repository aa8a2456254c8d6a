//! Sources in, Delta tables out, on any object store.
//!
//! In: locations of the pipeline (`stores`) and files of source systems (`source`). Out: DataFusion table providers,
//! and tables of the warehouse, each replaced in one atomic commit after its staged rows were looked at (`warehouse`);
//! rows as CSV, JSON or Parquet for people (`export`).
//!
//! This crate knows storage and nothing of journeys, models or plans. Nothing else writes tables, and it never deletes
//! a file that a published version names.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod export;
mod scan;
mod source;
mod stores;
mod warehouse;

pub use export::{ExportError, ExportFormat, export};
pub use source::{ORIGIN_COLUMN, OpenSource, PROBLEM_COLUMN, SourceError, open_source, open_source_files};
pub use stores::{Location, StoreError, Stores, plain_words};
pub use warehouse::{
    CommitDetails, Committed, Lease, LeaseHolder, PublishedTable, SortColumn, StagedTable, TableParts, TableSpec,
    Warehouse, WarehouseError, storage_schema,
};
