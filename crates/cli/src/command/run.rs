//! `throughline run`.

use std::sync::Arc;
use std::time::Duration;

use throughline_engine::{Event, Published, RunOptions, RunOutcome, RunStatus, StopSignal, run as run_plan};
use throughline_plan::Selection;

use crate::arguments::{LogFormat, RunArguments, SelectionArguments, WorkspaceArguments};
use crate::command::{interval, prepared};
use crate::exit::Exit;
use crate::openlineage;
use crate::signal::Interruptions;
use crate::terminal::{print_ranking, print_summary, run_observer, say};

/// Runs the plan, shows its progress, and ends with the ranked journeys where the pipeline has them.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &RunArguments) -> Result<(), Exit> {
    let mut interruptions = Interruptions::new();
    let until = match &arguments.end {
        Some(end) => &WorkspaceArguments { as_of: Some(end.clone()), ..workspace.clone() },
        None => workspace,
    };
    let interval = interval(&arguments.interval)?;
    let prepared = tokio::select! {
        prepared = prepared(until) => Arc::new(prepared?),
        _ = interruptions.next() => return Err(Exit::interrupted()),
    };
    let stop = StopSignal::default();
    let options = RunOptions {
        selection: selection(&arguments.selection),
        interval,
        threads: usize::from(arguments.threads),
        fail_fast: arguments.fail_fast,
        retry: arguments.retry,
        allow_future: arguments.allow_future,
        lease: Some(Duration::from_secs(arguments.lease_seconds)),
        stop: stop.clone(),
    };
    let observer = run_observer(arguments.log_format);
    let (observer, lineage) = openlineage::with_lineage(observer, arguments.openlineage.as_deref(), &prepared).await?;
    let record = tokio::select! {
        outcome = run_plan(&prepared, &options, &observer) => match outcome? {
            RunOutcome::Recorded(record) => *record,
            RunOutcome::Contained { message } => {
                observer.event(&Event::Note { message: &message });
                return Ok(());
            }
        },
        () = interrupted_twice(&mut interruptions, &stop) => return Err(Exit::interrupted()),
    };
    drop(lineage);
    drop(observer);
    if arguments.log_format == LogFormat::Text {
        print_summary(&record, &prepared);
        if record.status == RunStatus::Done {
            let published = Published::of(&prepared, record.clone());
            // The tables are published whatever can be shown of them: a pipeline's own `fct_key_journeys` may have
            // other columns.
            match print_ranking(&published, &prepared.plan.pipeline).await {
                Ok(Some(first)) => say(&next_steps(&first)),
                Ok(None) => {}
                Err(error) => say(&format!("\nThe ranking cannot be shown: {error}")),
            }
        }
    }
    match record.status {
        RunStatus::Done => Ok(()),
        RunStatus::Failed | RunStatus::Held => Err(Exit::of_failed_steps(&record)),
        RunStatus::TestsFailed => Err(Exit::tests_failed()),
        RunStatus::Interrupted => Err(Exit::interrupted()),
    }
}

fn next_steps(first: &str) -> String {
    format!("next: why it is so, and a page for colleagues\n  throughline explain {first}\n  throughline report")
}

/// Asks a run to stop at the first interruption, and returns at the second.
pub(crate) async fn interrupted_twice(interruptions: &mut Interruptions, stop: &StopSignal) {
    interruptions.next().await;
    say("interrupted: clearing away what is not published; once more ends at once");
    stop.request();
    interruptions.next().await;
}

/// The selectors as the plan takes them.
pub(crate) fn selection(arguments: &SelectionArguments) -> Selection {
    Selection { select: arguments.select.clone(), exclude: arguments.exclude.clone() }
}
