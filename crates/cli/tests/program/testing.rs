//! `test`: unit tests without a lake, data tests on what is published, and tests of views while a run makes them.

use insta::assert_snapshot;
use serde_json::Value;

use crate::tiny::{INSTANCE, PIPELINE};
use crate::workspace::{Outcome, Workspace};

const TESTS: &str = "pipelines/tests/all.yaml";

/// The tiny workspace with a file of unit tests, and neither a lake nor a warehouse.
fn with_tests(tests: &str) -> Workspace {
    let workspace = Workspace::tiny();
    workspace.remove("data");
    workspace.edit(PIPELINE, "journeys: journeys/*.yaml", "journeys: journeys/*.yaml\nunit_tests: tests/*.yaml");
    workspace.put(TESTS, tests);
    workspace
}

fn unit(tests: &str) -> Outcome {
    let outcome = with_tests(tests).run("test --unit");
    Outcome { stdout: outcome.stdout.replace(" · [TIME]", ""), ..outcome }
}

#[test]
fn the_repositorys_unit_tests_pass_without_a_lake() {
    let workspace = Workspace::of_the_repository();
    for (pipeline, least) in [("key_journeys", 12), ("retail", 1)] {
        let outcome = workspace.run(&format!("--pipeline {pipeline} test --unit")).ends_with(0);
        let passed = outcome.stdout.lines().filter(|line| line.starts_with("ok ")).count();
        assert!(passed >= least, "{outcome}");
        assert!(outcome.stdout.ends_with(&format!("unit tests: {passed} passed, 0 failed\n")), "{outcome}");
    }
    assert!(!workspace.has("data/warehouse") && !workspace.has("data/lake"));
}

/// The worked example of SEMANTICS 2 with one mistake of each kind.
const MISTAKES: &str = "\
worked:
  model: instance
  given:
    member:
      - { journey_id: w/1, journey: w, customer_id: ann, occurred_at: 2024-01-01, status: open, satisfaction: 0.5 }
      - { journey_id: w/1, journey: w, customer_id: ann, occurred_at: 2024-01-02, status: open, satisfaction: 1 }
      - { journey_id: w/3, journey: w, customer_id: bob, occurred_at: 2024-01-05, status: expired }
  expect:
    - { journey_id: w/1, customer_id: ann, last_at: 2024-01-03, touchpoints: 3, satisfaction: 0.75 }
    - { journey_id: w/2, customer_id: cyd }
passes:
  model: by_channel
  given:
    member: [ { channel: web }, { channel: web }, { channel: null } ]
  expect:
    - { channel: web, members: 2 }
    - { channel: null, members: 1 }
";

#[test]
fn differences_are_shown_row_by_row_and_column_by_column() {
    assert_snapshot!(unit(MISTAKES), @"");
}

#[test]
fn a_json_object_a_test() {
    let outcome = with_tests(MISTAKES).run("test --unit --format json").ends_with(3);
    let lines: Vec<Value> = outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [worked, passes] = lines.as_slice() else { panic!("{outcome}") };
    assert_eq!(worked["kind"], "unit_test");
    assert_eq!(worked["passed"], false);
    assert_eq!(worked["place"], format!("{TESTS}:1:1"));
    assert_eq!(worked["differences"]["changed"][0]["cells"][0]["column"], "last_at");
    assert_eq!(worked["differences"]["missing"][0][0]["value"], "w/2");
    assert_eq!(worked["differences"]["unexpected"][0][0]["value"], "w/3");
    assert_eq!(passes["passed"], true);
}

