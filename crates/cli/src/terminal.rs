//! What people see: words on standard error, progress, summaries, tables that fit the terminal.

mod progress;
mod json_lines;
mod summary;
mod ranking;
mod robustness;
mod rows;
mod frame;
mod table;
mod fitted;
mod prose;
mod numbers;
mod serving;

use std::sync::Arc;

use throughline_engine::Observer;

use crate::arguments::LogFormat;
pub(crate) use fitted::fitted;
pub(crate) use frame::write_frame;
pub(crate) use numbers::{bytes, count, day, seconds};
pub(crate) use prose::{on_terminal, put, say, text_width, wrapped};
pub(crate) use ranking::print_ranking;
pub(crate) use robustness::robustness_table;
pub(crate) use serving::{ServingJson, ServingWords};
pub(crate) use summary::{print_summary, right_align};
pub(crate) use table::framed;

/// The observer that prints a run's events.
pub(crate) fn run_observer(format: LogFormat) -> Arc<dyn Observer> {
    match format {
        LogFormat::Text => Arc::new(progress::Progress::new()),
        LogFormat::Json => Arc::new(json_lines::JsonLines::new()),
    }
}
