//! Incremental models: which rows a run rebuilds, and how the others stay as they are.
//!
//! A table remembers up to which instant its history is finished and which files of its sources it was made from
//! ([`ledger`], in days and months of the [`calendar`]), and which [`late_rows`] are not in it yet. From that and from
//! the files that came since ([`new_files`]), a run decides for each model, within its [`reach`], which rows it
//! rebuilds ([`decide`], [`rebuild`]). Of sources and touchpoints it then reads only what that needs ([`window`]). Open
//! instances are carried in by their members ([`carry`], with the [`limits`] of journeys), [`customers`] whose
//! touchpoints have the same [`digests`] as before ([`comparison`]) keep their rows, and so do all rows in files that
//! cannot have changed ([`replace`]).
//!
//! Invariant: what a run publishes equals, row for row, what a run over the whole history would publish, as long as no
//! row comes later than the lookback. Rows that do are counted and reported with the command that takes them in.

mod ledger;
mod calendar;
mod late_rows;
mod new_files;
mod reach;
mod decide;
mod rebuild;
mod window;
mod carry;
mod limits;
mod customers;
mod digests;
mod comparison;
mod replace;
mod replacement;

pub(crate) use carry::FoundOpenInstances;
pub(crate) use comparison::{ChangedCustomers, Comparison, digests_table};
pub use decide::decide_rebuilds;
pub(crate) use digests::CustomerDigests;
pub use late_rows::LateRows;
pub(crate) use ledger::history_begins;
pub use rebuild::{IntervalOptions, Rebuild, Rebuilds};
pub(crate) use replace::{Shared, plan_replacement};
pub(crate) use replacement::Replacement;
pub(crate) use window::{active_since, active_sources_since, source_windows};
