//! `throughline completions SHELL`.

use clap::CommandFactory;

use crate::arguments::{Arguments, CompletionsArguments};
use crate::exit::Exit;

/// Writes the shell's completion script to standard output.
pub(crate) fn run(arguments: &CompletionsArguments) -> Result<(), Exit> {
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "throughline", &mut std::io::stdout());
    Ok(())
}
