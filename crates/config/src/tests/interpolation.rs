//! `${VAR}` and `${VAR:-default}`.

use std::collections::HashMap;

use insta::assert_snapshot;

use super::{SMALLEST, options, workspace};
use crate::{Diagnostics, LoadOptions, Pipeline, Variable, load_pipeline};

fn load(addition: &str, environment: &[(&str, &str)]) -> Result<Pipeline, Diagnostics> {
    let folder = workspace(&[("pipelines/main.yaml", format!("{SMALLEST}{addition}").as_bytes())]);
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load_pipeline(&LoadOptions { environment: environment.collect::<HashMap<_, _>>(), ..options(&folder) })
        .map(|loaded| loaded.0)
}

/// The description that `text` becomes.
fn filled(text: &str, environment: &[(&str, &str)]) -> String {
    let pipeline = load(&format!("description: {text}\n"), environment).unwrap_or_else(|findings| panic!("{findings}"));
    pipeline.description.expect("a description")
}

#[test]
fn values_and_defaults() {
    assert_eq!(filled("${A}/b/${A}", &[("A", "x")]), "x/b/x");
    assert_eq!(filled("${A:-y}", &[("A", "x")]), "x");
    assert_eq!(filled("${A:-y}", &[]), "y");
    assert_eq!(filled("${A:-y}", &[("A", "")]), "y", "as in a shell");
    assert_eq!(filled("\"a${A:-}b\"", &[]), "ab", "an empty default");
    assert_eq!(filled("ä${A}ö", &[("A", "ü")]), "äüö");
    assert_eq!(filled("${A}", &[("A", "${B}")]), "${B}", "what was put in is not interpolated again");
}

#[test]
fn other_dollars_stay() {
    assert_eq!(filled("occurred_at < $as_of", &[]), "occurred_at < $as_of");
    assert_eq!(filled("$$as_of $ $$", &[]), "$$as_of $ $$");
    assert_eq!(filled("$${A} ${A}", &[("A", "x")]), "${A} x");
    assert_eq!(filled("$$${A}", &[("A", "x")]), "$${A}");
}

#[test]
fn values_never_change_the_structure() {
    let nasty = "x\nowner: mallory\n# \"'{[&*!";
    assert_eq!(filled("${A}", &[("A", nasty)]), nasty);
    let pipeline = load("description: ${A}\n", &[("A", nasty)]).expect("loads");
    assert_eq!(pipeline.owner, None);
}

#[test]
fn variables_take_their_kind_from_the_value() {
    let pipeline = load("variables:\n  rows: ${ROWS}\n  text: \"${ROWS}\"\n", &[("ROWS", "5")]).expect("loads");
    assert_eq!(pipeline.variables["rows"].value, Variable::Integer(5));
    assert_eq!(pipeline.variables["text"].value, Variable::Text("5".to_owned()));
    assert_eq!(pipeline.variables["rows"].place.text(), "${ROWS}");
}

#[test]
fn refusals() {
    let refused =
        |text: &str| load(&format!("description: {text}\n"), &[("LAKE_PATH", "x")]).expect_err("refused").to_string();
    assert_snapshot!(refused("a ${LAKE_PTH} b"), @"
    error[unset-variable]: the environment variable `LAKE_PTH` is not set
     --> pipelines/main.yaml:6:16
      |
    6 | description: a ${LAKE_PTH} b
      |                ^^^^^^^^^^^ `LAKE_PATH` is set; did you mean that?
      |
      = help: set it, or give a default: `${LAKE_PTH:-…}`
    ");
    assert_snapshot!(refused("a ${LAKE"), @"
    error[interpolation]: `${` without its `}`
     --> pipelines/main.yaml:6:16
      |
    6 | description: a ${LAKE
      |                ^^
      |
      = help: write `${VAR}` or `${VAR:-default}`; `$${` stands for the letters `${`
    ");
    assert_snapshot!(refused("a ${LA KE}"), @"
    error[interpolation]: `LA KE` is no name of an environment variable
     --> pipelines/main.yaml:6:16
      |
    6 | description: a ${LA KE}
      |                ^^^^^^^^
      |
      = help: write `${VAR}` or `${VAR:-default}`; `$${` stands for the letters `${`
    ");
    assert_snapshot!(refused("${NONE:-}"), @"
    error[empty-value]: `description` has no value
     --> pipelines/main.yaml:6:1
      |
    6 | description: ${NONE:-}
      | ^^^^^^^^^^^ expected text
      |
      = help: give it one, or leave the key out
    ");
}

#[test]
fn what_is_put_in_is_bounded() {
    let long = "x".repeat(300_000);
    assert!(load("description: ${A}${A}${A}\n", &[("A", &long)]).is_ok());
    let findings = load("description: ${A}${A}${A}${A}\n", &[("A", &long)]).expect_err("refused").to_string();
    assert_snapshot!(findings, @"
    error[interpolation]: the values put into this file come to more than 1 MiB
     --> pipelines/main.yaml:6:26
      |
    6 | description: ${A}${A}${A}${A}
      |                          ^^^^
    ");
}
