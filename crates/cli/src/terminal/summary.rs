//! The end of a run: what was made, what was set aside, what it cost.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table};
use throughline_engine::{ConservationRow, Prepared, RunRecord, RunStatus, StepRecord, StepStatus, TriggerRecord};

use crate::terminal::{bytes, count, day, fitted, framed, on_terminal, say, seconds};

/// Prints the summary on standard error.
pub(crate) fn print_summary(record: &RunRecord, prepared: &Prepared) {
    if let Some(table) = rejected_rows(&record.steps) {
        say(&format!("\nSet aside (published as <relation>__rejected with the reason)\n{}", fitted(table)));
    }
    let mut conservation: Vec<&ConservationRow> = Vec::new();
    // Members and instances are matched each for themselves and come to the same.
    for row in record.steps.iter().flat_map(|step| &step.conservation) {
        if !conservation.contains(&row) {
            conservation.push(row);
        }
    }
    if !conservation.is_empty() {
        say(&format!("\n{}", on_terminal(&conservation_title(&conservation))));
        say(&fitted(conservation_table(&conservation)));
    }
    say("");
    for line in last_lines(record, prepared) {
        say(&on_terminal(&line));
    }
    if let Some(line) = triggers(&record.triggers) {
        say(&on_terminal(&line));
    }
    for sentence in &record.not_shown {
        say(&on_terminal(sentence));
    }
}

/// What is new in the log of triggers, the worst first.
fn triggers(triggers: &[TriggerRecord]) -> Option<String> {
    let fired: u64 = triggers.iter().map(|trigger| trigger.fired).sum();
    let holding: u64 = triggers.iter().map(|trigger| trigger.holding).sum();
    if triggers.is_empty() {
        return None;
    }
    let mut named = Vec::new();
    for severity in ["critical", "warning", "info"] {
        let new = triggers.iter().filter(|trigger| trigger.severity == severity && trigger.fired > 0);
        named.extend(new.map(|trigger| format!("{} {} ({severity})", count(trigger.fired), trigger.trigger)));
    }
    let named = if named.is_empty() { String::new() } else { format!(": {}", named.join(" · ")) };
    Some(format!("triggers: {} new of {} firings{named}", count(fired), count(holding)))
}

fn rejected_rows(steps: &[StepRecord]) -> Option<Table> {
    let mut table = framed();
    table.set_header(["relation", "rows", "of", "reasons"]);
    let mut any = false;
    for step in steps {
        let Some(intake) = step.intake.as_ref().filter(|intake| intake.rejected_rows() > 0) else { continue };
        let reasons: Vec<String> =
            intake.rejected.iter().map(|(reason, rows)| format!("{} {reason}", count(*rows))).collect();
        table.add_row([&step.step, &count(intake.rejected_rows()), &count(intake.read), &reasons.join(" · ")]);
        any = true;
    }
    right_align(&mut table, 1..3);
    any.then_some(table)
}

/// Every definition reads the same touchpoints, unless several relations are matched.
fn conservation_title(rows: &[&ConservationRow]) -> String {
    let read: Vec<u64> = rows.iter().map(|row| row.read).collect();
    let touchpoints = match (read.iter().min(), read.iter().max()) {
        (Some(least), Some(most)) if least == most => count(*most),
        (Some(least), Some(most)) => format!("{} to {}", count(*least), count(*most)),
        _ => count(0),
    };
    format!(
        "{touchpoints} touchpoints read; for each journey they are its members, others, aside (set aside) \
         or later (at or after as_of)"
    )
}

fn conservation_table(rows: &[&ConservationRow]) -> Table {
    const STATUSES: [&str; 5] = ["completed", "abandoned", "expired", "restarted", "open"];
    let mut table = framed();
    table.set_header(["journey", "members", "others", "aside", "later", "instances"].into_iter().chain(STATUSES));
    for row in rows {
        let instances = STATUSES.map(|status| row.instances.get(status).copied().unwrap_or(0));
        let set_aside: u64 = row.set_aside.values().sum();
        let numbers = [row.members, row.non_members, set_aside, row.after_as_of, row.instances.values().sum()];
        let cells = numbers.into_iter().chain(instances).map(count);
        table.add_row(std::iter::once(row.journey.clone()).chain(cells));
    }
    right_align(&mut table, 1..11);
    table
}

/// Aligns columns of numbers to the right.
pub(crate) fn right_align(table: &mut Table, columns: std::ops::Range<usize>) {
    for index in columns {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn last_lines(record: &RunRecord, prepared: &Prepared) -> [String; 2] {
    let mut by_status: BTreeMap<&str, usize> = BTreeMap::new();
    for step in &record.steps {
        let word = match step.status {
            StepStatus::Done => "done",
            StepStatus::Failed => "failed",
            StepStatus::TestsFailed => "failed their tests",
            StepStatus::NotRun => "not run",
        };
        *by_status.entry(word).or_default() += 1;
    }
    let steps = by_status.iter().map(|(word, number)| format!("{number} {word}")).collect::<Vec<_>>().join(", ");
    let tables: Vec<&StepRecord> = record.steps.iter().filter(|step| step.version.is_some()).collect();
    let rows: u64 = tables.iter().filter_map(|step| step.rows).sum();
    let size: u64 = tables.iter().filter_map(|step| step.bytes).sum();
    let read: u64 = record.steps.iter().map(|step| step.usage.bytes_read).sum();
    let spilled: u64 = record.steps.iter().map(|step| step.usage.bytes_spilled).sum();
    let rejected: u64 =
        record.steps.iter().filter_map(|step| step.intake.as_ref()).map(|intake| intake.rejected_rows()).sum();
    let word = match record.status {
        RunStatus::Done => "done",
        RunStatus::Failed => "FAILED",
        RunStatus::TestsFailed => "TESTS FAILED",
        RunStatus::Held => "HELD BY ANOTHER RUN",
        RunStatus::Interrupted => "INTERRUPTED",
    };
    let memory = record.peak_memory_bytes.map_or_else(|| "unknown".to_owned(), bytes);
    [
        format!("{word}: {steps} in {} · as of {}", seconds(record.seconds), day(&record.as_of)),
        format!(
            "{} tables, {} rows, {} in {} · {} rows set aside · {} read, {} spilled, peak memory {memory}",
            tables.len(),
            count(rows),
            bytes(size),
            prepared.warehouse_address(),
            count(rejected),
            bytes(read),
            bytes(spilled),
        ),
    ]
}
