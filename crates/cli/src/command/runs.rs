//! `throughline runs`.

use throughline_engine::{RunStatus, past_runs};

use crate::arguments::{RunsArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::{count, framed, say, seconds};

/// Lists the newest runs of the pipeline, newest first.
#[allow(clippy::print_stdout, reason = "the list is what was asked for")]
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &RunsArguments) -> Result<(), Exit> {
    let runs = past_runs(options(workspace)?, arguments.limit).await?;
    if runs.is_empty() {
        say("no run yet; `throughline run` makes the tables");
        return Ok(());
    }
    let mut table = framed();
    table.set_header(["run", "status", "as of", "time", "tables", "rows", "set aside", "tests failed"]);
    for record in &runs {
        let status = match record.status {
            RunStatus::Done => "done",
            RunStatus::Failed => "failed",
            RunStatus::TestsFailed => "tests failed",
            RunStatus::Held => "held by another run",
            RunStatus::Interrupted => "interrupted",
        };
        let rows: u64 = record.steps.iter().filter(|step| step.version.is_some()).filter_map(|step| step.rows).sum();
        let made = record.steps.iter().filter(|step| step.version.is_some()).count();
        let rejected: u64 =
            record.steps.iter().filter_map(|step| step.intake.as_ref()).map(|intake| intake.rejected_rows()).sum();
        let failed = record.steps.iter().flat_map(|step| &step.tests).filter(|test| !test.passed).count();
        table.add_row([
            record.run_id.clone(),
            status.to_owned(),
            record.as_of.clone(),
            seconds(record.seconds),
            made.to_string(),
            count(rows),
            count(rejected),
            failed.to_string(),
        ]);
    }
    println!("{table}");
    Ok(())
}
