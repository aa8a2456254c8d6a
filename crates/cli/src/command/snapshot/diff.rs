//! `throughline snapshot diff 2026-Q2 2026-Q3`.

use throughline_engine::{JourneyFigures, JourneyMove, SnapshotDiff, TableDiff, diff_snapshots};
use throughline_report::{decimals_of, fixed, of_hundred, signed, words};

use crate::arguments::{ReportFormat, SnapshotDiffArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::{count, day, fitted, framed, put, right_align, text_width, wrapped};

/// Columns named beside a table; the others are counted.
const NAMED_COLUMNS: usize = 3;

/// Prints what changed, by table and by journey.
pub(super) async fn run(workspace: &WorkspaceArguments, arguments: &SnapshotDiffArguments) -> Result<(), Exit> {
    let diff = diff_snapshots(&options(workspace)?, &arguments.from, &arguments.to).await?;
    if arguments.format == ReportFormat::Json {
        let text = serde_json::to_string_pretty(&diff);
        return put(&format!("{}\n", text.map_err(Exit::not_writable)?));
    }
    put(&in_words(&diff))
}

/// `fct_journey +12 −3 ~40, mart_planning ~8`: rows added, removed and changed.
pub(super) fn in_one_line(diff: &SnapshotDiff) -> String {
    let changed = diff.tables.iter().filter(|(_, table)| !table.same_rows());
    let words: Vec<String> = changed
        .map(|(name, table)| {
            let counts = [("+", table.added), ("−", table.removed), ("~", table.changed)];
            let counts =
                counts.iter().filter(|(_, rows)| *rows > 0).map(|(sign, rows)| format!(" {sign}{}", count(*rows)));
            let columns = match columns_changed(table) {
                Some(columns) => format!(" ({columns})"),
                None => String::new(),
            };
            format!("{name}{}{columns}", counts.collect::<String>())
        })
        .collect();
    match words.as_slice() {
        [] => "no row".to_owned(),
        words => words.join(", "),
    }
}

fn in_words(diff: &SnapshotDiff) -> String {
    let definitions = if diff.definitions_changed { "definitions changed" } else { "same definitions" };
    let mut text = format!(
        "{} → {} · as of {} → {} · {definitions}\n\n",
        diff.from,
        diff.to,
        day(&diff.from_as_of),
        day(&diff.to_as_of)
    );
    let (same, changed): (Vec<_>, Vec<_>) = diff.tables.iter().partition(|(_, table)| table.same_rows());
    if !changed.is_empty() {
        let mut table = framed();
        table.set_header(["table", "rows", "added", "removed", "changed", "where rows changed"]);
        for (name, diff) in changed {
            table.add_row([
                name.clone(),
                from_to(diff.rows_from.map(count), diff.rows_to.map(count)),
                count(diff.added),
                count(diff.removed),
                count(diff.changed),
                where_changed(diff),
            ]);
        }
        right_align(&mut table, 1..5);
        text.push_str(&format!("{}\n", fitted(table)));
    }
    if !same.is_empty() {
        let names: Vec<&str> = same.iter().map(|(name, _)| name.as_str()).collect();
        text.push_str(&format!("without a change: {}\n", names.join(", ")));
    }
    if !diff.journeys.is_empty() {
        text.push_str(&format!("\n{}\n{}\n", periods(&diff.journeys), fitted(journeys(&diff.journeys))));
        let notes = [
            "on it: customers · left: of 100 of them, within 90 days · like: the same of like customers not on it · times: how \
             many times as often as those they leave",
            "more left: in the period, than of like customers, if the journey is the cause; negative: fewer",
        ];
        for note in notes {
            text.push_str(&format!("{}\n", wrapped(note, "", text_width())));
        }
        text.push_str(&why_moved(&diff.journeys));
    }
    text
}

fn where_changed(table: &TableDiff) -> String {
    let mut columns: Vec<(&String, u64)> = table.columns.iter().map(|(name, rows)| (name, *rows)).collect();
    columns.sort_by_key(|(name, rows)| (std::cmp::Reverse(*rows), *name));
    let mut words: Vec<String> =
        columns.iter().take(NAMED_COLUMNS).map(|(name, rows)| format!("{name} {}", count(*rows))).collect();
    if columns.len() > NAMED_COLUMNS {
        words.push(format!("{} more", columns.len() - NAMED_COLUMNS));
    }
    words.extend(columns_changed(table));
    words.join(", ")
}

fn columns_changed(table: &TableDiff) -> Option<String> {
    let kinds =
        [("new", &table.columns_added), ("gone", &table.columns_removed), ("of another type", &table.columns_retyped)];
    let words: Vec<String> = kinds
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(word, names)| format!("{word}: {}", names.join(" ")))
        .collect();
    (!words.is_empty()).then(|| words.join("; "))
}

