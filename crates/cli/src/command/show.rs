//! `throughline show MODEL`.

use crate::arguments::{ShowArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::{framed, write_frame};

/// Shows rows of a published table, or its columns with `--limit 0`.
#[allow(clippy::print_stdout, reason = "the columns are what was asked for")]
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &ShowArguments) -> Result<(), Exit> {
    let options = options(workspace)?;
    let frame = throughline_engine::show(options, &arguments.model).await?;
    if arguments.limit.0 == Some(0) {
        let mut table = framed();
        table.set_header(["column", "type", "comment"]);
        for field in frame.schema().fields() {
            let comment = field.metadata().get("comment").map_or("", String::as_str);
            table.add_row([field.name().as_str(), &field.data_type().to_string(), comment]);
        }
        println!("{table}");
        return Ok(());
    }
    let frame = frame.limit(0, arguments.limit.0).map_err(throughline_engine::EngineError::from)?;
    write_frame(frame, &arguments.output).await
}
