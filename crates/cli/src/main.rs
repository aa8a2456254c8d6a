//! The `throughline` program: arguments in, one command a file, exit codes in one place.
//!
//! Only this crate prints and knows exit codes. Data goes to standard output, everything else to standard error.

mod arguments;
mod command;
mod exit;
mod terminal;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::exit::Exit;

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Exit::failed(format!("the asynchronous runtime does not start: {error}"), "").report(),
    };
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = dispatch(arguments) => outcome,
            interrupted = tokio::signal::ctrl_c() => match interrupted {
                Ok(()) => Err(Exit::interrupted()),
                // Without a handler the signal ends the process by itself.
                Err(_) => std::future::pending().await,
            },
        }
    });
    // Work on blocking threads (a scan, a compressor) must not hold the process after an interrupt.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(exit) => exit.report(),
    }
}

async fn dispatch(arguments: Arguments) -> Result<(), Exit> {
    let Arguments { workspace, command } = arguments;
    match command {
        Command::Sample(sample) => command::sample::run(&sample),
        Command::Check => command::check::run(&workspace).await,
        Command::Plan(plan) => command::plan::run(&workspace, &plan).await,
        Command::Run(run) => command::run::run(&workspace, &run).await,
        Command::Show(show) => command::show::run(&workspace, &show).await,
        Command::Query(query) => command::query::run(&workspace, &query).await,
        Command::Runs(runs) => command::runs::run(&workspace, &runs).await,
        Command::Completions(completions) => command::completions::run(&completions),
    }
}
