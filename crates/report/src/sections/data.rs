//! What the run read, set aside and tested.

use std::collections::BTreeMap;

use crate::block::{Block, Section};
use crate::context::Context;
use crate::numbers::{count, whole};
use crate::table::Table;

pub(crate) fn section(context: &Context<'_>) -> Section {
    let record = &context.tables.published().record;
    let tests = record.steps.iter().flat_map(|step| step.tests.iter().map(move |test| (step, test)));
    let failed: Vec<String> = tests
        .clone()
        .filter(|(_, test)| !test.passed)
        .map(|(step, test)| format!("{}: {} ({}, {} rows)", step.step, test.test, test.severity, whole(test.count)))
        .collect();
    let tested = tests.count();
    let mut blocks = vec![Block::text(format!(
        "Run {} of throughline {}, as of {}; all figures of this page are from its {} tables. {tested} data tests ran before \
         anything was published, {} of them did not pass{}",
        record.run_id,
        record.program,
        context.as_of(),
        record.tables.len(),
        failed.len(),
        if failed.is_empty() { "." } else { " (warnings; an error would have kept the table back):" }
    ))];
    if !failed.is_empty() {
        blocks.push(Block::List { sentences: failed });
    }
    let of_others = record.as_of_other_runs();
    if !of_others.is_empty() {
        blocks.push(Block::heading("Tables as of another day"));
        let sentences =
            of_others.iter().map(|(table, as_of)| format!("{table} is as of {as_of}: an earlier run made it."));
        blocks.push(Block::List { sentences: sentences.collect() });
    }
    let not_shown: Vec<String> = record.not_shown.iter().map(|sentence| format!("{sentence}.")).collect();
    if !not_shown.is_empty() {
        blocks.push(Block::heading("What is not given, and so not shown"));
        blocks.push(Block::List { sentences: not_shown });
    }
    blocks.push(Block::heading("Rows read and set aside"));
    blocks.push(intake(context));
    blocks.extend(conservation(context));
    Section::new("data", "The data behind it", blocks)
}

fn intake(context: &Context<'_>) -> Block {
    let mut table =
        Table::new("Rows of each source", &["Source", "#Read", "#Kept", "#Identical copies", "#Set aside", "Why"]);
    for step in &context.tables.published().record.steps {
        let Some(intake) = &step.intake else { continue };
        let reasons: Vec<String> =
            intake.rejected.iter().map(|(reason, rows)| format!("{} {reason}", count(*rows))).collect();
        table.push(vec![
            step.step.clone(),
            count(intake.read),
            step.rows.map_or_else(|| "–".to_owned(), count),
            count(intake.collapsed),
            count(intake.rejected_rows()),
            reasons.join(", "),
        ]);
    }
    if table.rows.is_empty() { Block::missing("This run read no source.") } else { Block::Table { table } }
}

/// Every touchpoint is accounted for, for each definition.
fn conservation(context: &Context<'_>) -> Vec<Block> {
    let mut table = Table::new(
        "Touchpoints and instances of each definition",
        &[
            "Journey",
            "#Touchpoints read",
            "#Members",
            "#Others",
            "#Set aside",
            "#Later",
            "#Instances",
            "How they ended",
        ],
    );
    let steps = &context.tables.published().record.steps;
    let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
    for row in steps.iter().flat_map(|step| &step.conservation) {
        if seen.insert(&row.journey, ()).is_some() {
            continue;
        }
        let ended: Vec<String> = row
            .instances
            .iter()
            .filter(|(_, n)| **n > 0)
            .map(|(status, n)| format!("{} {status}", count(*n)))
            .collect();
        table.push(vec![
            context.label(&row.journey),
            count(row.read),
            count(row.members),
            count(row.non_members),
            count(row.set_aside.values().sum()),
            count(row.after_as_of),
            count(row.instances.values().sum()),
            ended.join(", "),
        ]);
    }
    if table.rows.is_empty() {
        return Vec::new();
    }
    let earlier = steps
        .iter()
        .filter(|step| !step.conservation.is_empty())
        .find_map(|step| step.increment.as_ref()?.from.as_ref());
    let counted = earlier.map(|from| {
        let from = from.split('T').next().unwrap_or(from);
        Block::text(format!(
            "Of the touchpoints that this run matched, those since {from} and what they touch; all others stay as \
             earlier runs counted them."
        ))
    });
    let heading = Block::heading("Touchpoints accounted for");
    [Some(heading), counted, Some(Block::Table { table })].into_iter().flatten().collect()
}
