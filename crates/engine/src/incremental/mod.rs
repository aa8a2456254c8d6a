//! Incremental models: what a run has to make again, and how the rest stays as it is.
//!
//! A table remembers up to which instant it is finished and which files of its sources it has seen ([`ledger`]). From
//! that and from the files that came since, a run decides for each model from where on its rows may have changed
//! ([`decide`]); sources and touchpoints are then read from there on only ([`window`]), open instances are carried over
//! from the members that are kept ([`carry`]), customers whose touchpoints are the same as before are left as they are
//! ([`seen`]), and the rows that cannot have changed stay in their files ([`replace`]).
//!
//! Invariant: what a run publishes equals, row for row, what a run over the whole history would publish, as long as no
//! row comes later than the lookback. Rows that do are counted and told with the command that takes them in.

mod carry;
mod decide;
mod ledger;
mod replace;
mod seen;
mod window;

pub(crate) use carry::Carried;
pub use decide::{Increment, Increments, IntervalOptions, LateRows, increments};
pub use ledger::IncrementRecord;
pub(crate) use replace::{Replacement, Shared, replacement};
pub(crate) use seen::{Seen, sums_table};
pub(crate) use window::{active_since, source_windows};
