//! The lake on real files: every kind of bad input with its message, and tables published, replaced, contested and
//! half-committed.

#![allow(missing_docs, clippy::unwrap_used)]

mod additions;
mod commits;
mod delta_sources;
mod dice;
mod exports;
mod faults;
mod inventories;
mod leases;
mod parquet_sources;
mod parts;
mod refusals;
mod snapshots;
mod support;
mod tables;
mod text_sources;
mod unsteady;
mod vacuuming;
