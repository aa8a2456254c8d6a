//! One of each refusal of a workspace, of YAML, of names and single values, in full: what a person sees.

use insta::assert_snapshot;

use super::{SMALLEST, options, refusal, refused, workspace};
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
     = help: a pipeline is a file such as `pipelines/key_journeys.yaml`; the README shows one
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
      = help: its keys: name, owner, description, start, warehouse, uses, assisted_channels, variables, sources, seeds, journeys, models, triggers, unit_tests, dictionary, semantics
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
      = help: its keys: name, owner, description, start, warehouse, uses, assisted_channels, variables, sources, seeds, journeys, models, triggers, unit_tests, dictionary, semantics
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
    assert_snapshot!(refused("sources: { calls: { path: ${LAKE}/calls, format: csv } }\n"), @"
    error[yaml-syntax]: this is not YAML: while parsing a flow mapping, did not find expected ',' or '}'
     --> pipelines/main.yaml:6:28
      |
    6 | sources: { calls: { path: ${LAKE}/calls, format: csv } }
      |                            ^
      |
      = help: inside `{ }` and `[ ]`, put a text with `${VAR}` in quotes
    ");
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
      = help: its keys: path, format, delimiter, columns, time_column, active_at, key, sorted_by, contract, freshness, rejected, rows, description, owner

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
