//! `throughline vacuum`.

use chrono::{SecondsFormat, TimeDelta};
use throughline_engine::{FailureKind, VacuumOptions, VacuumReport, vacuum};
use throughline_lake::CheckpointOutcome;

use crate::arguments::{VacuumArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::{bytes, count, fitted, framed, put, right_align, say};

/// Shorter ones endanger readers and runs that are under way.
const SHORTEST: TimeDelta = TimeDelta::hours(168);

/// Removes what nobody needs, and says how much that was.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &VacuumArguments) -> Result<(), Exit> {
    if arguments.retention < SHORTEST && !arguments.force && !arguments.dry_run {
        return Err(Exit::refused(
            format!(
                "with a retention of {} h, readers and runs that began earlier lose files that they still need",
                arguments.retention.num_hours()
            ),
            "leave it at 168 h or more; or, when nothing reads or runs, accept it with --force",
        ));
    }
    let how = VacuumOptions {
        retention: arguments.retention,
        dry_run: arguments.dry_run,
        alone: arguments.retention < SHORTEST,
    };
    let report = vacuum(&options(workspace)?, how).await?;
    if arguments.dry_run {
        list(&report)?;
    } else {
        tabulate(&report)?;
    }
    print_summary(&report, arguments.dry_run);
    match report.failed.as_slice() {
        [] => Ok(()),
        failed if failed.iter().any(|(_, error)| error.kind() == FailureKind::Internal) => Err(Exit::internal()),
        _ => Err(Exit::step_failed()),
    }
}

/// Every file, its bytes in front.
fn list(report: &VacuumReport) -> Result<(), Exit> {
    let dead = report.tables.iter().flat_map(|table| &table.dead).map(|file| (&file.path, file.bytes));
    let left = report.left_behind.files.iter().map(|(path, bytes)| (path, *bytes));
    let lines: String = dead.chain(left).map(|(path, bytes)| format!("{bytes:>12} {path}\n")).collect();
    put(&lines)
}

fn tabulate(report: &VacuumReport) -> Result<(), Exit> {
    let mut table = framed();
    table.set_header(["table", "files kept", "size kept", "files removed", "size removed"]);
    let mut any = false;
    for vacuumed in report.tables.iter().filter(|vacuumed| !vacuumed.dead.is_empty()) {
        any = true;
        table.add_row([
            vacuumed.table.clone(),
            vacuumed.kept.to_string(),
            bytes(vacuumed.kept_bytes),
            vacuumed.dead.len().to_string(),
            bytes(vacuumed.dead.iter().map(|file| file.bytes).sum()),
        ]);
    }
    right_align(&mut table, 1..5);
    if any { put(&format!("{}\n", fitted(table))) } else { Ok(()) }
}

fn print_summary(report: &VacuumReport, dry_run: bool) {
    for vacuumed in &report.tables {
        if let Some(reason) = &vacuumed.skipped {
            say(&format!("`{}` is left as it is: {reason}", vacuumed.table));
        }
    }
    let mut written = 0;
    for checkpoint in &report.checkpoints {
        match &checkpoint.outcome {
            CheckpointOutcome::Written { .. } => written += 1,
            CheckpointOutcome::Failed { reason } => {
                say(&format!("warning: no checkpoint of `{}`, whose log stays as it is: {reason}", checkpoint.table))
            }
            CheckpointOutcome::NotNeeded => {}
        }
    }
    for (table, error) in &report.failed {
        say(&format!("error: `{table}` is left as it is: {error}"));
        if let Some(help) = error.help() {
            say(&format!("  = help: {help}"));
        }
    }
    let dead = report.tables.iter().flat_map(|table| &table.dead).map(|file| file.bytes);
    let left = report.left_behind.files.iter().map(|(_, bytes)| *bytes);
    let all: Vec<u64> = dead.chain(left).collect();
    say(&format!(
        "{} {} files, {}, that nobody has needed since {}{}",
        if dry_run { "would remove" } else { "removed" },
        count(all.len() as u64),
        bytes(all.iter().sum()),
        report.before.to_rfc3339_opts(SecondsFormat::Secs, true),
        match written {
            0 => String::new(),
            1 => " · 1 checkpoint written".to_owned(),
            written => format!(" · {written} checkpoints written"),
        }
    ));
}
