//! Findings as text.

use std::sync::Arc;

use insta::assert_snapshot;

use crate::{Diagnostic, Diagnostics, Place, SourceFile, closest};

fn finding(text: &str, marked: &str) -> Diagnostic {
    let start = text.find(marked).expect("the marked text");
    let file = Arc::new(SourceFile { path: "pipelines/journeys/onboarding.yaml".into(), text: text.to_owned() });
    Diagnostic::error("unknown-column", "no column `chanel` in `touchpoints`")
        .at(Place { file, span: start..start + marked.len() })
}

#[test]
fn the_example_of_the_manual() {
    let text = "onboarding:\n  label: x\n  owner: y\n  starts: chanel = 'phone'\n";
    let finding = finding(text, "chanel")
        .label("did you mean `channel`?")
        .help("`throughline show touchpoints --limit 0` lists the columns");
    assert_snapshot!(Diagnostics::from(finding.clone()), @"
    error[unknown-column]: no column `chanel` in `touchpoints`
     --> pipelines/journeys/onboarding.yaml:4:11
      |
    4 |   starts: chanel = 'phone'
      |           ^^^^^^ did you mean `channel`?
      |
      = help: `throughline show touchpoints --limit 0` lists the columns
    ");
    assert_snapshot!(Diagnostics::from(finding).render(true).replace('\u{1b}', "␛"), @"
    ␛[1m␛[91merror[unknown-column]␛[0m␛[1m: no column `chanel` in `touchpoints`␛[0m
     ␛[1m␛[94m--> ␛[0mpipelines/journeys/onboarding.yaml:4:11
      ␛[1m␛[94m|␛[0m
    ␛[1m␛[94m4␛[0m ␛[1m␛[94m|␛[0m   starts: chanel = 'phone'
      ␛[1m␛[94m|␛[0m           ␛[1m␛[91m^^^^^^␛[0m ␛[1m␛[91mdid you mean `channel`?␛[0m
      ␛[1m␛[94m|␛[0m
      ␛[1m␛[94m= ␛[0m␛[1mhelp␛[0m: `throughline show touchpoints --limit 0` lists the columns
    ");
}

#[test]
fn without_place_label_or_help() {
    let findings = Diagnostics(vec![Diagnostic::warning("odd", "this is odd"), finding("a: chanel\n", "chanel")]);
    assert_snapshot!(findings, @"
    warning[odd]: this is odd

    error[unknown-column]: no column `chanel` in `touchpoints`
     --> pipelines/journeys/onboarding.yaml:1:4
      |
    1 | a: chanel
      |    ^^^^^^
    ");
}

#[test]
fn tabs_wide_letters_and_control_characters() {
    assert_snapshot!(Diagnostics::from(finding("a:\t'日本語'\tchanel = 'x'\u{1b}[31m\r\n", "chanel")), @"
    error[unknown-column]: no column `chanel` in `touchpoints`
     --> pipelines/journeys/onboarding.yaml:1:10
      |
    1 | a:    '日本語'    chanel = 'x'␛[31m
      |                   ^^^^^^
    ");
}

#[test]
fn places_of_several_lines_and_of_none() {
    assert_snapshot!(Diagnostics::from(finding("a:\n  b: 1\n  c: 2\n", "b: 1\n  c: 2")), @"
    error[unknown-column]: no column `chanel` in `touchpoints`
     --> pipelines/journeys/onboarding.yaml:2:3
      |
    2 |   b: 1
      |   ^^^^
    ");
    assert_snapshot!(Diagnostics::from(finding("a:\n", "")), @"
    error[unknown-column]: no column `chanel` in `touchpoints`
     --> pipelines/journeys/onboarding.yaml:1:1
      |
    1 | a:
      | ^
    ");
    assert_snapshot!(Diagnostics::from(finding("", "")), @"
    error[unknown-column]: no column `chanel` in `touchpoints`
     --> pipelines/journeys/onboarding.yaml:1:1
      |
    1 |
      | ^
    ");
    let end = finding("a: b\n", "\n");
    assert_snapshot!(Diagnostics::from(end), @"
    error[unknown-column]: no column `chanel` in `touchpoints`
     --> pipelines/journeys/onboarding.yaml:1:5
      |
    1 | a: b
      |     ^
    ");
}

#[test]
fn long_lines() {
    let line = |count: usize| format!("{}chanel{}", "ä ".repeat(count), " ö".repeat(count));
    assert_snapshot!(Diagnostics::from(finding(&line(500), "chanel").label("here")), @"
    error[unknown-column]: no column `chanel` in `touchpoints`
     --> pipelines/journeys/onboarding.yaml:1:1001
      |
    1 | ... ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä chanel ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ...
      |                                                               ^^^^^^ here
    ");
    assert_snapshot!(Diagnostics::from(finding(&line(100_000), "chanel").label("here")), @"
    error[unknown-column]: no column `chanel` in `touchpoints`
     --> pipelines/journeys/onboarding.yaml:1:200001
      |
     ::: 
    1 | ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä ä chanel ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö ö
      |                                                             ^^^^^^ here
    ");
    let marked = "x".repeat(100_000);
    assert_snapshot!(Diagnostics::from(finding(&marked, &marked)), @"
    error[unknown-column]: no column `chanel` in `touchpoints`
     --> pipelines/journeys/onboarding.yaml:1:1
      |
     ::: 
    1 | xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    ");
}

#[test]
fn order_and_repetition() {
    let text = "a: chanel\nb: y\n";
    let (first, second) = (finding(text, "chanel"), finding(text, "y"));
    let mut findings = Diagnostics(vec![second.clone(), first.clone(), second.clone()]);
    findings.push(Diagnostic::warning("odd", "this is odd"));
    let sorted = findings.sorted();
    assert_eq!(sorted.0, [Diagnostic::warning("odd", "this is odd"), first, second]);
    assert!(sorted.has_errors());
    assert!(!Diagnostics::from(Diagnostic::warning("odd", "x")).has_errors());
}

#[test]
fn did_you_mean() {
    let names = ["channel", "customer_id", "event"];
    assert_eq!(closest("chanel", names), Some("channel"));
    assert_eq!(closest("EVENT", names), Some("event"));
    assert_eq!(closest("customerid", names), Some("customer_id"));
    assert_eq!(closest("topic", names), None);
    assert_eq!(closest("a", ["b"]), None, "a name of one letter resembles every other");
    assert_eq!(closest(&"x".repeat(10_000), names), None);
}
