//! The libraries that the program carries: the files of the repository's `sql/` (`build.rs` lists them).

use throughline_config::BuiltInLibrary;

include!(concat!(env!("OUT_DIR"), "/library_files.rs"));

/// All of them.
pub(crate) const LIBRARIES: &[BuiltInLibrary] = &[BuiltInLibrary { name: "key_journeys", files: LIBRARY_FILES }];
