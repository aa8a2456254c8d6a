//! `throughline snapshot show 2026-Q3`: a manifest in words.

use throughline_engine::{CoveredPeriods, Published, SnapshotDiff, covered_periods, snapshots};
use throughline_lake::Snapshot;

use super::diff::in_one_line;
use crate::arguments::{OutputFormat, SnapshotShowArguments, WorkspaceArguments};
use crate::command::options;
use crate::command::show::{in_stored_order, rows};
use crate::exit::Exit;
use crate::terminal::{bytes, count, day, fitted, framed, put, right_align, text_width, wrapped};

/// Shows what a snapshot holds and was made from, or the rows of one table.
pub(super) async fn run(workspace: &WorkspaceArguments, arguments: &SnapshotShowArguments) -> Result<(), Exit> {
    let options = in_stored_order(options(workspace)?);
    let published = Published::open_snapshot(options.clone(), &arguments.name).await?;
    if let Some(table) = &arguments.table {
        return rows(published.table(table).await?, arguments.limit, &arguments.output).await;
    }
    let Some(snapshot) = published.snapshot() else { return Ok(()) };
    match arguments.output.format {
        OutputFormat::Table => {}
        OutputFormat::Json => {
            let text = serde_json::to_string_pretty(snapshot.manifest());
            return put(&format!("{}\n", text.map_err(Exit::not_writable)?));
        }
        OutputFormat::Csv | OutputFormat::Parquet => {
            return Err(Exit::refused(
                "a manifest is shown as text or json",
                "name a table for its rows: throughline snapshot show NAME TABLE --format csv",
            ));
        }
    }
    let newest = snapshots(&options).await?.into_iter().rfind(|other| other.name.period == snapshot.name().period);
    let mut text = String::new();
    for sentence in sentences(snapshot, &published) {
        text.push_str(&wrapped(&sentence, "", text_width()));
        text.push('\n');
    }
    if let Some(periods) = covered_periods(&published).await? {
        text.push_str(&wrapped(&ranked_periods(&periods), "", text_width()));
        text.push('\n');
    }
    if let Some(newest) = newest.filter(|newest| newest.name != snapshot.name()) {
        text.push_str(&format!("there is a newer revision: {}\n", newest.name));
    }
    put(&format!("{text}\n{}\n", fitted(tables(snapshot))))
}

fn sentences(snapshot: &Snapshot, published: &Published) -> Vec<String> {
    let manifest = snapshot.manifest();
    let record = &published.record;
    let passed = record.steps.iter().flat_map(|step| &step.tests).filter(|test| test.passed).count();
    let tests: usize = record.steps.iter().map(|step| step.tests.len()).sum();
    let read: u64 = record.steps.iter().filter_map(|step| step.intake.as_ref()).map(|intake| intake.read).sum();
    let set_aside: u64 =
        record.steps.iter().filter_map(|step| step.intake.as_ref()).map(|intake| intake.rejected_rows()).sum();
    let mut sentences = vec![
        format!(
            "{}: {} as of {}, in {}",
            manifest.snapshot,
            manifest.pipeline,
            day(&manifest.as_of),
            snapshot.location()
        ),
        format!(
            "made on {} by throughline {} in run {} from definitions {}",
            manifest.created_at, manifest.program, record.run_id, manifest.fingerprint
        ),
        format!(
            "{} rows read, {} set aside, {passed} of {tests} tests passed; {} tables, {} rows, {} in {} files",
            count(read),
            count(set_aside),
            manifest.tables.len(),
            count(manifest.rows()),
            bytes(manifest.bytes()),
            manifest.files().count(),
        ),
    ];
    if !manifest.variables.is_empty() {
        let set: Vec<String> = manifest.variables.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        sentences.push(format!("variables set for it: {}", set.join(", ")));
    }
    if let Some(superseded) = &manifest.supersedes {
        let changes = serde_json::from_value::<SnapshotDiff>(manifest.changes.clone());
        let changes = changes.map(|changes| in_one_line(&changes)).unwrap_or_default();
        sentences.push(format!("supersedes {}: {changes}", superseded.snapshot));
    }
    sentences
}

/// Up to which period journeys are ranked.
pub(super) fn ranked_periods(periods: &CoveredPeriods) -> String {
    let running = match periods.running.as_slice() {
        [] => String::new(),
        [one] => format!("; {one} is not over and has figures so far"),
        several => format!("; {} are not over and have figures so far", several.join(", ")),
    };
    match &periods.ranked {
        Some(ranked) => format!("key journeys are ranked up to {ranked}{running}"),
        None => format!("key journeys are ranked in no period yet{running}"),
    }
}

fn tables(snapshot: &Snapshot) -> comfy_table::Table {
    let mut table = framed();
    table.set_header(["table", "rows", "size", "files", "columns", "holds"]);
    for (name, held) in &snapshot.manifest().tables {
        table.add_row([
            name.clone(),
            count(held.rows),
            bytes(held.bytes),
            held.files.len().to_string(),
            held.columns.len().to_string(),
            held.description.clone().unwrap_or_default(),
        ]);
    }
    right_align(&mut table, 1..5);
    table
}
