//! `throughline query SQL`.

use std::io::Read;

use crate::arguments::{QueryArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::write_frame;

/// Runs one SELECT over the tables of the last complete run and the history of runs.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &QueryArguments) -> Result<(), Exit> {
    let sql = match arguments.sql.as_str() {
        "-" => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| Exit::refused(format!("standard input cannot be read: {error}"), ""))?;
            text
        }
        sql => sql.to_owned(),
    };
    let frame = throughline_engine::query(options(workspace)?, &sql).await?;
    write_frame(frame, &arguments.output).await
}
