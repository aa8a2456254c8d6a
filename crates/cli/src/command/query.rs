//! `throughline query SQL`.

use std::io::Read;

use throughline_engine::Published;

use crate::arguments::{QueryArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::write_frame;

/// Runs one SELECT over the tables of the last complete run, or of a snapshot.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &QueryArguments) -> Result<(), Exit> {
    let options = options(workspace)?;
    let published = match &arguments.snapshot {
        Some(snapshot) => Published::open_snapshot(options, snapshot).await?,
        None => Published::open(options).await?,
    };
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
    let frame = published.query(&sql).await?;
    write_frame(frame, &arguments.output).await
}
