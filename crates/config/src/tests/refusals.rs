//! One of each refusal, in full: what a person sees.

use insta::assert_snapshot;

use super::{SMALLEST, options, refusal, refused, refused_journeys, workspace};
use crate::{LoadOptions, load_pipeline};

#[test]
fn workspaces_without_the_pipeline() {
    let folder = tempfile::tempdir().expect("a folder");
    let shown = |options: &LoadOptions| {
        let text = load_pipeline(options).expect_err("must be refused").to_string();
        text.replace(&options.project.display().to_string(), "FOLDER")
    };
    assert_snapshot!(shown(&options(&folder)), @"
    error[no-workspace]: no workspace in `FOLDER`: No such file or directory (os error 2)
     |
     = help: a workspace is a folder that holds `pipelines/`; point to it with `--project DIR`
     = help: `throughline init DIR` makes a new one
    ");
    assert_snapshot!(shown(&LoadOptions { project: folder.path().join("none"), ..options(&folder) }), @"
    error[no-workspace]: no workspace in `FOLDER`: No such file or directory (os error 2)
     |
     = help: point to the folder that holds `pipelines/` with `--project DIR`
    ");
    std::fs::create_dir(folder.path().join("pipelines")).expect("a folder");
    assert_snapshot!(shown(&options(&folder)), @"
    error[no-pipeline]: the workspace has no pipeline: `pipelines/` holds no `.yaml` file
     |
     = help: `throughline init DIR` makes a workspace with a small working pipeline
    ");

    let folder =
        workspace(&[("pipelines/main.yaml", SMALLEST.as_bytes()), ("pipelines/other.yaml", SMALLEST.as_bytes())]);
    assert_snapshot!(shown(&options(&folder)), @"
    error[unknown-pipeline]: the workspace has several pipelines and none is `key_journeys`
     |
     = help: name one with `--pipeline NAME`; there are: `main`, `other`
    ");
    assert_snapshot!(shown(&LoadOptions { pipeline: Some("othr".to_owned()), ..options(&folder) }), @"
    error[unknown-pipeline]: no pipeline `othr` in this workspace
     |
     = help: did you mean `other`?
     = help: there are: `main`, `other`
    ");
}

#[test]
fn keys() {
    assert_snapshot!(refused("onwer: cx\n"), @"
    error[unknown-key]: the pipeline has no key `onwer`
     --> pipelines/main.yaml:6:1
      |
    6 | onwer: cx
      | ^^^^^ did you mean `owner`?
      |
      = help: its keys: name, owner, description, start, warehouse, variables, sources, seeds, journeys, models, dictionary
    ");
    assert_snapshot!(refused("owner: a\nowner: b\n"), @"
    error[duplicate-key]: `owner` is given twice
     --> pipelines/main.yaml:7:1
      |
    7 | owner: b
      | ^^^^^ first given in line 6, column 1
      |
      = help: keep one of the two
    ");
    assert_snapshot!(refusal("name: main\nstart: 2024-10-01\n"), @"
    error[missing-key]: the pipeline has no `warehouse`
     --> pipelines/main.yaml:1:1
      |
    1 | name: main
      | ^
      |
      = help: add `warehouse: ${WAREHOUSE:-data/warehouse}`

    error[missing-key]: the pipeline has no `models`
     --> pipelines/main.yaml:1:1
      |
    1 | name: main
      | ^
      |
      = help: add `models: { touchpoints: { sql: sql/staging/touchpoints.sql } }`
    ");
    assert_snapshot!(refusal("- name: main\n"), @"
    error[wrong-type]: the pipeline must be a mapping, found a list
     --> pipelines/main.yaml:1:1
      |
    1 | - name: main
      | ^^^^^^^^^^^^
      |
      = help: its keys: name, owner, description, start, warehouse, variables, sources, seeds, journeys, models, dictionary
    ");
    assert_snapshot!(refusal(""), @"
    error[empty-file]: `pipelines/main.yaml` is empty
     --> pipelines/main.yaml:1:1
      |
    1 |
      | ^
    ");
    assert_snapshot!(refused("owner:\n"), @"
    error[empty-value]: `owner` has no value
     --> pipelines/main.yaml:6:1
      |
    6 | owner:
      | ^^^^^ expected text
      |
      = help: give it one, or leave the key out
    ");
    assert_snapshot!(refused("owner: \"\"\n"), @r#"
    error[empty-value]: `owner` is an empty text
     --> pipelines/main.yaml:6:8
      |
    6 | owner: ""
      |        ^^
    "#);
    assert_snapshot!(refused("owner: [a]\n"), @"
    error[wrong-type]: `owner` must be text, found a list
     --> pipelines/main.yaml:6:8
      |
    6 | owner: [a]
      |        ^^^
    ");
    assert_snapshot!(refused("[a, b]: c\n"), @"
    error[yaml-key]: a list or mapping stands where a name is expected
     --> pipelines/main.yaml:6:1
      |
    6 | [a, b]: c
      | ^^^^^^
      |
      = help: keys are texts
    ");
}

#[test]
fn yaml_that_hides_what_it_means() {
    assert_snapshot!(refused("owner: &team cx\n"), @"
    error[yaml-alias]: anchors (`&name`) are refused
     --> pipelines/main.yaml:6:14
      |
    6 | owner: &team cx
      |              ^^ this value has an anchor
      |
      = help: write repeated values out, or use `variables` and `${VAR}`
    ");
    assert_snapshot!(refused("owner: &team cx\ndescription: *team\n"), @"
    error[yaml-alias]: anchors (`&name`) are refused
     --> pipelines/main.yaml:6:14
      |
    6 | owner: &team cx
      |              ^^ this value has an anchor
      |
      = help: write repeated values out, or use `variables` and `${VAR}`

    error[yaml-alias]: aliases (`*name`) are refused
     --> pipelines/main.yaml:7:14
      |
    7 | description: *team
      |              ^^^^^ write the value out
      |
      = help: an alias makes a short file stand for a long one; `variables` and `${VAR}` serve for repeated values
    ");
    assert_snapshot!(refused("owner: !secret cx\n"), @"
    error[yaml-tag]: tags (`!name`) are refused
     --> pipelines/main.yaml:6:16
      |
    6 | owner: !secret cx
      |                ^^ this value has a tag
      |
      = help: remove the tag; to make a number or `true` a text, put it in quotes
    ");
    assert_snapshot!(refused("<<: { owner: cx }\n"), @"
    error[yaml-merge]: merge keys (`<<`) are refused
     --> pipelines/main.yaml:6:1
      |
    6 | <<: { owner: cx }
      | ^^ write the keys out
      |
      = help: a merged mapping hides where a value comes from
    ");
    assert_snapshot!(refused("---\nname: main\n"), @"
    error[yaml-documents]: a second YAML document begins here
     --> pipelines/main.yaml:6:1
      |
    6 | ---
      | ^^^
      |
      = help: one file holds one document: remove the `---`, or move what follows to its own file
    ");
}

#[test]
fn broken_yaml() {
    assert_snapshot!(refused("sources:\n\tcalls: { path: x }\n"), @"
    error[yaml-tab]: a tab indents this line
     --> pipelines/main.yaml:7:1
      |
    7 |     calls: { path: x }
      | ^ YAML indents with spaces only
      |
      = help: replace each tab with two spaces
    ");
    assert_snapshot!(refused("owner: [a, b\n"), @r#"
    error[yaml-syntax]: this is not YAML: while parsing a flow sequence, expected ',' or ']'
     --> pipelines/main.yaml:7:1
      |
    7 |
      | ^
      |
      = help: texts that hold `: `, ` #`, or begin with one of `{[&*!|>'"%@` and the backtick need quotes
    "#);
    assert_snapshot!(refused("owner: a: b\n"), @r#"
    error[yaml-syntax]: this is not YAML: mapping values are not allowed in this context
     --> pipelines/main.yaml:6:9
      |
    6 | owner: a: b
      |         ^
      |
      = help: texts that hold `: `, ` #`, or begin with one of `{[&*!|>'"%@` and the backtick need quotes
    "#);
    assert_snapshot!(refused("owner: \"cx\n"), @r#"
    error[yaml-syntax]: this is not YAML: while scanning a quoted scalar, found unexpected end of stream
     --> pipelines/main.yaml:6:8
      |
    6 | owner: "cx
      |        ^
      |
      = help: texts that hold `: `, ` #`, or begin with one of `{[&*!|>'"%@` and the backtick need quotes
    "#);
    assert_snapshot!(refused(" owner: cx\n"), @r#"
    error[yaml-syntax]: this is not YAML: while parsing a block mapping, did not find expected key
     --> pipelines/main.yaml:6:2
      |
    6 |  owner: cx
      |  ^
      |
      = help: texts that hold `: `, ` #`, or begin with one of `{[&*!|>'"%@` and the backtick need quotes
    "#);
}

#[test]
fn names() {
    assert_snapshot!(refusal(&SMALLEST.replace("name: main", "name: journeys")), @"
    error[bad-name]: the pipeline `journeys` lives in `pipelines/main.yaml`
     --> pipelines/main.yaml:1:7
      |
    1 | name: journeys
      |       ^^^^^^^^
      |
      = help: a pipeline is named like its file: write `name: main` or rename the file
    ");
    assert_snapshot!(refusal(&SMALLEST.replace("  touchpoints:", "  Fct-Journey:")), @"
    error[bad-name]: `Fct-Journey` cannot name a model
     --> pipelines/main.yaml:5:3
      |
    5 |   Fct-Journey: { sql: sql/touchpoints.sql }
      |   ^^^^^^^^^^^ e.g. `fct_journey`
      |
      = help: names are snake_case: a small letter, then small letters, digits and `_`
    ");
    assert_snapshot!(refusal(&SMALLEST.replace("  touchpoints:", &format!("  {}:", "a".repeat(64)))), @"
    error[bad-name]: a name of 64 letters; 63 are the most
     --> pipelines/main.yaml:5:3
      |
    5 |   aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: { sql: sql/touchpoints.sql }
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: SQL clients cut longer names
    ");
    assert_snapshot!(refusal(&SMALLEST.replace("  touchpoints:", "  journey_definitions:")), @"
    error[bad-name]: the name `journey_definitions` is reserved
     --> pipelines/main.yaml:5:3
      |
    5 |   journey_definitions: { sql: sql/touchpoints.sql }
      |   ^^^^^^^^^^^^^^^^^^^
      |
      = help: choose another name
    ");
    assert_snapshot!(refusal(&SMALLEST.replace("  touchpoints:", "  calls__rejected:")), @"
    error[bad-name]: the name `calls__rejected` is reserved
     --> pipelines/main.yaml:5:3
      |
    5 |   calls__rejected: { sql: sql/touchpoints.sql }
      |   ^^^^^^^^^^^^^^^
      |
      = help: `<source>__rejected` holds the rows a source's contract sets aside
    ");
    assert_snapshot!(refused("sources: { touchpoints: { path: x, format: parquet, time_column: at } }\n"), @"
    error[name-clash]: the model `touchpoints` has the name of a source or seed
     --> pipelines/main.yaml:5:3
      |
    5 |   touchpoints: { sql: sql/touchpoints.sql }
      |   ^^^^^^^^^^^ first used in pipelines/main.yaml:6
      |
      = help: rename one of the two
    ");
    assert_snapshot!(refused("variables: { as_of: 2024-10-01 }\n"), @"
    error[bad-name]: the name `as_of` is reserved
     --> pipelines/main.yaml:6:14
      |
    6 | variables: { as_of: 2024-10-01 }
      |              ^^^^^
      |
      = help: choose another name
    ");
}

#[test]
fn single_values() {
    assert_snapshot!(refusal(&SMALLEST.replace("2024-10-01", "1 October")), @"
    error[bad-timestamp]: `1 October` is no date or instant
     --> pipelines/main.yaml:2:8
      |
    2 | start: 1 October
      |        ^^^^^^^^^
      |
      = help: write `2024-10-01` or `2024-10-01T12:00:00Z`; without a zone it is UTC
    ");
    assert_snapshot!(refused("variables: { horizon: 3 months }\n"), @"
    error[bad-duration]: `3 months` has no fixed length: months vary
     --> pipelines/main.yaml:6:23
      |
    6 | variables: { horizon: 3 months }
      |                       ^^^^^^^^
      |
      = help: say it in days, e.g. `90 days`
    ");
    assert_snapshot!(refused("variables: { horizon: 1.5 days }\n"), @"
    error[bad-duration]: `1.5 days` is not a whole number of units, zero or more
     --> pipelines/main.yaml:6:23
      |
    6 | variables: { horizon: 1.5 days }
      |                       ^^^^^^^^
      |
      = help: use a smaller unit: `36 hours` for one and a half days
    ");
    assert_snapshot!(refused("variables: { horizon: 999999999999999999 weeks }\n"), @"
    error[bad-duration]: `999999999999999999 weeks` is longer than 290 000 years
     --> pipelines/main.yaml:6:23
      |
    6 | variables: { horizon: 999999999999999999 weeks }
      |                       ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write e.g. `90 days`, `12 hours`, `30 minutes`, `45 seconds` or `2 weeks`
    ");
    assert_snapshot!(refused("variables: { rows: 99999999999999999999 }\n"), @"
    error[bad-value]: `99999999999999999999` does not fit a 64-bit integer
     --> pipelines/main.yaml:6:20
      |
    6 | variables: { rows: 99999999999999999999 }
      |                    ^^^^^^^^^^^^^^^^^^^^
      |
      = help: put it in quotes to make it a text
    ");
    assert_snapshot!(refused("variables: { level: .nan }\n"), @"
    error[bad-value]: `.nan` is not a finite number
     --> pipelines/main.yaml:6:21
      |
    6 | variables: { level: .nan }
      |                     ^^^^
      |
      = help: put it in quotes to make it a text
    ");
}

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
    assert_snapshot!(refused("seeds: { goals: { path: data/seeds/goals.csv, columns: { a: string } } }\n"), @"
    error[missing-file]: no file `data/seeds/goals.csv`
     --> pipelines/main.yaml:6:25
      |
    6 | seeds: { goals: { path: data/seeds/goals.csv, columns: { a: string } } }
      |                         ^^^^^^^^^^^^^^^^^^^^
      |
      = help: a seed is one CSV file of the workspace, its path relative to the workspace
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
      = help: its keys: not_null, unique, accepted_values, relationships, range, expression, row_count, sql, severity
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
    assert_snapshot!(model("sql: sql/touchpoints.sql, materialized: incremental"), @"
    error[unsupported]: `materialized: incremental` is not supported yet
     --> pipelines/main.yaml:5:58
      |
    5 |   touchpoints: { sql: sql/touchpoints.sql, materialized: incremental }
      |                                                          ^^^^^^^^^^^ use `table`
      |
      = help: `table` gives the same rows: it is replaced as a whole by each run
    ");
    assert_snapshot!(model("sql: sql/touchpoints.sql, materialized: tables"), @"
    error[bad-value]: `materialized` cannot be `tables`
     --> pipelines/main.yaml:5:58
      |
    5 |   touchpoints: { sql: sql/touchpoints.sql, materialized: tables }
      |                                                          ^^^^^^ did you mean `table`?
      |
      = help: one of: view, table
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
      = help: its keys: label, owner, description, starts, ends, abandons, includes, within, idle, on_restart, key, eligible, importance, rationale
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
    error[name-clash]: the journey `move` has the name of a journey
     --> pipelines/journeys/b.yaml:1:1
      |
    1 | move: { starts: y }
      | ^^^^ first used in pipelines/journeys/a.yaml:1
      |
      = help: rename one of the two
    ");
}

#[test]
fn a_dictionary_that_is_missing() {
    assert_snapshot!(refused("dictionary: dictionary.yaml\n"), @"
    error[missing-file]: cannot read `dictionary.yaml`: No such file or directory (os error 2)
     --> pipelines/main.yaml:6:13
      |
    6 | dictionary: dictionary.yaml
      |             ^^^^^^^^^^^^^^^
      |
      = help: paths are relative to the workspace, the folder that holds `pipelines/`
    ");
    assert_snapshot!(refused("dictionary: { customer_id: [a] }\n"), @"
    error[wrong-type]: `customer_id` must be text, found a list
     --> pipelines/main.yaml:6:28
      |
    6 | dictionary: { customer_id: [a] }
      |                            ^^^
    ");
}

/// A person mends a file in one go, so everything that is wrong with it is said at once, in the file's order.
#[test]
fn every_finding_of_a_file() {
    let yaml = "\
name: main
start: soon
warehouse: [a]
sources:
  calls: { path: x, format: parquett, tme_column: at }
  visits: { format: csv }
models:
  touchpoints: { sql: sql/none.sql, grain: id }
";
    assert_snapshot!(refusal(yaml), @r#"
    error[bad-timestamp]: `soon` is no date or instant
     --> pipelines/main.yaml:2:8
      |
    2 | start: soon
      |        ^^^^
      |
      = help: write `2024-10-01` or `2024-10-01T12:00:00Z`; without a zone it is UTC

    error[wrong-type]: `warehouse` must be text, found a list
     --> pipelines/main.yaml:3:12
      |
    3 | warehouse: [a]
      |            ^^^

    warning[no-time-column]: source `calls` has no `time_column`: `as_of` cannot cut it
     --> pipelines/main.yaml:5:3
      |
    5 |   calls: { path: x, format: parquett, tme_column: at }
      |   ^^^^^
      |
      = help: name the column that says when a row happened; without it a rerun for an earlier day sees later rows

    error[bad-value]: `format` cannot be `parquett`
     --> pipelines/main.yaml:5:29
      |
    5 |   calls: { path: x, format: parquett, tme_column: at }
      |                             ^^^^^^^^ did you mean `parquet`?
      |
      = help: one of: parquet, csv, json, delta

    error[unknown-key]: source `calls` has no key `tme_column`
     --> pipelines/main.yaml:5:39
      |
    5 |   calls: { path: x, format: parquett, tme_column: at }
      |                                       ^^^^^^^^^^ did you mean `time_column`?
      |
      = help: its keys: path, format, delimiter, columns, time_column, key, contract, freshness, description, owner

    error[missing-key]: source `visits` has no `path`
     --> pipelines/main.yaml:6:3
      |
    6 |   visits: { format: csv }
      |   ^^^^^^
      |
      = help: add `path: "${LAKE:-data/lake}/calls/"`

    error[missing-key]: source `visits` has no `columns`
     --> pipelines/main.yaml:6:3
      |
    6 |   visits: { format: csv }
      |   ^^^^^^
      |
      = help: CSV and JSON hold no types, so declare them: `columns: { customer_id: string, amount: float64 }`

    warning[no-time-column]: source `visits` has no `time_column`: `as_of` cannot cut it
     --> pipelines/main.yaml:6:3
      |
    6 |   visits: { format: csv }
      |   ^^^^^^
      |
      = help: name the column that says when a row happened; without it a rerun for an earlier day sees later rows

    error[missing-file]: cannot read `sql/none.sql`: No such file or directory (os error 2)
     --> pipelines/main.yaml:8:23
      |
    8 |   touchpoints: { sql: sql/none.sql, grain: id }
      |                       ^^^^^^^^^^^^
      |
      = help: paths are relative to the workspace, the folder that holds `pipelines/`

    error[wrong-type]: `grain` must be a list, found a single value
     --> pipelines/main.yaml:8:44
      |
    8 |   touchpoints: { sql: sql/none.sql, grain: id }
      |                                            ^^
      |
      = help: write `grain: [id]`
    "#);
}
