//! `throughline snapshot create|list|show|diff|export|verify`.

mod create;
mod diff;
mod list;
mod show;
mod verify;

use throughline_engine::export_snapshot;

use crate::arguments::{SnapshotCommand, SnapshotExportArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::{bytes, say};

/// Carries out one of the subcommands.
pub(crate) async fn run(workspace: &WorkspaceArguments, command: &SnapshotCommand) -> Result<(), Exit> {
    if workspace.as_of.is_some() {
        return Err(Exit::refused(
            "`--as-of` has no place here: a snapshot's name says as of when it is",
            "leave it out",
        ));
    }
    match command {
        SnapshotCommand::Create(arguments) => create::run(workspace, arguments).await,
        SnapshotCommand::List(arguments) => list::run(workspace, arguments).await,
        SnapshotCommand::Show(arguments) => show::run(workspace, arguments).await,
        SnapshotCommand::Diff(arguments) => diff::run(workspace, arguments).await,
        SnapshotCommand::Export(arguments) => export(workspace, arguments).await,
        SnapshotCommand::Verify(arguments) => verify::run(workspace, arguments).await,
    }
}

async fn export(workspace: &WorkspaceArguments, arguments: &SnapshotExportArguments) -> Result<(), Exit> {
    let (copy, exported, verification) =
        export_snapshot(&options(workspace)?, &arguments.name, &arguments.place).await?;
    if !verification.holds() {
        say(&verify::in_words(&arguments.place, &verification));
        return Err(Exit::step_failed());
    }
    let files = verification.files - 1;
    let size = bytes(verification.bytes);
    say(&match exported.already_there {
        true => format!("{} already holds {}: {files} files, {size}, verified", copy.location(), copy.name()),
        false => format!("{} is in {}: {files} files, {size}, verified", copy.name(), copy.location()),
    });
    say(&format!("whoever has it: throughline snapshot verify {}", arguments.place));
    Ok(())
}
