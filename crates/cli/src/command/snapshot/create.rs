//! `throughline snapshot create 2026-Q3`.

use throughline_engine::{
    EngineError, Published, RunRecord, RunStatus, SnapshotOptions, SnapshotOutcome, StopSignal, covered_periods,
    create_snapshot,
};

use super::{diff, show};
use crate::arguments::{SnapshotCreateArguments, WorkspaceArguments};
use crate::command::{options, run::interrupted_twice};
use crate::exit::Exit;
use crate::signal::Interruptions;
use crate::terminal::{bytes, count, run_observer, say};

/// Makes the snapshot and tells what came of it.
pub(super) async fn run(workspace: &WorkspaceArguments, arguments: &SnapshotCreateArguments) -> Result<(), Exit> {
    let observer = run_observer(arguments.log_format);
    let stop = StopSignal::default();
    let how = SnapshotOptions { revise: arguments.revise, threads: usize::from(arguments.threads), stop: stop.clone() };
    let mut interruptions = Interruptions::new();
    let outcome = tokio::select! {
        outcome = create_snapshot(options(workspace)?, &arguments.name, how, &observer) => match outcome {
            Err(EngineError::Interrupted) => return Err(interrupted()),
            outcome => outcome?,
        },
        () = interrupted_twice(&mut interruptions, &stop) => return Err(interrupted()),
    };
    drop(observer);
    match outcome {
        SnapshotOutcome::Created { snapshot, changes } => {
            let manifest = snapshot.manifest();
            say(&format!(
                "\n{} is in {}: {} tables, {} rows, {} in {} files, as of {}",
                snapshot.name(),
                snapshot.location(),
                manifest.tables.len(),
                count(manifest.rows()),
                bytes(manifest.bytes()),
                manifest.files().count(),
                manifest.as_of,
            ));
            if let Some(changes) = changes {
                say(&format!("against {}, which stays as it is: {}", changes.from, diff::in_one_line(&changes)));
            }
            let published = Published::open_snapshot(options(workspace)?, &snapshot.name().to_string()).await?;
            if let Some(periods) = covered_periods(&published).await? {
                say(&show::ranked_periods(&periods));
            }
            Ok(())
        }
        SnapshotOutcome::Same { snapshot } => {
            say(&format!("\n{} already says the same; nothing was written", snapshot.name()));
            Ok(())
        }
        SnapshotOutcome::Differs { snapshot, changes } => Err(Exit::refused(
            format!(
                "{} stays as it is, but {} now gives other rows: {}",
                snapshot.name(),
                if changes.definitions_changed { "the pipeline, which was changed since," } else { "the data" },
                diff::in_one_line(&changes)
            ),
            format!("to keep these as {}: throughline snapshot create {} --revise", changes.to, snapshot.name().period),
        )),
        SnapshotOutcome::RunFailed { record } => Err(failed(&record)),
    }
}

fn failed(record: &RunRecord) -> Exit {
    if record.status != RunStatus::Interrupted {
        say("\nno snapshot was made: every step and every test has to succeed");
    }
    match record.status {
        RunStatus::TestsFailed => Exit::tests_failed(),
        RunStatus::Interrupted => interrupted(),
        RunStatus::Failed | RunStatus::Held | RunStatus::Done => Exit::of_failed_steps(record),
    }
}

fn interrupted() -> Exit {
    Exit::interrupted_before("no snapshot was made", "ask again; it starts from the beginning")
}
