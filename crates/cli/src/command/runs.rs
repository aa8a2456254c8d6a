//! `throughline runs`.

use serde_json::json;
use throughline_engine::{EngineError, PastRun, RunRecord, RunStatus, StepStatus, past_runs};

use crate::arguments::{RunsArguments, RunsFormat, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::{count, day, fitted, framed, put, right_align, say, seconds};

/// Lists the newest runs of the pipeline, newest first, and what failed in them.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &RunsArguments) -> Result<(), Exit> {
    let runs = past_runs(options(workspace)?, arguments.limit).await?;
    if arguments.format == RunsFormat::Json {
        return put(&runs.iter().filter_map(json_line).collect::<String>());
    }
    if runs.is_empty() {
        say("no run yet; `throughline run` makes the tables");
        return Ok(());
    }
    let mut table = framed();
    table.set_header(["run", "status", "as of", "time", "tables", "rows", "set aside", "tests failed"]);
    for run in &runs {
        match run {
            PastRun::Recorded(record) => table.add_row(figures(record)),
            PastRun::Unreadable { run_id, .. } => {
                table.add_row([run_id.as_str(), "unreadable", "", "", "", "", "", ""])
            }
        };
    }
    right_align(&mut table, 3..8);
    put(&format!("{}\n", fitted(table)))?;
    put(&runs.iter().map(what_is_wrong).collect::<String>())
}

fn json_line(run: &PastRun) -> Option<String> {
    let line = match run {
        PastRun::Recorded(record) => serde_json::to_string(record).ok()?,
        PastRun::Unreadable { run_id, error } => {
            json!({ "run_id": run_id, "status": "unreadable", "error": error.to_string(), "help": error.help() })
                .to_string()
        }
    };
    Some(format!("{line}\n"))
}

/// A run's line of the table.
fn figures(record: &RunRecord) -> [String; 8] {
    let status = match record.status {
        RunStatus::Done => "done",
        RunStatus::Failed => "failed",
        RunStatus::TestsFailed => "tests failed",
        RunStatus::Held => "held by another run",
        RunStatus::Interrupted => "interrupted",
    };
    let published = || record.steps.iter().filter(|step| step.published_version().is_some());
    let intakes = record.steps.iter().filter_map(|step| step.intake.as_ref());
    let failed = record.steps.iter().flat_map(|step| &step.tests).filter(|test| !test.passed).count();
    [
        record.run_id.clone(),
        status.to_owned(),
        day(&record.as_of).to_owned(),
        seconds(record.seconds),
        published().count().to_string(),
        count(published().filter_map(|step| step.rows).sum()),
        count(intakes.map(|intake| intake.rejected_rows()).sum()),
        failed.to_string(),
    ]
}

fn what_is_wrong(run: &PastRun) -> String {
    match run {
        PastRun::Recorded(record) => what_failed(record),
        PastRun::Unreadable { run_id, error } => format!("\n{run_id}\n{}", error_lines(error)),
    }
}

fn error_lines(error: &EngineError) -> String {
    let help = error.help().map_or_else(String::new, |help| format!("  = help: {help}\n"));
    format!("  {error}\n{help}")
}

/// Why a run is not done: the steps and tests that failed, and how many steps did not run because of them.
fn what_failed(record: &RunRecord) -> String {
    let mut text = String::new();
    let mut not_run = 0;
    for step in &record.steps {
        let broken = step.tests.iter().filter(|test| !test.passed && test.severity == "error");
        let broken = broken.map(|test| {
            format!(
                "  {}: test failed: {} ({}), {}\n",
                step.step,
                test.test,
                count(test.count.unsigned_abs()),
                test.place
            )
        });
        match step.status {
            StepStatus::Failed => {
                let error = step.error.as_deref().and_then(|error| error.lines().next()).unwrap_or("failed");
                text.push_str(&format!("  {}: {error}\n", step.step));
            }
            StepStatus::TestsFailed => text.push_str(&broken.collect::<String>()),
            StepStatus::NotRun => not_run += 1,
            StepStatus::Done => {}
        }
    }
    if text.is_empty() && not_run == 0 {
        return text;
    }
    if not_run > 0 {
        text.push_str(&format!("  {not_run} steps did not run\n"));
    }
    format!("\n{}\n{text}", record.run_id)
}
