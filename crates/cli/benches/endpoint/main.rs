//! Holds `throughline serve` against a dashboard's load and against abuse: `make bench-serve`.

#![allow(missing_docs)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "tables are what was asked for")]

mod abuse;
#[path = "../shared/command_line.rs"]
mod command_line;
mod dashboard;
mod doors;
mod endpoint;
mod load;

use std::process::ExitCode;

use command_line::CommandLine;

const USAGE: &str = "load [--customers N] [--seconds N] | abuse [--customers N]";

fn main() -> ExitCode {
    command_line::carry_out(USAGE, |part, asked| match part {
        "load" => Some(load(asked)),
        "abuse" => Some(asked.number("--customers", 300).and_then(|customers| run(abuse::print(customers)))),
        _ => None,
    })
}

fn load(asked: &CommandLine) -> Result<(), String> {
    let (customers, seconds) = (asked.number("--customers", 2_000)?, asked.number("--seconds", 10)?);
    run(load::print(customers, seconds))
}

fn run(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(work)
}
