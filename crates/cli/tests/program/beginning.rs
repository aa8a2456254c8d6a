//! `init`: from nothing to ranked journeys.

use insta::assert_snapshot;

use crate::workspace::Workspace;

#[test]
fn a_new_workspace_works_at_once() {
    let workspace = Workspace::empty();
    assert_snapshot!(workspace.run("init first"), @"
    exit 0
    --- stderr
    a workspace in first: 11 files, three hundred customers of an invented internet provider, three journeys
    next: run it and see on which journeys more of them leave than of like customers
      cd first
      throughline run
    then start reading at pipelines/key_journeys.yaml
    ");
    let project = [("THROUGHLINE_PROJECT", "first")];
    let run = |arguments: &str| workspace.run_with(&arguments.split(' ').collect::<Vec<_>>(), &project);
    run("check").ends_with(0);
    let ran = run("run").ends_with(0);
    assert!(!ran.stderr.contains("warning"), "{ran}");
    let ranking = ran.stderr.split("\nKey journeys").nth(1).expect("a run ends with the ranking");
    let first = ranking.lines().find(|line| line.contains(" 1  ")).expect("a journey is ranked");
    assert_snapshot!(first.trim(), @"harmful     1  fault            114  29.3   6.5  4.48 [2.12, 9.47]          │   ────●  15 [6, 26]");
    assert!(ran.stderr.contains("· 0 rows set aside ·"), "{ran}");
    let explained = run("explain fault").ends_with(0);
    let words: Vec<&str> = explained.stdout.split_whitespace().collect();
    assert!(
        words.join(" ").contains("That is 15 more in the quarter (6 to 26), if the journey is the cause."),
        "{explained}"
    );
    // On any later day it is the same, for the example says how far its data reaches.
    let later = run("run --as-of 2031-05-01 --allow-future").ends_with(0);
    assert!(later.stderr.contains(ranking.trim_end()), "{later}");
    run("report --out page.html").ends_with(0);
}

#[test]
fn nothing_is_overwritten() {
    let workspace = Workspace::empty();
    workspace.put("mine/pipelines/mine.yaml", "name: mine\n");
    assert_snapshot!(workspace.run("init mine"), @"
    exit 2
    --- stderr
    error: `mine/pipelines` is there already; nothing was written
      = help: name another folder: throughline init DIR
    ");
    assert!(!workspace.has("mine/sql"), "nothing was written");
    workspace.put("other/data/lake/contacts.csv", "mine\n");
    assert_snapshot!(workspace.run("init other"), @"
    exit 2
    --- stderr
    error: `other/data/lake/contacts.csv` is there already; nothing was written
      = help: name another folder: throughline init DIR
    ");
    assert!(!workspace.has("other/pipelines"), "nothing was written");
    workspace.run("init third").ends_with(0);
    workspace.run("init third").ends_with(2);
}
