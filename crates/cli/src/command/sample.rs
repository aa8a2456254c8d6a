//! `throughline sample`.

use std::io::IsTerminal;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use throughline_sample::{SampleError, SampleOptions, generate};

use crate::arguments::SampleArguments;
use crate::exit::Exit;
use crate::terminal::{count, say, seconds};

/// Writes the sample lake and says what was planted in it.
pub(crate) fn run(arguments: &SampleArguments) -> Result<(), Exit> {
    let began = Instant::now();
    let mut options = SampleOptions::new(&arguments.out);
    options.customers = arguments.customers;
    options.months = arguments.months;
    options.seed = arguments.seed;
    options.effects = !arguments.no_effects;
    let bar = bar(arguments.customers);
    let mut rows = 0;
    let truth = generate(&options, &mut |progress| {
        rows = progress.rows;
        bar.set_position(progress.customers);
        bar.set_message(count(progress.rows));
    });
    bar.finish_and_clear();
    let truth = truth.map_err(exit)?;
    say(&format!(
        "{} rows of {} customers over {} months ({} to {}) in {} · {} touchpoints · {}",
        count(rows),
        count(truth.customers),
        truth.months,
        truth.start,
        truth.end,
        arguments.out.display(),
        count(truth.touchpoints),
        seconds(began.elapsed().as_secs_f64()),
    ));
    say(&format!("what is planted in it: {}", arguments.out.join("_truth.json").display()));
    Ok(())
}

fn bar(customers: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(customers);
    if let Ok(style) =
        ProgressStyle::with_template("  {bar:40} {human_pos}/{human_len} customers · {msg} rows · {eta} left")
    {
        bar.set_style(style);
    }
    bar
}

fn exit(error: SampleError) -> Exit {
    let message = error.to_string();
    match error {
        SampleError::NotASample { .. } => Exit::refused(message, "name another folder with --out"),
        SampleError::NothingToWrite => Exit::refused(message, "give --customers and --months above zero"),
        _ => Exit::failed(message, "nothing was replaced; run again when the cause is gone"),
    }
}
