//! The program as a whole: the real binary in small workspaces, its exit code, standard output and standard error.

#![allow(missing_docs)]

mod bad_input;
mod discovering;
mod explaining;
mod hostile;
mod instances;
mod interruption;
mod publishing;
mod readme;
mod refusals;
mod sample;
mod serving;
mod tiny;
mod triggers;
mod whole;
mod workspace;
