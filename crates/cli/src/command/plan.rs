//! `throughline plan`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat};
use throughline_engine::{Arrangement, Published, Rebuild, StepRecord, contained_day, decide_rebuilds};
use throughline_plan::{Plan, Step, StepKind, TRIGGER_LOG};

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
    let steps = throughline_engine::needed_steps(plan, &selected);
    let interval = interval(&arguments.interval)?;
    if let Some(message) = contained_day(&prepared, &steps, interval).await? {
        return put(&format!("{}\n", wrapped(&message, "", text_width())));
    }
    let published = Published::latest(prepared.warehouse(), &plan.pipeline.name).await?;
    let before: BTreeMap<String, StepRecord> = published
        .map(|published| published.record.steps.into_iter().map(|step| (step.step.clone(), step)).collect())
        .unwrap_or_default();
    let arrangements = prepared.arrangements().await?;
    let mut table = framed();
    table.set_header(["", "step", "kind", "reads", "why"]);
    let rebuilds = decide_rebuilds(&prepared, &steps, interval).await?;
    for (index, step) in steps.iter().enumerate() {
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
            None if plan.pipeline.is_absent(&step.name) => "not given, so it is empty".to_owned(),
            None => reason(step, plan, &before),
        };
        if let Some(arrangement) = arrangements.get(&step.name) {
            why = format!("{why}; {}", arranged(*arrangement));
        }
        table.add_row([&(index + 1).to_string(), &step.name, kind, &reads, &why]);
    }
    right_align(&mut table, 0..1);
    let mut text = format!("{}\n", fitted(table));
    let off = plan.pipeline.off.iter().map(|(name, off)| match off.triggers.as_slice() {
        [] => format!("{name} is turned off"),
        triggers => format!("{name} is turned off, and what watches it: {}", triggers.join(", ")),
    });
    let notes = new_version(plan, &steps, &before).into_iter().chain(plan.not_shown()).chain(off);
    for note in notes {
        text.push_str(&format!("{}\n", wrapped(&note, "", text_width())));
    }
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

fn reason(step: &Step, plan: &Plan, before: &BTreeMap<String, StepRecord>) -> String {
    let word = match (step.kind, before.get(&step.name)) {
        (StepKind::Source | StepKind::Seed, _) => "read and held to its contract",
        (StepKind::View, _) => "computed where it is read",
        (StepKind::Table, None) => "not published yet",
        (StepKind::Table, Some(_)) => {
            let then = |name: &str| before.get(name).map(|record| record.fingerprint.as_str());
            match plan.changed_since(&step.name, then) {
                Some(changed) => return format!("replaced whole; {}", plan.changed_in_words(&step.name, changed)),
                None => "replaced whole; same definition",
            }
        }
    };
    word.to_owned()
}

/// What a new version of a library changes: which of its models are not what they were in the last run, and which
/// tables are made anew because of them.
fn new_version(plan: &Plan, steps: &[&Step], before: &BTreeMap<String, StepRecord>) -> Option<String> {
    let then = |name: &str| before.get(name).map(|record| record.fingerprint.as_str());
    let mut changed: BTreeSet<&str> = BTreeSet::new();
    let mut anew: Vec<&str> = Vec::new();
    for step in steps.iter().filter(|step| step.kind == StepKind::Table && before.contains_key(&step.name)) {
        if let Some(of) = plan.changed_since(&step.name, then).filter(|of| plan.pipeline.library_of(of).is_some()) {
            changed.insert(of);
            anew.push(&step.name);
        }
    }
    let changed: Vec<&str> = changed.into_iter().collect();
    (!changed.is_empty()).then(|| {
        format!(
            "the library has changed since the last run: {}; made anew because of it: {}",
            changed.join(", "),
            anew.join(", ")
        )
    })
}
