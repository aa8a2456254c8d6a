//! From a workspace's files to a type-checked plan with opened sources: everything that happens before a row is read.
//!
//! [`locate`] finds pipeline and warehouse, [`prepare`] opens the sources and plans, with [`matching`] as the matcher's
//! place in the plan and [`definitions`] as journeys that SQL can read. [`needed_steps`] is what a selection comes to.

pub(crate) mod options;
pub(crate) mod locate;
pub(crate) mod prepare;
pub(crate) mod matching;
pub(crate) mod definitions;
pub(crate) mod needed_steps;
