//! `throughline query SQL`.

use std::io::Read;

use throughline_engine::Published;

use crate::arguments::{QueryArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::write_frame;

/// Runs one SELECT over the tables of the last complete run and the history of runs, or over a snapshot.
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
    let options = options(workspace)?;
    let frame = match &arguments.snapshot {
        Some(snapshot) => Published::open_snapshot(options, snapshot).await?.query(&sql).await?,
        None => throughline_engine::query(options, &sql).await?,
    };
    write_frame(frame, &arguments.output).await
}
