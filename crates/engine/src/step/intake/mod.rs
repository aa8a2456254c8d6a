//! Intake: a relation's rows held against its contract before anything reads them.
//!
//! Every row gets exactly one verdict: kept, at or after `as_of`, set aside with a reason, or collapsed into an
//! identical copy. [`take_in`] gives the verdicts; [`first_pass`] reads every row once, and [`shared_keys`] compares
//! the keys whose hashes are equal. [`bounds`] knows which reasons no row of the files can have.

mod take_in;
mod first_pass;
mod shared_keys;
mod bounds;

pub(crate) use take_in::{IntakeRules, all_differ, take_in};
