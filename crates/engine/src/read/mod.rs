//! What is published, for those who read it.
//!
//! [`published`] is the tables of one run or snapshot, [`query`] one SELECT over them, [`tables`] their rows by the
//! names of columns ([`figures`]), [`key_periods`] the months and quarters of the ranking, [`publications`] the newest
//! run over time, [`past_runs`] all runs, [`snapshots`] the frozen quarters.

pub(crate) mod published;
pub(crate) mod query;
pub(crate) mod tables;
pub(crate) mod figures;
pub(crate) mod key_periods;
pub(crate) mod publications;
pub(crate) mod past_runs;
pub(crate) mod snapshots;
