//! Tests come before publication, and a step that fails harms no other.

use insta::assert_snapshot;

use crate::tiny::{BY_STATUS, INSTANCE, PIPELINE, RUN};
use crate::workspace::Workspace;

/// One more contact, so that a run that publishes differs from one that does not.
fn with_news(workspace: &Workspace) {
    workspace.put("data/contacts/news.csv", format!("{}n1,eve,2024-02-09T00:00:00Z,web,ask,\n", crate::tiny::HEADER));
}

#[test]
fn a_failed_test_leaves_every_published_row_as_it_was() {
    let workspace = Workspace::tiny();
    workspace.run(RUN).ends_with(0);
    let before = workspace.rows();
    with_news(&workspace);
    workspace.edit(PIPELINE, "row_count: { min: 1 }", "row_count: { min: 1000 }");
    assert_snapshot!(workspace.run(RUN).steps(), @"
    exit 3
    done contacts, 14 rows
    done touchpoints, 14 rows
    done member, 11 rows, published
    tests_failed instance, 7 rows
      error: row count in 1000 .. any (7), pipelines/tiny.yaml:40:9
    not_run by_status
      it reads `instance`, which did not succeed
    done by_channel, 4 rows, published
    ");
    assert_eq!(workspace.rows(), before, "`query` reads the last run in which every step was done");
    let runs = workspace.run("runs").ends_with(0);
    assert!(runs.stdout.contains("tests failed") && runs.stdout.contains("done"), "{runs}");

    workspace.edit(PIPELINE, "row_count: { min: 1000 }", "row_count: { min: 1 }");
    workspace.run(RUN).ends_with(0);
    let clean = Workspace::tiny();
    with_news(&clean);
    clean.run(RUN).ends_with(0);
    assert_eq!(workspace.rows(), clean.rows(), "the repaired run converges");
}

#[test]
fn a_failed_warning_publishes() {
    let workspace = Workspace::tiny();
    workspace.edit(
        PIPELINE,
        "      - row_count: { min: 1 }",
        "      - row_count: { min: 1000 }\n        severity: warn",
    );
    assert_snapshot!(workspace.run(RUN).steps(), @"
    exit 0
    done contacts, 13 rows
    done touchpoints, 13 rows
    done member, 10 rows, published
    done instance, 6 rows, published
      warning: row count in 1000 .. any (6), pipelines/tiny.yaml:40:9
    done by_status, 5 rows, published
    done by_channel, 4 rows, published
    ");
    workspace.run("show by_status").ends_with(0);
}

#[test]
fn every_kind_of_test_can_fail() {
    let workspace = Workspace::tiny();
    workspace.put("sql/offenders.sql", "SELECT journey_id FROM instance WHERE touchpoints > 2");
    let tests = "    tests:
      - not_null: [ended_at]
      - unique: [journey]
      - accepted_values: { status: [completed, abandoned] }
      - range: { touchpoints: { max: 2 } }
      - expression: last_at > started_at
      - relationships: { customer_id: member.channel }
      - sql: sql/offenders.sql
";
    let declared =
        "    tests:\n      - accepted_values: { status: [completed, abandoned, expired, restarted, open] }\n";
    workspace.edit(PIPELINE, declared, tests);
    assert_snapshot!(workspace.run(RUN).steps(), @"
    exit 3
    done contacts, 13 rows
    done touchpoints, 13 rows
    done member, 10 rows, published
    tests_failed instance, 6 rows
      error: no row where `ended_at` is null (2), pipelines/tiny.yaml:39:9
      error: (journey) is unique (2), pipelines/tiny.yaml:40:9
      error: no row where `status` is none of the accepted values (4), pipelines/tiny.yaml:41:9
      error: no row where `touchpoints` is out of range, above 2 (1), pipelines/tiny.yaml:42:9
      error: no row where not true: last_at > started_at (3), pipelines/tiny.yaml:43:9
      error: every `customer_id` is a `member.channel` (6), pipelines/tiny.yaml:44:9
      error: no row from sql/offenders.sql (1), pipelines/tiny.yaml:45:9
    not_run by_status
      it reads `instance`, which did not succeed
    done by_channel, 4 rows, published
    ");
}

#[test]
fn a_grain_that_is_repeated_is_not_published() {
    let workspace = Workspace::tiny();
    workspace.edit(BY_STATUS, "GROUP BY journey, status", "GROUP BY journey, status, journey_id");
    assert_snapshot!(workspace.run(RUN).steps(), @"
    exit 3
    done contacts, 13 rows
    done touchpoints, 13 rows
    done member, 10 rows, published
    done instance, 6 rows, published
    tests_failed by_status, 6 rows
      error: (journey, status) is unique (1), pipelines/tiny.yaml:44:13
    done by_channel, 4 rows, published
    ");
}

#[test]
fn a_failing_step_stops_only_what_reads_it() {
    let workspace = Workspace::tiny();
    workspace.run(RUN).ends_with(0);
    let before = workspace.rows();
    with_news(&workspace);
    workspace.edit(INSTANCE, "count(*)", "count(*) / (count(*) - count(*))");
    assert_snapshot!(workspace.run(RUN).steps(), @"
    exit 1
    done contacts, 14 rows
    done touchpoints, 14 rows
    done member, 11 rows, published
    failed instance
      table `instance`: Arrow error: Divide by zero error
      help: correct the model and run again
    not_run by_status
      it reads `instance`, which did not succeed
    done by_channel, 4 rows, published
    ");
    assert_eq!(workspace.rows(), before, "what was published without its neighbours is not shown");
    assert_snapshot!(workspace.run(&format!("{RUN} --fail-fast")).steps(), @"
    exit 1
    done contacts, 14 rows
    done touchpoints, 14 rows
    done member, 11 rows, published
    failed instance
      table `instance`: Arrow error: Divide by zero error
      help: correct the model and run again
    not_run by_status
      it reads `instance`, which did not succeed
    not_run by_channel
      the run stopped before it
    ");

    workspace.edit(INSTANCE, "count(*) / (count(*) - count(*))", "CAST(count(*) * 9000000000 AS INT)");
    let overflow = workspace.run(RUN).ends_with(1).steps();
    assert!(overflow.contains("`instance` (sql/instance.sql:10): Can't cast value"), "{overflow}");

    workspace.edit(INSTANCE, "CAST(count(*) * 9000000000 AS INT)", "count(*)");
    workspace.run(RUN).ends_with(0);
    let clean = Workspace::tiny();
    with_news(&clean);
    clean.run(RUN).ends_with(0);
    assert_eq!(workspace.rows(), clean.rows(), "the repaired run converges");
}

#[test]
fn a_first_run_that_fails_publishes_nothing_to_query() {
    let workspace = Workspace::tiny();
    workspace.edit(INSTANCE, "count(*)", "count(*) / (count(*) - count(*))");
    workspace.run(RUN).ends_with(1);
    assert_snapshot!(workspace.query("SELECT * FROM member"), @"
    exit 2
    --- stderr
    error: nothing is published yet in warehouse
      = help: make the tables first: throughline run
    ");
}

#[test]
fn a_warehouse_that_cannot_be_written_is_reported() {
    let workspace = Workspace::tiny();
    workspace.put("occupied", "a file, not a folder");
    let printed = workspace.run_with(&RUN.split(' ').collect::<Vec<_>>(), &[("WAREHOUSE", "occupied/below")]);
    assert!(matches!(printed.code, Some(1 | 2)), "{printed}");
    assert!(printed.stderr.contains("occupied"), "{printed}");
}
