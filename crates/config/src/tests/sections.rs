//! One of each refusal of sources, contracts, tests, models and journeys, in full: what a person sees.

use insta::assert_snapshot;

use super::{SMALLEST, options, refusal, refused, refused_journeys, workspace};
use crate::{MatchRows, ModelKind, load_pipeline};

#[test]
fn sources() {
    let source = |text: &str| refused(&format!("sources:\n  calls: {{ time_column: at, {text} }}\n"));
    assert_snapshot!(source("path: x"), @"
    error[missing-key]: source `calls` has no `format`
     --> pipelines/main.yaml:7:3
      |
    7 |   calls: { time_column: at, path: x }
      |   ^^^^^
      |
      = help: add `format: parquet`
    ");
    assert_snapshot!(source("format: parquet"), @r#"
    error[missing-key]: source `calls` has no `path`
     --> pipelines/main.yaml:7:3
      |
    7 |   calls: { time_column: at, format: parquet }
      |   ^^^^^
      |
      = help: add `path: "${LAKE:-data/lake}/calls/"`
    "#);
    assert_snapshot!(source("path: x, format: parkuet"), @"
    error[bad-value]: `format` cannot be `parkuet`
     --> pipelines/main.yaml:7:46
      |
    7 |   calls: { time_column: at, path: x, format: parkuet }
      |                                              ^^^^^^^ did you mean `parquet`?
      |
      = help: one of: parquet, csv, json, delta
    ");
    assert_snapshot!(source("path: x, format: csv"), @"
    error[missing-key]: source `calls` has no `columns`
     --> pipelines/main.yaml:7:3
      |
    7 |   calls: { time_column: at, path: x, format: csv }
      |   ^^^^^
      |
      = help: CSV and JSON hold no types, so declare them: `columns: { customer_id: string, amount: float64 }`
    ");
    assert_snapshot!(source("path: x, format: parquet, delimiter: ';'"), @"
    error[bad-value]: only CSV has a `delimiter`
     --> pipelines/main.yaml:7:55
      |
    7 |   calls: { time_column: at, path: x, format: parquet, delimiter: ';' }
      |                                                       ^^^^^^^^^
      |
      = help: remove the key
    ");
    assert_snapshot!(source("path: x, format: csv, columns: { a: string }, delimiter: ';;'"), @r#"
    error[bad-value]: `delimiter` must be one ASCII sign
     --> pipelines/main.yaml:7:86
      |
    7 |   calls: { time_column: at, path: x, format: csv, columns: { a: string }, delimiter: ';;' }
      |                                                                                      ^^^^
      |
      = help: e.g. `";"`, `"|"` or `tab`
    "#);
    assert_snapshot!(source("path: x, format: json, columns: { a: int }"), @"
    error[bad-value]: `a` cannot be `int`
     --> pipelines/main.yaml:7:66
      |
    7 |   calls: { time_column: at, path: x, format: json, columns: { a: int } }
      |                                                                  ^^^
      |
      = help: one of: string, int64, float64, boolean, date, timestamp
    ");
    assert_snapshot!(source("path: x, format: json, columns: { a: { type: int64, format: '%d' } }"), @"
    error[bad-value]: only dates and timestamps have a `format`
     --> pipelines/main.yaml:7:89
      |
    7 |   calls: { time_column: at, path: x, format: json, columns: { a: { type: int64, format: '%d' } } }
      |                                                                                         ^^^^
      |
      = help: remove the key
    ");
    assert_snapshot!(source("path: x, format: json, columns: { a: { type: date, format: '%Q' } }"), @"
    error[bad-value]: this is no `strftime` pattern
     --> pipelines/main.yaml:7:88
      |
    7 |   calls: { time_column: at, path: x, format: json, columns: { a: { type: date, format: '%Q' } } }
      |                                                                                        ^^^^
      |
      = help: e.g. `%d.%m.%Y` or `%Y-%m-%d %H:%M:%S`; a percent sign is `%%`
    ");
    assert_snapshot!(source("path: x, format: parquet, columns: { a: { type: date, format: '%d' } }"), @"
    error[bad-value]: Parquet and Delta hold times as such; a `format` is for CSV and JSON
     --> pipelines/main.yaml:7:91
      |
    7 |   calls: { time_column: at, path: x, format: parquet, columns: { a: { type: date, format: '%d' } } }
      |                                                                                           ^^^^
      |
      = help: remove the key
    ");
    assert_snapshot!(source("path: x, format: parquet, key: call_id"), @"
    error[wrong-type]: `key` must be a list, found a single value
     --> pipelines/main.yaml:7:60
      |
    7 |   calls: { time_column: at, path: x, format: parquet, key: call_id }
      |                                                            ^^^^^^^
      |
      = help: write `key: [call_id]`
    ");
    assert_snapshot!(source("path: x, format: parquet, key: [a, a]"), @"
    error[duplicate-value]: `a` stands twice in `key`
     --> pipelines/main.yaml:7:64
      |
    7 |   calls: { time_column: at, path: x, format: parquet, key: [a, a] }
      |                                                                ^
      |
      = help: keep one of the two
    ");
    assert_snapshot!(source("path: x, format: parquet, freshness: {}"), @"
    error[missing-key]: `freshness` has neither `warn_after` nor `error_after`
     --> pipelines/main.yaml:7:55
      |
    7 |   calls: { time_column: at, path: x, format: parquet, freshness: {} }
      |                                                       ^^^^^^^^^
      |
      = help: add e.g. `warn_after: 2 days`
    ");
    assert_snapshot!(source("path: x, format: parquet, freshness: { warn_after: 2 days, error_after: 1 day }"), @"
    error[bad-value]: `error_after` comes before `warn_after`
     --> pipelines/main.yaml:7:66
      |
    7 |   calls: { time_column: at, path: x, format: parquet, freshness: { warn_after: 2 days, error_after: 1 day } }
      |                                                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: the run would stop before it ever warns: swap them
    ");
    assert_snapshot!(source("path: x, format: parquet, rejected: { warn: 30 %, error: 20 % }"), @"
    error[bad-value]: `error` is less than `warn`
     --> pipelines/main.yaml:7:65
      |
    7 |   calls: { time_column: at, path: x, format: parquet, rejected: { warn: 30 %, error: 20 % } }
      |                                                                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: the run would stop before it ever warns: swap them
    ");
    assert_snapshot!(source("path: x, format: parquet, rejected: { error: 120 % }"), @"
    error[bad-value]: `error` is no share: `120 %`
     --> pipelines/main.yaml:7:74
      |
    7 |   calls: { time_column: at, path: x, format: parquet, rejected: { error: 120 % } }
      |                                                                          ^^^^^
      |
      = help: write e.g. `5 %` or `0.05`, from nothing to 100 %
    ");
    assert_snapshot!(refused("seeds: { goals: { path: data/seeds/goals.csv, columns: { a: string } } }\n"), @"
    error[missing-file]: cannot read `data/seeds/goals.csv`: No such file or directory (os error 2)
     --> pipelines/main.yaml:6:25
      |
    6 | seeds: { goals: { path: data/seeds/goals.csv, columns: { a: string } } }
      |                         ^^^^^^^^^^^^^^^^^^^^
      |
      = help: paths are relative to the workspace, the folder that holds `pipelines/`
    ");
    assert_snapshot!(refused("seeds: { goals: { path: sql/touchpoints.sql } }\n"), @"
    error[missing-key]: seed `goals` has no `columns`
     --> pipelines/main.yaml:6:10
      |
    6 | seeds: { goals: { path: sql/touchpoints.sql } }
      |          ^^^^^
      |
      = help: CSV and JSON hold no types, so declare them: `columns: { customer_id: string, amount: float64 }`
    ");
}

#[test]
fn contracts_and_tests() {
    let contract = |rule: &str| {
        refused(&format!("sources:\n  calls: {{ path: x, format: parquet, time_column: at, contract: [ {rule} ] }}\n"))
    };
    assert_snapshot!(contract("unique: [a]"), @"
    error[bad-rule]: `unique` cannot be part of a contract
     --> pipelines/main.yaml:7:67
      |
    7 |   calls: { path: x, format: parquet, time_column: at, contract: [ unique: [a] ] }
      |                                                                   ^^^^^^
      |
      = help: a contract judges each row by itself: not_null, accepted_values, range, expression
      = help: put this rule among the `tests` of a model that reads the source
    ");
    assert_snapshot!(contract("{ not_null: [a], severity: warn }"), @"
    error[unknown-key]: a contract has no `severity`
     --> pipelines/main.yaml:7:84
      |
    7 |   calls: { path: x, format: parquet, time_column: at, contract: [ { not_null: [a], severity: warn } ] }
      |                                                                                    ^^^^^^^^
      |
      = help: rows that break a contract are set aside and counted; a model's `tests` have severities
    ");
    assert_snapshot!(contract("not_nul: [a]"), @"
    error[unknown-key]: a rule has no key `not_nul`
     --> pipelines/main.yaml:7:67
      |
    7 |   calls: { path: x, format: parquet, time_column: at, contract: [ not_nul: [a] ] }
      |                                                                   ^^^^^^^ did you mean `not_null`?
      |
      = help: its keys: not_null, accepted_values, range, expression
    ");
    assert_snapshot!(contract("{ not_null: [a], expression: a > 1 }"), @"
    error[bad-rule]: this item names several rules
     --> pipelines/main.yaml:7:67
      |
    7 |   calls: { path: x, format: parquet, time_column: at, contract: [ { not_null: [a], expression: a > 1 } ] }
      |                                                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: begin each rule with its own `- `
    ");
    assert_snapshot!(contract("not_null"), @"
    error[wrong-type]: a rule must be a mapping, found a single value
     --> pipelines/main.yaml:7:67
      |
    7 |   calls: { path: x, format: parquet, time_column: at, contract: [ not_null ] }
      |                                                                   ^^^^^^^^
      |
      = help: e.g. `- not_null: [customer_id]`
    ");

    let test = |rule: &str| {
        refusal(&format!(
            "{}    tests:\n      - {rule}\n",
            SMALLEST.replace("{ sql: sql/touchpoints.sql }", "\n    sql: sql/touchpoints.sql")
        ))
    };
    assert_snapshot!(test("severity: warn"), @"
    error[bad-rule]: this item names no rule
     --> pipelines/main.yaml:8:9
      |
    8 |       - severity: warn
      |         ^^^^^^^^^^^^^^
      |
      = help: one of: not_null, unique, accepted_values, relationships, range, expression, row_count, sql
    ");
    assert_snapshot!(test("{ unique: [a], severity: warning }"), @"
    error[bad-value]: `severity` cannot be `warning`
     --> pipelines/main.yaml:8:34
      |
    8 |       - { unique: [a], severity: warning }
      |                                  ^^^^^^^
      |
      = help: one of: error, warn
    ");
    assert_snapshot!(test("range: { a: {} }"), @"
    error[missing-key]: the range of `a` has neither `min` nor `max`
     --> pipelines/main.yaml:8:18
      |
    8 |       - range: { a: {} }
      |                  ^
      |
      = help: give one of them, or both
    ");
    assert_snapshot!(test("row_count: { min: 5, max: 1 }"), @"
    error[bad-value]: no number is at least 5 and at most 1
     --> pipelines/main.yaml:8:20
      |
    8 |       - row_count: { min: 5, max: 1 }
      |                    ^^^^^^^^^^^^^^^^^^
      |
      = help: swap `min` and `max`
    ");
    assert_snapshot!(test("row_count: { min: -1 }"), @"
    error[bad-value]: `min` must be a whole number of at least 0, found `-1`
     --> pipelines/main.yaml:8:27
      |
    8 |       - row_count: { min: -1 }
      |                           ^^
    ");
    assert_snapshot!(test("relationships: { a: customers }"), @"
    error[bad-value]: `customers` names no column of a model
     --> pipelines/main.yaml:8:29
      |
    8 |       - relationships: { a: customers }
      |                             ^^^^^^^^^
      |
      = help: write `model.column`, e.g. `customers.customer_id`
    ");
    assert_snapshot!(test("accepted_values: { a: [] }"), @"
    error[empty-value]: `a` is an empty list
     --> pipelines/main.yaml:8:31
      |
    8 |       - accepted_values: { a: [] }
      |                               ^^
      |
      = help: give it entries, or leave the key out
    ");
    assert_snapshot!(test("sql: sql/none.sql"), @"
    error[missing-file]: cannot read `sql/none.sql`: No such file or directory (os error 2)
     --> pipelines/main.yaml:8:14
      |
    8 |       - sql: sql/none.sql
      |              ^^^^^^^^^^^^
      |
      = help: paths are relative to the workspace, the folder that holds `pipelines/`
    ");
}

#[test]
fn models() {
    let model = |text: &str| refusal(&SMALLEST.replace("sql: sql/touchpoints.sql", text));
    assert_snapshot!(model("grain: [a]"), @"
    error[missing-key]: model `touchpoints` has none of `sql`, `match` and `eligible`
     --> pipelines/main.yaml:5:3
      |
    5 |   touchpoints: { grain: [a] }
      |   ^^^^^^^^^^^
      |
      = help: add e.g. `sql: sql/facts/fct_journey.sql`
    ");
    assert_snapshot!(model("sql: sql/touchpoints.sql, match: touchpoints"), @"
    error[bad-value]: model `touchpoints` is made in more than one way
     --> pipelines/main.yaml:5:44
      |
    5 |   touchpoints: { sql: sql/touchpoints.sql, match: touchpoints }
      |                                            ^^^^^
      |
      = help: keep one of `sql`, `match` and `eligible`
    ");
    assert_snapshot!(model("sql: sql/touchpoints.sql, lookback: 3 days"), @"
    error[bad-value]: `lookback` belongs to an incremental model
     --> pipelines/main.yaml:5:44
      |
    5 |   touchpoints: { sql: sql/touchpoints.sql, lookback: 3 days }
      |                                            ^^^^^^^^
      |
      = help: write `materialized: incremental`, or leave it out
    ");
    assert_snapshot!(model("sql: sql/touchpoints.sql, materialized: tables"), @"
    error[bad-value]: `materialized` cannot be `tables`
     --> pipelines/main.yaml:5:58
      |
    5 |   touchpoints: { sql: sql/touchpoints.sql, materialized: tables }
      |                                                          ^^^^^^ did you mean `table`?
      |
      = help: one of: view, table, incremental
    ");
    assert_snapshot!(model("sql: sql/none.sql"), @"
    error[missing-file]: cannot read `sql/none.sql`: No such file or directory (os error 2)
     --> pipelines/main.yaml:5:23
      |
    5 |   touchpoints: { sql: sql/none.sql }
      |                       ^^^^^^^^^^^^
      |
      = help: paths are relative to the workspace, the folder that holds `pipelines/`
    ");
    assert_snapshot!(model("sql: ../secret.sql"), @"
    error[outside-workspace]: `../secret.sql` lies outside the workspace
     --> pipelines/main.yaml:5:23
      |
    5 |   touchpoints: { sql: ../secret.sql }
      |                       ^^^^^^^^^^^^^ an absolute path, `..` or a link that leaves it
      |
      = help: SQL, YAML and seeds live inside the workspace, so that a pipeline is versioned and moved as one folder
    ");
    assert_snapshot!(model("sql: /etc/hostname"), @"
    error[outside-workspace]: `/etc/hostname` lies outside the workspace
     --> pipelines/main.yaml:5:23
      |
    5 |   touchpoints: { sql: /etc/hostname }
      |                       ^^^^^^^^^^^^^ an absolute path, `..` or a link that leaves it
      |
      = help: SQL, YAML and seeds live inside the workspace, so that a pipeline is versioned and moved as one folder
    ");
    assert_snapshot!(model("sql: sql"), @"
    error[missing-file]: `sql` is not a file
     --> pipelines/main.yaml:5:23
      |
    5 |   touchpoints: { sql: sql }
      |                       ^^^
    ");
}

#[test]
fn journey_files() {
    assert_snapshot!(refused("journeys: none/*.yaml\n"), @"
    error[empty-glob]: no file matches `none/*.yaml`
     --> pipelines/main.yaml:6:11
      |
    6 | journeys: none/*.yaml
      |           ^^^^^^^^^^^
      |
      = help: journey files are looked for beside the pipeline's file: `journeys/*.yaml` is `pipelines/journeys/*.yaml`
    ");
    assert_snapshot!(refused("journeys: ../*.yaml\n"), @"
    error[outside-workspace]: `../*.yaml` lies outside the workspace
     --> pipelines/main.yaml:6:11
      |
    6 | journeys: ../*.yaml
      |           ^^^^^^^^^ an absolute path, `..` or a link that leaves it
      |
      = help: SQL, YAML and seeds live inside the workspace, so that a pipeline is versioned and moved as one folder
    ");
    assert_snapshot!(refused("journeys: '***'\n"), @"
    error[bad-glob]: `***` is no glob: wildcards are either regular `*` or recursive `**`
     --> pipelines/main.yaml:6:11
      |
    6 | journeys: '***'
      |           ^^^^^
      |
      = help: e.g. `journeys/*.yaml`
    ");
    assert_snapshot!(refused("journeys: { a: { starts: x } }\n"), @"
    error[wrong-type]: `journeys` must be a glob or a list of globs, found a mapping
     --> pipelines/main.yaml:6:11
      |
    6 | journeys: { a: { starts: x } }
      |           ^^^^^^^^^^^^^^^^^^^^
      |
      = help: put the definitions into a file and write `journeys: journeys/*.yaml`
    ");
    assert_snapshot!(refused_journeys("journeys:\n  a: { starts: x }\n"), @r#"
    error[wrong-type]: a journey file has no `journeys:` around its definitions
     --> pipelines/journeys/a.yaml:1:1
      |
    1 | journeys:
      | ^^^^^^^^ remove this line and indent the rest less
      |
      = help: a journey file maps names to definitions: `onboarding: { starts: "event = 'order_placed'" }`
    "#);
    assert_snapshot!(refused_journeys("- a\n"), @r#"
    error[wrong-type]: a journey file must be a mapping, found a list
     --> pipelines/journeys/a.yaml:1:1
      |
    1 | - a
      | ^^^
      |
      = help: a journey file maps names to definitions: `onboarding: { starts: "event = 'order_placed'" }`
    "#);
    assert_snapshot!(refused_journeys("a: { ends: x }\n"), @"
    error[missing-key]: journey `a` has no `starts`
     --> pipelines/journeys/a.yaml:1:1
      |
    1 | a: { ends: x }
      | ^
      |
      = help: add `starts: event = 'order_placed'`
    ");
    assert_snapshot!(refused_journeys("a: { starts: x, start: y }\n"), @"
    error[unknown-key]: journey `a` has no key `start`
     --> pipelines/journeys/a.yaml:1:17
      |
    1 | a: { starts: x, start: y }
      |                 ^^^^^ did you mean `starts`?
      |
      = help: its keys: label, owner, description, starts, ends, abandons, includes, within, idle, on_restart, key, eligible, eligible_from, eligible_until, importance, rationale
    ");
    assert_snapshot!(refused_journeys("a: { starts: x, within: 0 days }\n"), @"
    error[bad-duration]: `within` must be longer than nothing
     --> pipelines/journeys/a.yaml:1:25
      |
    1 | a: { starts: x, within: 0 days }
      |                         ^^^^^^
      |
      = help: leave `within` out for no limit
    ");
    assert_snapshot!(refused_journeys("a: { starts: x, idle: 5 dais }\n"), @"
    error[bad-duration]: `dais` is not a unit of time
     --> pipelines/journeys/a.yaml:1:23
      |
    1 | a: { starts: x, idle: 5 dais }
      |                       ^^^^^^ did you mean `days`?
      |
      = help: write e.g. `90 days`, `12 hours`, `30 minutes`, `45 seconds` or `2 weeks`
    ");
    assert_snapshot!(refused_journeys("a: { starts: x, idle: soon }\n"), @"
    error[bad-duration]: `soon` is not a length of time
     --> pipelines/journeys/a.yaml:1:23
      |
    1 | a: { starts: x, idle: soon }
      |                       ^^^^
      |
      = help: write e.g. `90 days`, `12 hours`, `30 minutes`, `45 seconds` or `2 weeks`
    ");
    assert_snapshot!(refused_journeys("a: { starts: x, key: [order_id] }\n"), @"
    error[bad-value]: the key of journey `a` lacks `customer_id`
     --> pipelines/journeys/a.yaml:1:22
      |
    1 | a: { starts: x, key: [order_id] }
      |                      ^^^^^^^^^^
      |
      = help: a journey belongs to one customer: `key: [customer_id, order_id]`
    ");
    assert_snapshot!(refused_journeys("a: { starts: x, importance: 6 }\n"), @"
    error[bad-value]: `importance` must be a whole number from 1 to 5, found `6`
     --> pipelines/journeys/a.yaml:1:29
      |
    1 | a: { starts: x, importance: 6 }
      |                             ^
    ");
    assert_snapshot!(refused_journeys("a: { starts: x, on_restart: spilt }\n"), @"
    error[bad-value]: `on_restart` cannot be `spilt`
     --> pipelines/journeys/a.yaml:1:29
      |
    1 | a: { starts: x, on_restart: spilt }
      |                             ^^^^^ did you mean `split`?
      |
      = help: one of: absorb, split
    ");
    assert_snapshot!(refused_journeys("all: { starts: x }\n"), @"
    error[bad-name]: the name `all` is reserved
     --> pipelines/journeys/a.yaml:1:1
      |
    1 | all: { starts: x }
      | ^^^
      |
      = help: choose another name
    ");
}

#[test]
fn one_journey_in_two_files() {
    let pipeline = format!("{SMALLEST}journeys: [journeys/a.yaml, journeys/*.yaml]\n");
    let folder = workspace(&[
        ("pipelines/main.yaml", pipeline.as_bytes()),
        ("pipelines/journeys/a.yaml", b"move: { starts: x }\n"),
        ("pipelines/journeys/b.yaml", b"move: { starts: y }\n"),
    ]);
    assert_snapshot!(load_pipeline(&options(&folder)).expect_err("clash"), @"
    error[name-clash]: a second journey is named `move`
     --> pipelines/journeys/b.yaml:1:1
      |
    1 | move: { starts: y }
      | ^^^^ first used in pipelines/journeys/a.yaml:1
      |
      = help: rename one of the two
    ");
}

#[test]
fn a_match_ordered_by_known_at_makes_members() {
    let model = |text: &str| SMALLEST.replace("{ sql: sql/touchpoints.sql }", &format!("{{ {text} }}"));
    let rows = |text: &str| {
        let folder = workspace(&[("pipelines/main.yaml", model(text).as_bytes())]);
        let (pipeline, _) = load_pipeline(&options(&folder)).unwrap_or_else(|findings| panic!("{findings}"));
        match pipeline.models["touchpoints"].kind {
            ModelKind::Match { rows, .. } => rows,
            _ => panic!("a match"),
        }
    };
    assert_eq!(rows("match: a, ordered_by: known_at"), MatchRows::KnownMembers);
    assert_eq!(rows("match: a, ordered_by: occurred_at"), MatchRows::Members);
    let refused = |text: &str| refusal(&model(text));
    assert_snapshot!(refused("match: a, rows: instances, ordered_by: known_at"), @"
    error[bad-value]: instances are measured as they happened, not as they became known
     --> pipelines/main.yaml:5:57
      |
    5 |   touchpoints: { match: a, rows: instances, ordered_by: known_at }
      |                                                         ^^^^^^^^
      |
      = help: leave `ordered_by` out, or make members: leave `rows` out
    ");
    assert_snapshot!(refused("match: a, ordered_by: known_at, materialized: incremental"), @"
    error[bad-value]: a match ordered by `known_at` cannot be incremental itself
     --> pipelines/main.yaml:5:64
      |
    5 |   touchpoints: { match: a, ordered_by: known_at, materialized: incremental }
      |                                                                ^^^^^^^^^^^ use `view`
      |
      = help: make the SQL model that reads it incremental
    ");
    assert_snapshot!(refused("match: a, ordered_by: seen_at"), @"
    error[bad-value]: `ordered_by` cannot be `seen_at`
     --> pipelines/main.yaml:5:40
      |
    5 |   touchpoints: { match: a, ordered_by: seen_at }
      |                                        ^^^^^^^
      |
      = help: one of: occurred_at, known_at
    ");
    assert_snapshot!(refused("sql: sql/touchpoints.sql, ordered_by: known_at"), @"
    error[bad-value]: `ordered_by` says in which order a `match` reads, and this model has none
     --> pipelines/main.yaml:5:44
      |
    5 |   touchpoints: { sql: sql/touchpoints.sql, ordered_by: known_at }
      |                                            ^^^^^^^^^^
      |
      = help: leave `ordered_by` out, or make the model with `match: <relation of touchpoints>`
    ");
}
