//! The statistics as a whole: against other programs' figures, under any split of the rows, and as SQL.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "the number of figures compared is part of the result")]

mod reference;

mod generators;

mod properties;

mod person_time_properties;

mod partial_states;

mod sql;

/// Asked for when the tests run: clones of the repository may share what was compiled.
fn crate_folder() -> std::path::PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the crate is").into()
}
