//! Holds `throughline serve` against a dashboard's load and against abuse: `make bench-serve`.

#![allow(missing_docs)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "tables are what was asked for")]

mod abuse;
mod dashboard;
mod endpoint;
mod load;

use std::process::ExitCode;

const USAGE: &str = "load [--customers N] [--seconds N] | abuse [--customers N]";

fn main() -> ExitCode {
    // `cargo bench` adds `--bench` to what follows `--`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = |name: &str, default: u64| match words.iter().position(|word| word == name) {
        Some(at) => {
            words.get(at + 1).and_then(|text| text.parse().ok()).ok_or_else(|| format!("{name} needs a number"))
        }
        None => Ok(default),
    };
    let outcome = match words.first().map(String::as_str) {
        Some("load") => number("--customers", 2_000)
            .and_then(|customers| number("--seconds", 10).map(|seconds| (customers, seconds)))
            .and_then(|(customers, seconds)| run(load::print(customers, seconds))),
        Some("abuse") => number("--customers", 300).and_then(|customers| run(abuse::print(customers))),
        // `cargo bench` without a name runs every benchmark; this one has to be asked for.
        None => Ok(()),
        Some(_) => Err(format!("usage: {USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(work)
}
