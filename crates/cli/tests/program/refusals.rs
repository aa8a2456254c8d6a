//! What `check` refuses before a row is read, and that it leaves nothing behind.

use insta::assert_snapshot;

use crate::tiny::{BY_STATUS, INSTANCE, JOURNEYS, PIPELINE};
use crate::workspace::{Outcome, Workspace};

/// `check` and `run` on the tiny workspace with one place changed: both refuse, with the same words, and write nothing.
fn refused(file: &str, from: &str, to: &str) -> Outcome {
    let workspace = Workspace::tiny();
    workspace.edit(file, from, to);
    refused_in(&workspace)
}

fn refused_in(workspace: &Workspace) -> Outcome {
    let checked = workspace.run("check");
    let ran = workspace.run("run --as-of 2024-02-10");
    assert_eq!((checked.code, &checked.stderr), (ran.code, &ran.stderr), "`check` and `run` differ");
    assert_eq!(checked.code, Some(2), "{checked}");
    assert!(!workspace.has("warehouse"), "a refusal wrote a warehouse");
    checked
}

#[test]
fn unknown_keys() {
    assert_snapshot!(refused(PIPELINE, "owner: tests", "ownr: tests"), @"
    exit 2
    --- stderr
    error[unknown-key]: the pipeline has no key `ownr`
     --> pipelines/tiny.yaml:2:1
      |
    2 | ownr: tests
      | ^^^^ did you mean `owner`?
      |
      = help: its keys: name, owner, description, start, warehouse, uses, assisted_channels, variables, sources, seeds, journeys, models, triggers, unit_tests, dictionary, semantics
    ");
    assert_snapshot!(refused(JOURNEYS, "idle: 4 days", "idel: 4 days"), @"
    exit 2
    --- stderr
    error[unknown-key]: journey `worked` has no key `idel`
     --> pipelines/journeys/all.yaml:6:3
      |
    6 |   idel: 4 days
      |   ^^^^ did you mean `idle`?
      |
      = help: its keys: label, owner, description, starts, ends, abandons, includes, within, idle, on_restart, key, eligible, eligible_from, eligible_until, importance, rationale
    ");
}

#[test]
fn misspelt_columns() {
    assert_snapshot!(refused(JOURNEYS, "starts: event = 'o'", "starts: evnt = 'o'"), @"
    exit 2
    --- stderr
    error[unknown-column]: no column `evnt` in the touchpoints
     --> pipelines/journeys/all.yaml:3:11
      |
    3 |   starts: evnt = 'o'
      |           ^^^^ did you mean `event`?
      |
      = help: columns here: touchpoint_id, customer_id, occurred_at, channel, event, satisfaction
    ");
    assert_snapshot!(refused(INSTANCE, "min(occurred_at)", "min(ocurred_at)"), @"
    exit 2
    --- stderr
    error[unknown-column]: no column `ocurred_at`
     --> sql/instance.sql:6:9
      |
    6 |     min(ocurred_at) AS started_at,
      |         ^^^^^^^^^^ did you mean `occurred_at`?
      |
      = help: columns here: channel, customer_id, ended_at, event, journey, journey_id, last_at, occurred_at, satisfaction, started_at, status, step, touchpoint_id
    ");
    assert_snapshot!(refused(PIPELINE, "grain: [channel]", "grain: [chanel]"), @"
    exit 2
    --- stderr
    error[unknown-column]: no column `chanel`
      --> pipelines/tiny.yaml:49:13
       |
    49 |     grain: [chanel]
       |             ^^^^^^ did you mean `channel`?
       |
       = help: columns here: channel, members
    ");
}

/// The columns that carry a text format's problems are the program's own affair.
#[test]
fn misspelt_columns_of_a_source_are_reported_without_hidden_ones() {
    for (from, to) in [("not_null: [customer]", "not_null: [custmer]"), ("key: [contact_id]", "key: [contct_id]")] {
        let refused = refused(PIPELINE, from, to);
        assert!(refused.stderr.contains("did you mean"), "{refused}");
        assert!(!refused.stderr.contains("__problem"), "{refused}");
    }
}

#[test]
fn conditions_that_are_no_conditions() {
    assert_snapshot!(refused(JOURNEYS, "starts: event = 'o'", "starts: channel"), @"
    exit 2
    --- stderr
    error[not-boolean]: a condition is true or false, but this is of type Utf8View
     --> pipelines/journeys/all.yaml:3:11
      |
    3 |   starts: channel
      |           ^^^^^^^
      |
      = help: compare it with something, as in `event = 'order_placed'`
    ");
    assert_snapshot!(refused(JOURNEYS, "starts: event = 'o'", "starts: event = 'o' AND"), @"
    exit 2
    --- stderr
    error[syntax]: Expected: an expression, found: EOF
     --> pipelines/journeys/all.yaml:3:11
      |
    3 |   starts: event = 'o' AND
      |           ^^^^^^^^^^^^^^^
      |
      = help: write one SQL condition over the touchpoint's columns
    ");
    assert_snapshot!(refused(JOURNEYS, "starts: event = 'o'", "starts: count(*) > 1"), @"
    exit 2
    --- stderr
    error[not-of-the-touchpoint]: a condition is decided by one touchpoint alone, but this one uses the aggregate `count`
     --> pipelines/journeys/all.yaml:3:11
      |
    3 |   starts: count(*) > 1
      |           ^^^^^
      |
      = help: a condition looks at one touchpoint and nothing else
    ");
    assert_snapshot!(refused(JOURNEYS, "starts: event = 'o'", "starts: event IN (SELECT event FROM contacts)"), @"
    exit 2
    --- stderr
    error[not-of-the-touchpoint]: a condition is decided by one touchpoint alone, but this one uses a subquery
     --> pipelines/journeys/all.yaml:3:11
      |
    3 |   starts: event IN (SELECT event FROM contacts)
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: a condition looks at one touchpoint and nothing else
    ");
}

#[test]
fn unknown_relations() {
    assert_snapshot!(refused(BY_STATUS, "FROM instance", "FROM instnace"), @"
    exit 2
    --- stderr
    error[unknown-relation]: no source, seed or model `instnace`
     --> sql/by_status.sql:1:52
      |
    1 | SELECT journey, status, count(*) AS instances FROM instnace GROUP BY journey, status
      |                                                    ^^^^^^^^ did you mean `instance`?
    ");
    assert_snapshot!(refused(PIPELINE, "match: touchpoints", "match: touchpoint"), @"
    exit 2
    --- stderr
    error[unknown-relation]: no source, seed or model `touchpoint`
      --> pipelines/tiny.yaml:28:12
       |
    28 |     match: touchpoint
       |            ^^^^^^^^^^ did you mean `touchpoints`?
    ");
}

#[test]
fn cycles() {
    let wheel = "FROM contacts\nWHERE contact_id NOT IN (SELECT journey_id FROM instance)";
    assert_snapshot!(refused("sql/touchpoints.sql", "FROM contacts", wheel), @"
    exit 2
    --- stderr
    error[cycle]: models read each other in a circle: touchpoints → instance → member → touchpoints
      --> sql/touchpoints.sql:10:49
       |
    10 | WHERE contact_id NOT IN (SELECT journey_id FROM instance)
       |                                                 ^^^^^^^^
       |
       = help: move what both need into a model of its own
    ");
    assert_snapshot!(refused(BY_STATUS, "FROM instance", "FROM by_status"), @"
    exit 2
    --- stderr
    error[cycle]: models read each other in a circle: by_status → by_status
     --> sql/by_status.sql:1:52
      |
    1 | SELECT journey, status, count(*) AS instances FROM by_status GROUP BY journey, status
      |                                                    ^^^^^^^^^
      |
      = help: move what both need into a model of its own
    ");
}

#[test]
fn bad_durations() {
    assert_snapshot!(refused(JOURNEYS, "within: 10 days", "within: ten days"), @"
    exit 2
    --- stderr
    error[bad-duration]: `ten days` is not a length of time
     --> pipelines/journeys/all.yaml:5:11
      |
    5 |   within: ten days
      |           ^^^^^^^^
      |
      = help: write e.g. `90 days`, `12 hours`, `30 minutes`, `45 seconds` or `2 weeks`
    ");
    assert_snapshot!(refused(JOURNEYS, "within: 10 days", "within: 0 days"), @"
    exit 2
    --- stderr
    error[bad-duration]: `within` must be longer than nothing
     --> pipelines/journeys/all.yaml:5:11
      |
    5 |   within: 0 days
      |           ^^^^^^
      |
      = help: leave `within` out for no limit
    ");
}

#[test]
fn a_missing_environment_variable() {
    assert_snapshot!(refused(PIPELINE, "${WAREHOUSE:-warehouse}", "${THROUGHLINE_NO_SUCH_VARIABLE}"), @"
    exit 2
    --- stderr
    error[unset-variable]: the environment variable `THROUGHLINE_NO_SUCH_VARIABLE` is not set
     --> pipelines/tiny.yaml:4:12
      |
    4 | warehouse: ${THROUGHLINE_NO_SUCH_VARIABLE}
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: set it, or give a default: `${THROUGHLINE_NO_SUCH_VARIABLE:-…}`
    ");
}

#[test]
fn missing_files() {
    assert_snapshot!(refused(PIPELINE, "sql: sql/instance.sql", "sql: sql/instances.sql"), @"
    exit 2
    --- stderr
    error[missing-file]: cannot read `sql/instances.sql`: No such file or directory (os error 2)
      --> pipelines/tiny.yaml:32:10
       |
    32 |     sql: sql/instances.sql
       |          ^^^^^^^^^^^^^^^^^
       |
       = help: paths are relative to the workspace, the folder that holds `pipelines/`
    ");
    assert_snapshot!(refused(PIPELINE, "sql: sql/instance.sql", "sql: ../instance.sql"), @"
    exit 2
    --- stderr
    error[outside-workspace]: `../instance.sql` lies outside the workspace
      --> pipelines/tiny.yaml:32:10
       |
    32 |     sql: ../instance.sql
       |          ^^^^^^^^^^^^^^^ an absolute path, `..` or a link that leaves it
       |
       = help: SQL, YAML and seeds live inside the workspace, so that a pipeline is versioned and moved as one folder
    ");
    assert_snapshot!(refused(PIPELINE, "path: data/contacts/", "path: data/contact/"), @"
    exit 2
    --- stderr
    error[missing-source]: source `contacts`: `data/contact` does not exist
     --> pipelines/tiny.yaml:7:11
      |
    7 |     path: data/contact/
      |           ^^^^^^^^^^^^^
      |
      = help: correct `path:`; a relative path starts at the workspace, the folder that holds `pipelines/`
    ");
}

#[test]
fn more_than_one_statement() {
    assert_snapshot!(refused(BY_STATUS, "status\n", "status; SELECT 1\n"), @"
    exit 2
    --- stderr
    error[not-one-select]: the file holds several statements
     --> sql/by_status.sql:1:1
      |
    1 | SELECT journey, status, count(*) AS instances FROM instance GROUP BY journey, status; SELECT 1
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write one SELECT (CTEs welcome); one file makes one model
    ");
}

#[test]
fn type_errors() {
    assert_snapshot!(refused(INSTANCE, "min(occurred_at)", "min(occurred_at + 1)"), @r#"
    exit 2
    --- stderr
    error[type-check]: Cannot coerce arithmetic expression Timestamp(µs, "UTC") + Int64 to valid types
     --> sql/instance.sql:6:9
      |
    6 |     min(occurred_at + 1) AS started_at,
      |         ^^^^^^^^^^^
    "#);
    assert_snapshot!(refused(BY_STATUS, "count(*)", "no_such_function(status)"), @"
    exit 2
    --- stderr
    error[type-check]: Invalid function 'no_such_function'.
                       Did you mean 'list_union'?
     --> sql/by_status.sql:1:25
      |
    1 | SELECT journey, status, no_such_function(status) AS instances FROM instance GROUP BY journey, status
      |                         ^^^^^^^^^^^^^^^^
    ");
}

/// Nobody should be asked to report a bug of DataFusion for a mistake of their own.
#[test]
fn a_function_of_the_wrong_type_is_the_writers_mistake() {
    let refused = refused(INSTANCE, "avg(satisfaction)", "avg(status)");
    assert!(refused.stderr.contains("sql/instance.sql:11:5"), "{refused}");
    assert!(!refused.stderr.contains("bug in DataFusion"), "{refused}");
}

#[test]
fn unknown_parameters() {
    assert_snapshot!(refused(INSTANCE, "GROUP BY", "WHERE occurred_at < $until\nGROUP BY"), @"
    exit 2
    --- stderr
    error[unknown-parameter]: no variable `until`
      --> sql/instance.sql:13:21
       |
    13 | WHERE occurred_at < $until
       |                     ^^^^^^
       |
       = help: parameters of this pipeline: $as_of, $start, $assisted_channels
    ");
}

/// Every kind of statement that is no query; the message of one stands for all.
#[test]
fn statements_that_are_no_query() {
    let statements = [
        "DROP TABLE member",
        "CREATE TABLE x AS SELECT 1 AS a",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
        "INSERT INTO member SELECT * FROM member",
        "DELETE FROM member",
        "COPY member TO 'member.csv'",
        "SET datafusion.execution.batch_size = 1",
        "EXPLAIN SELECT 1",
        "PREPARE p AS SELECT 1",
    ];
    let workspace = Workspace::tiny();
    for statement in statements {
        workspace.put(BY_STATUS, statement);
        let refused = refused_in(&workspace);
        assert!(refused.stderr.starts_with("error[not-one-select]: "), "{statement}: {refused}");
        assert!(!workspace.has("member.csv"));
    }
    assert_snapshot!(refused_in(&workspace), @"
    exit 2
    --- stderr
    error[not-one-select]: the file is not a query
     --> sql/by_status.sql:1:1
      |
    1 | PREPARE p AS SELECT 1
      | ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write one SELECT (CTEs welcome); one file makes one model
    ");
}

#[test]
fn a_select_into_is_no_query() {
    refused(BY_STATUS, "FROM instance", "INTO elsewhere FROM instance");
}

#[test]
fn several_mistakes_are_reported_at_once() {
    let workspace = Workspace::tiny();
    workspace.edit(INSTANCE, "min(occurred_at)", "min(ocurred_at)");
    workspace.edit("sql/by_channel.sql", "FROM member", "FROM membr");
    workspace.edit(JOURNEYS, "idle: 4 days", "idle: four days");
    workspace.edit(PIPELINE, "owner: tests", "ownr: tests");
    let refused = refused_in(&workspace);
    assert!(refused.stderr.matches("error[").count() >= 2, "{refused}");
    assert!(refused.stderr.contains("errors; nothing ran"), "{refused}");
}
