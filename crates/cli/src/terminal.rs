//! What people see: words on standard error, progress, summaries, tables that fit the terminal.

mod frame;
mod json_lines;
mod numbers;
mod progress;
mod prose;
mod ranking;
mod rows;
mod serving;
mod summary;

pub(crate) use frame::write_frame;
pub(crate) use json_lines::JsonLines;
pub(crate) use numbers::{bytes, count, seconds};
pub(crate) use progress::Progress;
pub(crate) use prose::{put, text_width, wrapped};
pub(crate) use ranking::print_ranking;
pub(crate) use rows::framed;
pub(crate) use serving::{ServingJson, ServingWords};
pub(crate) use summary::{print_summary, right_align};

/// A line on standard error.
#[allow(clippy::print_stderr, reason = "the one place for words that are neither data nor failures")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}
