//! The `throughline` program: arguments in, one command a file, exit codes in one place.
//!
//! Only this crate prints and knows exit codes. Data goes to standard output, everything else to standard error.

mod arguments;
mod built_in;
mod command;
mod openlineage;
mod signal;
mod terminal;
mod exit;

use clap::Parser;

use crate::arguments::{Arguments, Command, SnapshotCommand};
use crate::exit::Exit;
use crate::signal::Interruptions;

/// Stack of each thread. The planner and the expressions of a long `a OR b OR …` recurse once a term, and the default
/// of 2 MiB ends the process at some two thousand terms. Memory is taken only as far as it is used.
const STACK_BYTES: usize = 128 * 1024 * 1024;

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let started =
        std::thread::Builder::new().name("main".to_owned()).stack_size(STACK_BYTES).spawn(|| carry_out(arguments));
    match started.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        // The panic is on standard error already.
        Ok(Err(_)) => Exit::internal().report(),
        Err(error) => Exit::failed(format!("no thread can be started: {error}"), "").report(),
    }
}

fn carry_out(arguments: Arguments) -> std::process::ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().thread_stack_size(STACK_BYTES).enable_all().build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Exit::failed(format!("the asynchronous runtime does not start: {error}"), "").report(),
    };
    let outcome = runtime.block_on(async {
        // A run clears away what it staged before it ends; the endpoint lets its queries end.
        let ends_by_itself = matches!(
            arguments.command,
            Command::Run(_) | Command::Serve(_) | Command::Snapshot(SnapshotCommand::Create(_))
        );
        let mut interruptions = Interruptions::new();
        tokio::select! {
            outcome = dispatch(arguments) => outcome,
            _ = interruptions.next(), if !ends_by_itself => Err(Exit::interrupted()),
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
        Command::Init(init) if init.from.is_empty() => command::init::run(&init),
        Command::Init(init) => command::init_from::run(&workspace, &init).await,
        Command::Sample(sample) => command::sample::run(&sample),
        Command::Check(check) => command::check::run(&workspace, &check).await,
        Command::Plan(plan) => command::plan::run(&workspace, &plan).await,
        Command::Run(run) => command::run::run(&workspace, &run).await,
        Command::Test(test) => command::test::run(&workspace, &test).await,
        Command::Show(show) => command::show::run(&workspace, &show).await,
        Command::Query(query) => command::query::run(&workspace, &query).await,
        Command::Discover(discover) => command::discover::run(&workspace, &discover).await,
        Command::Explain(explain) => command::explain::run(&workspace, &explain).await,
        Command::Report(report) => command::report::run(&workspace, &report).await,
        Command::Lineage(lineage) => command::lineage::run(&workspace, &lineage).await,
        Command::Schema(schema) => command::schema::run(&schema),
        Command::Serve(serve) => command::serve::run(&workspace, &serve).await,
        Command::Export(export) => command::export::run(&workspace, &export).await,
        Command::Runs(runs) => command::runs::run(&workspace, &runs).await,
        Command::Snapshot(snapshot) => command::snapshot::run(&workspace, &snapshot).await,
        Command::Library(library) => command::library::run(&workspace, &library),
        Command::Vacuum(vacuum) => command::vacuum::run(&workspace, &vacuum).await,
        Command::Completions(completions) => command::completions::run(&completions),
    }
}
