//! Progress of a run: bars on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use throughline_engine::{Event, Observer, StepRecord, StepStatus};

use crate::exit::stderr_has_colour;
use crate::terminal::{bytes, count, say, seconds};

/// Shows a person how a run goes.
pub(crate) struct Progress {
    bars: Option<MultiProgress>,
    running: Mutex<HashMap<String, ProgressBar>>,
}

impl Progress {
    /// Bars if standard error is a terminal.
    pub(crate) fn new() -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self { bars, running: Mutex::default() }
    }

    fn print(&self, line: &str) {
        let printed = self.bars.as_ref().map(|bars| bars.println(line).is_ok());
        if printed != Some(true) {
            say(line);
        }
    }

    fn start(&self, step: &str) {
        let Some(bars) = &self.bars else { return };
        let bar = bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {prefix:<28} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_prefix(step.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        if let Ok(mut running) = self.running.lock() {
            running.insert(step.to_owned(), bar);
        }
    }

    fn finish(&self, record: &StepRecord) {
        if let Ok(mut running) = self.running.lock()
            && let Some(bar) = running.remove(&record.step)
        {
            bar.finish_and_clear();
        }
        self.print(&line(record, stderr_has_colour()));
        for test in record.tests.iter().filter(|test| !test.passed) {
            let word = if test.severity == "error" { "test failed" } else { "test warns" };
            self.print(&format!(
                "      {word}: {} ({} rows), {}",
                test.test,
                count(test.count.unsigned_abs()),
                test.place
            ));
        }
        if let Some(error) = &record.error {
            self.print(&format!("      {error}"));
        }
        if let Some(help) = &record.help {
            self.print(&format!("      help: {help}"));
        }
    }
}

impl Observer for Progress {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::RunStarted { run_id, steps } => self.print(&format!("run {run_id}: {} steps", steps.len())),
            Event::StepStarted { step } => self.start(step),
            Event::StepProgress { step, rows } => {
                if let Ok(running) = self.running.lock()
                    && let Some(bar) = running.get(*step)
                {
                    bar.set_message(format!("{} rows read", count(*rows)));
                }
            }
            Event::StepFinished { record } => self.finish(record),
            Event::Warning { message } => self.print(&format!("warning: {message}")),
            Event::Note { message } => self.print(message),
            Event::RunFinished { .. } => {}
        }
    }
}

/// One line a step: mark, kind, name, rows, size, time.
fn line(record: &StepRecord, colour: bool) -> String {
    let (mark, paint) = match record.status {
        StepStatus::Done if record.reused_from.is_some() => ("taken over", "\x1b[32m"),
        StepStatus::Done => ("ok", "\x1b[32m"),
        StepStatus::Failed => ("FAILED", "\x1b[1;31m"),
        StepStatus::TestsFailed => ("TEST FAILED", "\x1b[1;31m"),
        StepStatus::NotRun => ("not run", "\x1b[33m"),
    };
    let mark = if colour { format!("{paint}{mark}\x1b[0m") } else { mark.to_owned() };
    let mut line = format!("  {mark} {} {}", record.kind, record.step);
    if let Some(rows) = record.rows {
        line.push_str(&format!(" · {} rows", count(rows)));
    }
    if let Some(size) = record.bytes {
        line.push_str(&format!(" · {}", bytes(size)));
    }
    if let Some(increment) = &record.increment
        && let Some(from) = &increment.from
    {
        line.push_str(&format!(" · {} rebuilt since {from}", count(increment.written)));
        if let Some(replaced) = increment.replaced_ids.filter(|replaced| *replaced > 0) {
            line.push_str(&format!(", {} ids replaced", count(replaced)));
        }
    }
    if let Some(intake) = &record.intake {
        if intake.rejected_rows() > 0 {
            line.push_str(&format!(" · {} set aside", count(intake.rejected_rows())));
        }
        if intake.collapsed > 0 {
            line.push_str(&format!(" · {} copies collapsed", count(intake.collapsed)));
        }
        if intake.after_as_of > 0 {
            line.push_str(&format!(" · {} at or after as_of", count(intake.after_as_of)));
        }
    }
    let passed = record.tests.iter().filter(|test| test.passed).count();
    if !record.tests.is_empty() {
        line.push_str(&format!(" · {passed}/{} tests", record.tests.len()));
    }
    if record.status != StepStatus::NotRun {
        line.push_str(&format!(" · {}", seconds(record.seconds)));
    }
    line
}
