//! The whole program on samples: against what is planted in them (`make truths`, `make landmarks`, `make calibration`),
//! and what a daily run costs (`make bench-daily`).
//!
//! The program is used as a person would: `sample`, `run`, `query`, and the record of the run. Nothing here knows how
//! a figure is computed. `THROUGHLINE` names another program than the daily build.

#![allow(missing_docs)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "tables are what was asked for")]

#[path = "../shared/command_line.rs"]
mod command_line;
mod company;
mod truths;
mod excess;
mod landmarks;
mod sheet;
mod calibration;
mod kept;
mod tally;
mod cell;
mod proportion;
mod daily;
mod table;

use std::process::ExitCode;

use command_line::CommandLine;

const USAGE: &str = "truths|landmarks --customers N [--seed N] | calibration [--seeds N] [--customers N] \
    [--side-by-side N] [--minutes N] | calibration-tables [--customers N] | daily --customers N [--runs N]";

/// Customers of each company of the calibration: enough for the guard to let most journeys pass in a month and segment.
const CALIBRATED: u64 = 40_000;

fn main() -> ExitCode {
    command_line::carry_out(USAGE, |part, asked| match part {
        "truths" => Some(truths(asked)),
        "landmarks" => Some(landmarks(asked)),
        "calibration" => Some(calibration(asked)),
        "calibration-tables" => Some(asked.number("--customers", CALIBRATED).and_then(calibration::print)),
        "daily" => Some(daily(asked)),
        _ => None,
    })
}

fn truths(asked: &CommandLine) -> Result<(), String> {
    truths::print(asked.number("--customers", 20_000)?, asked.number("--seed", 42)?)
}

fn landmarks(asked: &CommandLine) -> Result<(), String> {
    landmarks::print(asked.number("--customers", 20_000)?, asked.number("--seed", 42)?)
}

fn calibration(asked: &CommandLine) -> Result<(), String> {
    let minutes = asked.number("--minutes", 0)?;
    calibration::run(&calibration::Asked {
        seeds: asked.number("--seeds", 90)?,
        customers: asked.number("--customers", CALIBRATED)?,
        side_by_side: asked.number("--side-by-side", 2)?,
        minutes: (minutes > 0).then_some(minutes),
    })
}

fn daily(asked: &CommandLine) -> Result<(), String> {
    daily::print(asked.number("--customers", 100_000)?, asked.number("--runs", 3)?)
}
