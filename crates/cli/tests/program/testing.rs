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

/// A unit test with one mistake of each kind, and one that passes.
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
    assert_snapshot!(unit(MISTAKES), @"
    exit 3
    --- stdout
    FAILED  worked (instance), pipelines/tests/all.yaml:1:1
            expected 2 rows, found 2 rows
        ~   journey_id = w/1, customer_id = ann, satisfaction = 0.75
                 column       expected              actual
    ─────────────────────────────────────────────────────────────────────
                 last_at      2024-01-03T00:00:00Z  2024-01-02T00:00:00Z
                 touchpoints  3                     2
        -   missing: journey_id = w/2, customer_id = cyd
        +   not expected: journey_id = w/3, customer_id = bob, last_at = 2024-01-05T00:00:00Z, touchpoints = 1, satisfaction = null
    ok      passes (by_channel)
    unit tests: 1 passed, 1 failed
    ");
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

/// Where a source leaves its columns to its files, the given values decide their types.
#[test]
fn values_decide_the_types_of_a_source_that_declares_none() {
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
    assert_snapshot!(refused("model: instance", "model: instnce"), @"
    exit 2
    --- stderr
    error[unknown-model]: no model `instnce`
     --> pipelines/tests/all.yaml:2:10
      |
    2 |   model: instnce
      |          ^^^^^^^ did you mean `instance`?
    ");
    assert_snapshot!(refused("    member:\n", "    by_status: []\n    member:\n"), @"
    exit 2
    --- stderr
    error[not-read]: `instance` does not read `by_status`
     --> pipelines/tests/all.yaml:4:5
      |
    4 |     by_status: []
      |     ^^^^^^^^^
      |
      = help: it reads: contacts, member, touchpoints
    ");
    assert_snapshot!(refused("customer_id: ann, occurred_at: 2024-01-01", "custmer_id: ann, occurred_at: 2024-01-01"), @"
    exit 2
    --- stderr
    error[unknown-column]: no column `custmer_id` in `member`
     --> pipelines/tests/all.yaml:5:40
      |
    5 |       - { journey_id: w/1, journey: w, custmer_id: ann, occurred_at: 2024-01-01, status: open, satisfaction: 0.5 }
      |                                        ^^^^^^^^^^ did you mean `customer_id`?
      |
      = help: columns here: journey_id, journey, customer_id, step, started_at, last_at, ended_at, status, touchpoint_id, occurred_at, channel, event, satisfaction
    ");
    assert_snapshot!(refused("touchpoints: 3", "touchpoint: 3"), @"
    exit 2
    --- stderr
    error[unknown-column]: no column `touchpoint` in `instance`
     --> pipelines/tests/all.yaml:9:65
      |
    9 |     - { journey_id: w/1, customer_id: ann, last_at: 2024-01-03, touchpoint: 3, satisfaction: 0.75 }
      |                                                                 ^^^^^^^^^^ did you mean `touchpoints`?
      |
      = help: columns here: journey_id, journey, customer_id, started_at, last_at, ended_at, status, touchpoints, satisfaction
    ");
    assert_snapshot!(refused("touchpoints: 3", "touchpoints: many"), @"
    exit 2
    --- stderr
    error[bad-value]: `touchpoints` is a whole number, and `many` is none
     --> pipelines/tests/all.yaml:9:78
      |
    9 |     - { journey_id: w/1, customer_id: ann, last_at: 2024-01-03, touchpoints: many, satisfaction: 0.75 }
      |                                                                              ^^^^
    ");
    assert_snapshot!(refused("occurred_at: 2024-01-02", "occurred_at: yesterday"), @"
    exit 2
    --- stderr
    error[bad-value]: `occurred_at` is an instant, and `yesterday` is none
     --> pipelines/tests/all.yaml:6:71
      |
    6 |       - { journey_id: w/1, journey: w, customer_id: ann, occurred_at: yesterday, status: open, satisfaction: 1 }
      |                                                                       ^^^^^^^^^
      |
      = help: write `2026-01-01` or `2026-01-01T12:00:00Z`; without a zone it is UTC
    ");
    assert_snapshot!(refused("  expect:\n    - { channel: web", "  variables: { nothing: 1 }\n  expect:\n    - { channel: web"), @"
    exit 2
    --- stderr
    error[unknown-variable]: the pipeline has no variable `nothing`
      --> pipelines/tests/all.yaml:15:16
       |
    15 |   variables: { nothing: 1 }
       |                ^^^^^^^
       |
       = help: it declares none: add it under `variables:`
    ");
    assert_snapshot!(refused("expect:", "expects:"), @"
    exit 2
    --- stderr
    error[missing-key]: unit test `worked` has no `expect`
     --> pipelines/tests/all.yaml:1:1
      |
    1 | worked:
      | ^^^^^^
      |
      = help: add `expect: [{ touchpoint_id: call-1 }]`

    error[unknown-key]: unit test `worked` has no key `expects`
     --> pipelines/tests/all.yaml:8:3
      |
    8 |   expects:
      |   ^^^^^^^ did you mean `expect`?
      |
      = help: its keys: model, description, as_of, variables, journeys, given, expect

    2 errors; nothing ran
    ");
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
    assert_snapshot!(workspace.run("test --data"), @"
    exit 0
    --- stdout
     model        kind   tests  passed  failed  warnings
    ─────────────────────────────────────────────────────
     touchpoints  view       2       2       0         0
     member       table      3       3       0         0
     instance     table      4       4       0         0
     by_status    table      3       3       0         0
     by_channel   table      2       2       0         0
    data tests of run [RUN], as of 2024-02-10T00:00:00Z: 14 passed, 0 failed, 0 warnings
    ");

    workspace.edit(
        PIPELINE,
        "row_count: { min: 1 }",
        "row_count: { min: 100 }\n      - range: { touchpoints: { max: 2 } }\n        severity: warn",
    );
    assert_snapshot!(workspace.run("test --data --select instance"), @"
    exit 3
    --- stdout
     model     kind   tests  passed  failed  warnings
    ──────────────────────────────────────────────────
     instance  table      5       3       1         1

              model     test                                                 rows  where
    ────────────────────────────────────────────────────────────────────────────────────────────────────────
     FAILED   instance  row count in 100 .. any                                 6  pipelines/tiny.yaml:40:9
     warning  instance  no row where `touchpoints` is out of range, above 2     1  pipelines/tiny.yaml:41:9
    data tests of run [RUN], as of 2024-02-10T00:00:00Z: 3 passed, 1 failed, 1 warnings
    ");
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
    assert_snapshot!(outcome.steps(), @"
    exit 3
    done contacts, 13 rows
    tests_failed touchpoints, 13 rows
      error: no row where `channel` is none of the accepted values (2), pipelines/tiny.yaml:28:9
    not_run member
      it reads `touchpoints`, which did not succeed
    not_run instance
      it reads `member`, which did not succeed
    not_run by_channel
      it reads `member`, which did not succeed
    not_run by_status
      it reads `instance`, which did not succeed
    ");
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
    assert_snapshot!(asked, @"
    exit 0
    --- stdout
    severity,passed,test,place
    error,true,newest `at` at most 9 days before as_of,pipelines/tiny.yaml:16:18
    warning,false,newest `at` at most 1 days before as_of,pipelines/tiny.yaml:16:18
    error,false,newest `at` at most 9 days before as_of,pipelines/tiny.yaml:16:18
    warning,false,newest `at` at most 1 days before as_of,pipelines/tiny.yaml:16:18
    ");
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
    let printed = outcome.stdout.lines().find(|line| line.contains("the model cannot be computed"));
    assert!(printed.is_some_and(|line| line.contains("Divide by zero")), "{outcome}");
}
