//! `throughline library list|show|eject`.

mod known;
mod list;
mod show;
mod eject;

use crate::arguments::{LibraryCommand, WorkspaceArguments};
use crate::exit::Exit;
use known::Known;

/// Carries out one of the subcommands.
pub(crate) fn run(workspace: &WorkspaceArguments, command: &LibraryCommand) -> Result<(), Exit> {
    match command {
        LibraryCommand::List => list::run(&Known::of(workspace)?),
        LibraryCommand::Show(arguments) => show::run(&Known::of(workspace)?, &arguments.name),
        LibraryCommand::Eject(arguments) => eject::run(workspace, arguments),
    }
}