/// Rows are computed through models between what is given and what is tested.
#[test]
fn given_rows_may_stand_further_up() {
    let outcome = unit(
        "through_views_and_the_matcher:
  model: by_status
  as_of: 2024-02-10
  given:
    contacts:
      - { contact_id: a1, customer: bob, at: \"2024-01-03T09:00:00Z\", event: ask }
      - { contact_id: a2, customer: bob, at: \"2024-01-03T10:00:00Z\", event: answer }
      - { contact_id: a3, customer: cyd, at: \"2024-02-09T09:30:00Z\", event: ask }
  expect:
    ordered: false
    rows:
      - { journey: asking, status: completed, instances: 1 }
      - { journey: asking, status: open, instances: 1 }
",
    );
    assert_eq!(outcome.code, Some(0), "{outcome}");
}

#[test]
fn order_counts_where_it_is_asked_for() {
    let test = |ordered: &str| {
        let workspace = with_tests(&format!(
            "in_order:
  model: sorted
  given: {{ contacts: [ {{ contact_id: a }}, {{ contact_id: b }} ] }}
  expect: {{ ordered: {ordered}, rows: [ {{ contact_id: a }}, {{ contact_id: b }} ] }}
"
        ));
        workspace.put("sql/sorted.sql", "SELECT contact_id FROM contacts ORDER BY contact_id DESC\n");
        workspace.edit(PIPELINE, "models:\n", "models:\n  sorted: { sql: sql/sorted.sql }\n");
        workspace.run("test --unit").code
    };
    assert_eq!((test("false"), test("true")), (Some(0), Some(3)));
}

/// Where a source leaves its columns to its files, the given values tell their types.
#[test]
fn values_tell_the_types_of_a_source_that_declares_none() {
    let workspace = Workspace::tiny_in_parquet();
    workspace.remove("data");
    workspace.edit(PIPELINE, "journeys: journeys/*.yaml", "journeys: journeys/*.yaml\nunit_tests: tests/*.yaml");
    let test = |columns: &str| {
        workspace.put(
            TESTS,
            format!(
                "untyped:
  model: touchpoints
  given:
    contacts:
      {columns}rows:
        - {{ contact_id: 1, at: 2024-01-01, satisfaction: 1 }}
        - {{ contact_id: 2, at: \"2024-01-01T12:00:00Z\", satisfaction: 0.5 }}
  expect:
    - {{ touchpoint_id: 1, occurred_at: 2024-01-01, satisfaction: 1, event: null, customer_id: null }}
    - {{ touchpoint_id: 2, satisfaction: 0.5 }}
"
            ),
        );
        workspace.run("test --unit")
    };
    let mixed = test("").ends_with(2);
    assert!(mixed.stderr.contains("`at` is an instant in one row and a text in another"), "{mixed}");
    let declared = test("columns: { contact_id: int64, at: timestamp }\n      ");
    assert_eq!(declared.code, Some(0), "{declared}");
}

fn refused(from: &str, to: &str) -> Outcome {
    assert!(MISTAKES.contains(from), "`{from}`");
    let workspace = with_tests(&MISTAKES.replacen(from, to, 1));
    workspace.run("test --unit").ends_with(2)
}

#[test]
fn what_is_written_wrong_is_refused_with_its_place() {
    assert_snapshot!(refused("model: instance", "model: instnce"), @"");
    assert_snapshot!(refused("    member:\n", "    by_status: []\n    member:\n"), @"");
    assert_snapshot!(refused("customer_id: ann, occurred_at: 2024-01-01", "custmer_id: ann, occurred_at: 2024-01-01"), @"");
    assert_snapshot!(refused("touchpoints: 3", "touchpoint: 3"), @"");
    assert_snapshot!(refused("touchpoints: 3", "touchpoints: many"), @"");
    assert_snapshot!(refused("occurred_at: 2024-01-02", "occurred_at: yesterday"), @"");
    assert_snapshot!(refused("  expect:\n    - { channel: web", "  variables: { nothing: 1 }\n  expect:\n    - { channel: web"), @"");
    assert_snapshot!(refused("expect:", "expects:"), @"");
}

/// A test file is part of the workspace: `check` reads it too.
#[test]
fn check_reads_the_files_of_tests() {
    let workspace = with_tests(&MISTAKES.replacen("given:", "givne:", 1));
    let outcome = workspace.run("check").ends_with(2);
    assert!(outcome.stderr.contains("did you mean `given`?"), "{outcome}");
}

#[test]
fn data_tests_run_on_what_is_published() {
    let workspace = Workspace::tiny();
    let nothing = workspace.run("test --data").ends_with(2);
    assert!(nothing.stderr.contains("nothing is published yet"), "{nothing}");
    workspace.run("run --as-of 2024-02-10").ends_with(0);
    assert_snapshot!(workspace.run("test --data"), @"");

    workspace.edit(
        PIPELINE,
        "row_count: { min: 1 }",
        "row_count: { min: 100 }\n      - range: { touchpoints: { max: 2 } }\n        severity: warn",
    );
    assert_snapshot!(workspace.run("test --data --select instance"), @"");
    let lines = workspace.run("test --data --select instance --format json").ends_with(3);
    let failed: Vec<Value> = lines.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let failed: Vec<&Value> = failed.iter().filter(|test| test["passed"] == false).collect();
    assert_eq!(failed.len(), 2, "{lines}");
    workspace.run("test --data --exclude instance").ends_with(0);

    workspace.edit(PIPELINE, "models:\n", "models:\n  another: { sql: sql/by_status.sql, materialized: table }\n");
    let missing = workspace.run("test --data").ends_with(2);
    assert!(missing.stderr.contains("not published yet, so not tested: another"), "{missing}");
}

/// A view is tested before anything that reads it is published.
#[test]
fn a_view_that_fails_its_tests_keeps_its_readers_from_running() {
    let workspace = Workspace::tiny();
    workspace.run("run --as-of 2024-02-10").ends_with(0);
    let before = workspace.fingerprints("warehouse");
    let failing = "tags: [staging]\n    tests:\n      - accepted_values: { channel: [web, phone] }";
    workspace.edit(PIPELINE, "tags: [staging]", failing);
    let outcome = workspace.run("run --as-of 2024-02-10 --threads 1 --log-format json").ends_with(3);
    assert_snapshot!(outcome.steps(), @"");
    assert_eq!(workspace.fingerprints("warehouse"), before);
    workspace.edit(PIPELINE, "channel: [web, phone] }", "channel: [web, phone] }\n        severity: warn");
    workspace.run("run --as-of 2024-02-10").ends_with(0);
}

/// A source's freshness is a test of the run, as well as a warning or a failure.
#[test]
fn freshness_stands_among_the_tests_of_a_run() {
    let workspace = Workspace::tiny();
    workspace.edit(
        PIPELINE,
        "    key: [contact_id]",
        "    key: [contact_id]\n    freshness: { warn_after: 1 day, error_after: 9 days }",
    );
    workspace.run("run --as-of 2024-02-12").ends_with(0);
    workspace.run("run --as-of 2024-02-20").ends_with(1);
    let asked = workspace
        .query("SELECT severity, passed, test, place FROM run_tests WHERE step = 'contacts' ORDER BY run_id, severity");
    assert_snapshot!(asked, @"");
}

/// A unit test that cannot be computed fails; it does not pass in silence.
#[test]
fn a_test_whose_model_cannot_be_computed_fails() {
    let workspace =
        with_tests("divided:\n  model: instance\n  given: { member: [ { journey_id: a } ] }\n  expect: []\n");
    workspace.put(INSTANCE, "SELECT journey_id, 1 / (count(*) - 1) AS ratio FROM member GROUP BY journey_id\n");
    workspace.edit(PIPELINE, "    columns: { touchpoints: Members of the instance }\n", "");
    workspace.edit(
        PIPELINE,
        "      - accepted_values: { status: [completed, abandoned, expired, restarted, open] }\n",
        "",
    );
    workspace.edit(PIPELINE, "  by_status:\n    sql: sql/by_status.sql\n    materialized: table\n    grain: [journey, status]\n    tags: [marts]\n", "");
    let outcome = workspace.run("test --unit").ends_with(3);
    let told = outcome.stdout.lines().find(|line| line.contains("the model cannot be computed"));
    assert!(told.is_some_and(|line| line.contains("Divide by zero")), "{outcome}");
}
