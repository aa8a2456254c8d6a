//! Holds the whole program against what is planted in the sample: `make truths` and `make calibration`.
//!
//! The program is used as a person would: `sample`, `run`, `query`, and the record of the run. Nothing here knows how
//! a figure is computed.

#![allow(missing_docs)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "tables are what was asked for")]

mod calibration;
mod company;
mod proportion;
mod table;
mod truths;

use std::process::ExitCode;

const USAGE: &str = "truths --customers N [--seed N] | calibration --seeds N [--customers N]";

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
        Some("truths") => number("--customers", 20_000)
            .and_then(|customers| number("--seed", 42).map(|seed| (customers, seed)))
            .and_then(|(customers, seed)| truths::print(customers, seed)),
        Some("calibration") => number("--seeds", 100)
            .and_then(|seeds| number("--customers", 2_000).map(|customers| (seeds, customers)))
            .and_then(|(seeds, customers)| calibration::print(seeds, customers)),
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
