//! `throughline plan`.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use throughline_engine::{Arrangement, Published, Rebuild, StepRecord, decide_rebuilds};
use throughline_plan::{Step, StepKind, TRIGGER_LOG};

use crate::arguments::{PlanArguments, WorkspaceArguments};
use crate::command::run::selection;
use crate::command::{interval, prepared};
use crate::exit::Exit;
use crate::terminal::{bytes, fitted, framed, put, right_align, text_width, wrapped};

/// Prints the steps that a run with the same arguments would execute, in order, with the reason for each.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &PlanArguments) -> Result<(), Exit> {
    let prepared = prepared(workspace).await?;
    let plan = &prepared.plan;
    let selected = selection(&arguments.selection).models(&plan.pipeline, &plan.graph)?;
    let published = Published::latest(prepared.warehouse(), &plan.pipeline.name).await?;
    let before: BTreeMap<String, StepRecord> = published
        .map(|published| published.record.steps.into_iter().map(|step| (step.step.clone(), step)).collect())
        .unwrap_or_default();
    let arrangements = prepared.arrangements().await?;
    let mut table = framed();
    table.set_header(["", "step", "kind", "reads", "why"]);
    let steps = throughline_engine::needed_steps(plan, &selected);
    let interval = interval(&arguments.interval)?;
    let rebuilds = decide_rebuilds(&prepared, &steps, interval).await?;
    for (index, step) in steps.into_iter().enumerate() {
        let kind = match step.kind {
            StepKind::Source => "source",
            StepKind::Seed => "seed",
            StepKind::View => "view",
            StepKind::Table => "table",
        };
        let reads = match prepared.source_size(&step.name) {
            Some((files, size)) => format!("{files} file{}, {}", if files == 1 { "" } else { "s" }, bytes(size)),
            None => step.inputs.join(", "),
        };
        let mut why = match rebuilds.get(&step.name) {
            Some(rebuild) => incremental(rebuild),
            None => reason(step, before.get(&step.name)),
        };
        if let Some(arrangement) = arrangements.get(&step.name) {
            why = format!("{why}; {}", arranged(*arrangement));
        }
        table.add_row([&(index + 1).to_string(), &step.name, kind, &reads, &why]);
    }
    right_align(&mut table, 0..1);
    let mut text = format!("{}\n", fitted(table));
    let watched = plan.pipeline.triggers.values().filter(|trigger| selected.contains(&trigger.table.value));
    let names: Vec<&str> = watched.map(|trigger| trigger.name.value.as_str()).collect();
    if !names.is_empty() {
        let then =
            format!("then, once all are published, what newly fires is added to {TRIGGER_LOG}: {}", names.join(", "));
        text.push_str(&format!("{}\n", wrapped(&then, "", text_width())));
    }
    put(&text)
}

/// What the matcher does to put each customer's touchpoints together.
fn arranged(arrangement: Arrangement) -> &'static str {
    match arrangement {
        Arrangement::Ordered => "touchpoints come in the order of their customers and are not sorted",
        Arrangement::Shuffled { .. } => "touchpoints are sorted by customer",
    }
}

/// Which rows of an incremental model are rebuilt, and why.
fn incremental(rebuild: &Rebuild) -> String {
    let from = match rebuild.since.and_then(DateTime::from_timestamp_micros) {
        Some(since) => format!("rebuilt from {}", since.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        None => "whole history".to_owned(),
    };
    // Midnight is what a day means by itself.
    format!("{from}: {}", rebuild.why).replace("T00:00:00Z", "")
}

fn reason(step: &Step, before: Option<&StepRecord>) -> String {
    let word = match (step.kind, before) {
        (StepKind::Source | StepKind::Seed, _) => "read and held to its contract",
        (StepKind::View, _) => "computed where it is read",
        (StepKind::Table, None) => "not published yet",
        (StepKind::Table, Some(record)) if record.fingerprint != step.fingerprint => {
            "replaced whole; its definition or that of an input changed"
        }
        (StepKind::Table, Some(_)) => "replaced whole; same definition",
    };
    word.to_owned()
}