fn periods(journeys: &[JourneyMove]) -> String {
    let of = |pick: fn(&JourneyMove) -> &Option<JourneyFigures>| {
        journeys.iter().find_map(|moved| pick(moved).as_ref()).map(|figures| figures.period.clone())
    };
    let none = || "none".to_owned();
    let (from, to) = (of(|moved| &moved.from).unwrap_or_else(none), of(|moved| &moved.to).unwrap_or_else(none));
    let periods = if from == to { from } else { format!("{from} → {to}") };
    format!("Journeys in the newest period with figures, all segments: {periods}")
}

fn journeys(journeys: &[JourneyMove]) -> comfy_table::Table {
    let mut table = framed();
    table.set_header(["tier", "#", "journey", "on it", "left", "like", "times", "more left"]);
    for moved in journeys {
        let cell = |figure: &dyn Fn(&JourneyFigures) -> Option<String>| {
            from_to(moved.from.as_ref().and_then(figure), moved.to.as_ref().and_then(figure))
        };
        table.add_row([
            cell(&|figures| Some(figures.tier.clone().unwrap_or_else(|| figures.status.clone()))),
            cell(&|figures| figures.rank.map(|rank| rank.to_string())),
            moved.journey.clone(),
            cell(&|figures| figures.exposed_customers.map(|customers| count(customers.unsigned_abs()))),
            cell(&|figures| figures.exposed_churn_rate.map(of_hundred)),
            cell(&|figures| figures.like_churn_rate.map(of_hundred)),
            cell(&|figures| figures.adjusted_rate_ratio.map(|ratio| format!("{ratio:.2}"))),
            cell(&|figures| figures.excess_churners.map(|excess| fixed(excess.value, decimals_of(excess)))),
        ]);
    }
    right_align(&mut table, 3..8);
    table
}

/// Why each excess is another than before, where the two periods follow each other.
fn why_moved(journeys: &[JourneyMove]) -> String {
    let mut text = String::new();
    for moved in journeys {
        let Some(change) = &moved.change else { continue };
        let Some(total) = change.total else { continue };
        if text.is_empty() {
            text.push_str("\nWhy it moved, in customers who left beyond like ones:\n");
        }
        let sentence = format!("{}: {}{}", moved.journey, signed(total), words::change_in_parts(change));
        text.push_str(&format!("{}\n", wrapped(&sentence, "- ", text_width())));
    }
    if !text.is_empty() {
        let note = "The parts add up to the change; one whose interval holds 0 may be chance.";
        text.push_str(&format!("{}\n", wrapped(note, "", text_width())));
    }
    text
}

/// `59 → 61`, or one of them where both are the same; `·` where there is none.
fn from_to(from: Option<String>, to: Option<String>) -> String {
    let none = || "·".to_owned();
    match (from, to) {
        (None, None) => none(),
        (Some(from), Some(to)) if from == to => to,
        (from, to) => format!("{} → {}", from.unwrap_or_else(none), to.unwrap_or_else(none)),
    }
}
