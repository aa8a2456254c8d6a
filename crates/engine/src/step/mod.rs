//! One step of a run: rows are read or computed, staged, tested and committed.
//!
//! [`execute`] takes a step from its start to its record, with what it shares with others in its [`context`]. A
//! [`source`] or [`view`] is registered under its name ([`relations`]), and kept in memory where many read it
//! ([`relation_cache`]); rows that break its contract are set aside at its [`intake`] and published ([`rejected`]), and
//! a source's [`row_limits`] and [`freshness`] are checked. What the matcher reads is compared with the last run,
//! customer by customer ([`customers`]). A [`table`] is staged ([`stage`], watched by [`stuck`]), tested
//! ([`data_tests`]) and committed ([`commit`], after which [`leftovers`] of killed runs go). Of a value that cannot be
//! cast it is said whose SQL casts it ([`blame`]). [`triggers`] fire when all tables are published. A [`stop`] ends
//! steps, but no commit.

pub(crate) mod execute;
pub(crate) mod context;
pub(crate) mod source;
pub(crate) mod view;
pub(crate) mod relations;
pub(crate) mod relation_cache;
mod intake;
pub(crate) mod rejected;
mod row_limits;
pub(crate) mod freshness;
mod customers;
mod blame;
mod table;
mod stage;
mod stuck;
pub(crate) mod data_tests;
pub(crate) mod commit;
pub(crate) mod leftovers;
pub(crate) mod triggers;
mod firing_key;
pub(crate) mod stop;
