//! What is recorded of a run and its steps, and what is reported while it goes on.
//!
//! [`events`] reach observers; [`progress`] stores the record of a run that is under way; [`run_record`] with its
//! [`step_record`]s and their [`usage`] is what is kept; [`stored`] reads and writes records; [`history`] makes tables
//! of them.

pub(crate) mod events;
pub(crate) mod progress;
pub(crate) mod run_record;
pub(crate) mod step_record;
pub(crate) mod usage;
pub(crate) mod stored;
pub(crate) mod history;
