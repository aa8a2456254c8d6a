//! `throughline test`.

use std::sync::Arc;

use serde_json::{Value, json};
use throughline_engine::{
    Differences, FailureKind, ModelTests, Published, ShownCell, UnitTestRecord, prepare, run_unit_tests, test_published,
};

use crate::arguments::{TestArguments, TestFormat, WorkspaceArguments};
use crate::command::options;
use crate::command::run::selection;
use crate::exit::{Exit, print_findings};
use crate::terminal::{count, fitted, framed, put, right_align, say, seconds};

/// Runs the unit tests, which need no lake, and the data tests on what is published.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &TestArguments) -> Result<(), Exit> {
    let selection = selection(&arguments.selection);
    let mut failed = 0;
    let mut met_a_bug = false;
    if !arguments.data {
        let records = run_unit_tests(options(workspace)?, &selection).await?;
        failed += records.iter().filter(|record| !record.passed).count();
        met_a_bug = records.iter().any(|record| record.failure == Some(FailureKind::Internal));
        put(&match arguments.format {
            TestFormat::Table => unit_text(&records),
            TestFormat::Json => lines(records.iter().map(unit_json)),
        })?;
        if records.is_empty() && arguments.unit {
            say("no unit test: name their files under `unit_tests:` of the pipeline, e.g. `tests/*.yaml`");
        }
    }
    if !arguments.unit {
        let mut options = options(workspace)?;
        let published = Published::open(options.clone()).await?;
        if let (None, Some(as_of)) = (&workspace.as_of, published.as_of()) {
            options.as_of = as_of;
        }
        let prepared = Arc::new(prepare(options).await?);
        print_findings(&prepared.warnings);
        let tested = test_published(&prepared, &published, &selection).await?;
        let tests = tested.iter().flat_map(|model| &model.tests);
        failed += tests.filter(|test| !test.passed && test.severity == "error").count();
        put(&match arguments.format {
            TestFormat::Table => data_text(&tested, &published),
            TestFormat::Json => lines(tested.iter().flat_map(data_json)),
        })?;
    }
    match failed {
        _ if met_a_bug => Err(Exit::internal()),
        0 => Ok(()),
        _ => Err(Exit::tests_failed()),
    }
}

fn lines(values: impl Iterator<Item = Value>) -> String {
    values.map(|value| format!("{value}\n")).collect()
}

fn unit_json(record: &UnitTestRecord) -> Value {
    let mut line = json!({ "kind": "unit_test" });
    if let (Value::Object(line), Ok(Value::Object(fields))) = (&mut line, serde_json::to_value(record)) {
        line.extend(fields);
    }
    line
}

fn data_json(tested: &ModelTests) -> impl Iterator<Item = Value> {
    tested.tests.iter().map(|test| {
        json!({
            "kind": "data_test", "model": tested.model, "test": test.test, "severity": test.severity,
            "passed": test.passed, "count": test.count, "place": test.place,
        })
    })
}

fn unit_text(records: &[UnitTestRecord]) -> String {
    if records.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for record in records {
        let UnitTestRecord { test, model, place, .. } = record;
        if record.passed {
            text.push_str(&format!("ok      {test} ({model}) · {}\n", seconds(record.seconds)));
            continue;
        }
        text.push_str(&format!("FAILED  {test} ({model}), {place}\n"));
        if let Some(error) = &record.error {
            text.push_str(&format!("        the model cannot be computed: {error}\n"));
            let help = record.help.iter().map(|help| format!("        = help: {help}\n"));
            text.extend(help);
        }
        if let Some(differences) = &record.differences {
            text.push_str(&difference_text(differences));
        }
    }
    let passed = records.iter().filter(|record| record.passed).count();
    text.push_str(&format!("unit tests: {passed} passed, {} failed\n", records.len() - passed));
    text
}

/// Changed values side by side, then rows that are missing and rows that nobody expected.
fn difference_text(differences: &Differences) -> String {
    let rows = |number: usize| format!("{number} row{}", if number == 1 { "" } else { "s" });
    let mut text = format!("        expected {}, found {}\n", rows(differences.expected), rows(differences.found));
    for row in &differences.changed {
        let named = if row.same.is_empty() { "a row".to_owned() } else { cells(&row.same) };
        text.push_str(&format!("    ~   {named}\n"));
        let mut table = framed();
        table.set_header(["", "column", "expected", "actual"]);
        for cell in &row.cells {
            table.add_row(["          ", &cell.column, &cell.expected, &cell.actual]);
        }
        text.push_str(&format!("{}\n", fitted(table)));
    }
    for row in &differences.missing {
        text.push_str(&format!("    -   missing: {}\n", cells(row)));
    }
    for row in &differences.unexpected {
        text.push_str(&format!("    +   not expected: {}\n", cells(row)));
    }
    text
}

fn cells(cells: &[ShownCell]) -> String {
    cells.iter().map(|cell| format!("{} = {}", cell.column, cell.value)).collect::<Vec<_>>().join(", ")
}

/// A line a model, then what failed with its place.
fn data_text(tested: &[ModelTests], published: &Published) -> String {
    let mut table = framed();
    table.set_header(["model", "kind", "tests", "passed", "failed", "warnings"]);
    let mut broken = framed();
    broken.set_header(["", "model", "test", "rows", "where"]);
    let (mut all, mut failures, mut warnings) = (0, 0, 0);
    for model in tested.iter().filter(|model| !model.tests.is_empty()) {
        let failed = model.tests.iter().filter(|test| !test.passed && test.severity == "error").count();
        let warned = model.tests.iter().filter(|test| !test.passed && test.severity != "error").count();
        let passed = model.tests.len() - failed - warned;
        let numbers = [model.tests.len(), passed, failed, warned].map(|number| number.to_string());
        table.add_row([model.model.clone(), model.kind.to_owned()].into_iter().chain(numbers));
        for test in model.tests.iter().filter(|test| !test.passed) {
            let word = if test.severity == "error" { "FAILED" } else { "warning" };
            broken.add_row([word, &model.model, &test.test, &count(test.count.unsigned_abs()), &test.place]);
        }
        all += model.tests.len();
        failures += failed;
        warnings += warned;
    }
    right_align(&mut table, 2..6);
    right_align(&mut broken, 3..4);
    let mut text = format!("{}\n", fitted(table));
    if failures + warnings > 0 {
        text.push_str(&format!("\n{}\n", fitted(broken)));
    }
    let passed = all - failures - warnings;
    text.push_str(&format!(
        "data tests of run {}, as of {}: {passed} passed, {failures} failed, {warnings} warnings\n",
        published.record.run_id, published.record.as_of
    ));
    text
}
