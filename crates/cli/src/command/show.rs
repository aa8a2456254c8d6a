//! `throughline show MODEL`.

use datafusion::dataframe::DataFrame;
use throughline_engine::{EngineError, Published};

use crate::arguments::{OutputArguments, RowLimit, ShowArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::{framed, write_frame};

/// Shows rows of a published table, or its columns with `--limit 0`.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &ShowArguments) -> Result<(), Exit> {
    let options = options(workspace)?;
    let frame = match &arguments.snapshot {
        Some(snapshot) => Published::open_snapshot(options, snapshot).await?.table(&arguments.model).await?,
        None => throughline_engine::show(options, &arguments.model).await?,
    };
    rows(frame, arguments.limit, &arguments.output).await
}

/// Prints rows, or the columns where none are wanted.
#[allow(clippy::print_stdout, reason = "the columns are what was asked for")]
pub(crate) async fn rows(frame: DataFrame, limit: RowLimit, output: &OutputArguments) -> Result<(), Exit> {
    if limit.0 == Some(0) {
        let mut table = framed();
        table.set_header(["column", "type", "comment"]);
        for field in frame.schema().fields() {
            let comment = field.metadata().get("comment").map_or("", String::as_str);
            table.add_row([field.name().as_str(), &field.data_type().to_string(), comment]);
        }
        println!("{table}");
        return Ok(());
    }
    let frame = frame.limit(0, limit.0).map_err(EngineError::from)?;
    write_frame(frame, output).await
}
