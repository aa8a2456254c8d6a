//! `throughline explain JOURNEY`.
use crate::arguments::{ExplainArguments, WorkspaceArguments};
use crate::exit::Exit;

pub(crate) async fn run(_workspace: &WorkspaceArguments, _arguments: &ExplainArguments) -> Result<(), Exit> {
    Err(Exit::refused("not there", ""))
}
