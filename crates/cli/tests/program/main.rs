//! The program as a whole: the real binary in small workspaces, its exit code, standard output and standard error.

#![allow(missing_docs)]

mod bad_input;
mod beginning;
mod checking;
mod clocks;
mod dice;
mod discovering;
mod discovering_logs;
mod earlier;
mod explaining;
mod exporting;
mod hand_made;
mod hostile;
mod increments;
mod instances;
mod interruption;
mod libraries;
mod nights;
mod object_stores;
mod own_data;
mod person_time;
mod publishing;
mod readme;
mod refusals;
mod reporting;
mod retrying;
mod robust;
mod sample;
mod seen_from_outside;
mod serving;
mod snapshots;
mod strangers;
mod testing;
mod tiny;
mod triggers;
mod vacuuming;
mod whole;
mod workspace;
