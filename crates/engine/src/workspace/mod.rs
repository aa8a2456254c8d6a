//! From a workspace's files to a type-checked plan with opened sources: everything that happens before a row is read.
//!
//! [`locate`] finds pipeline and warehouse, [`sessions`] makes DataFusion sessions with our functions and bounded
//! memory ([`memory_pool`]), [`prepare`] opens the sources and plans: [`matching`] puts the matcher into the plan, and
//! [`definitions`] makes journeys readable in SQL. [`needed_steps`] are the steps that a selection of models needs.

pub(crate) mod options;
pub(crate) mod locate;
pub(crate) mod sessions;
mod memory_pool;
pub(crate) mod prepare;
pub(crate) mod matching;
pub(crate) mod definitions;
pub(crate) mod needed_steps;
