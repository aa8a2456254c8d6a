//! `run --retry` goes on after the last good step, and never on a stale one.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::tiny::{BY_STATUS, HEADER, INSTANCE, PIPELINE, RUN};
use crate::workspace::{Outcome, Workspace};

fn retry(workspace: &Workspace) -> Outcome {
    workspace.run(&format!("{RUN} --retry"))
}

/// The steps that were not taken over, each with the reason.
fn again(outcome: &Outcome) -> String {
    let steps = outcome.steps();
    let mut lines = Vec::new();
    let mut step = "";
    for line in steps.lines() {
        match line.strip_prefix("  again: ") {
            Some(why) => lines.push(format!("{step}: {why}")),
            None => step = line.split([' ', ',']).nth(1).unwrap_or_default(),
        }
    }
    lines.join("\n")
}

/// A run of which two tables were published before a step failed.
fn failed() -> Workspace {
    let workspace = Workspace::tiny();
    workspace.edit(INSTANCE, "count(*)", "count(*) / (count(*) - count(*))");
    workspace.run(RUN).ends_with(1);
    workspace.edit(INSTANCE, "count(*) / (count(*) - count(*))", "count(*)");
    workspace
}

/// Turns the record of the newest run into what a run that was killed leaves: its progress, up to these steps.
fn as_if_killed(workspace: &Workspace, steps: &[&str]) {
    let mut record = workspace.newest_record("warehouse");
    let id = record["run_id"].as_str().expect("a run has an id").to_owned();
    let kept: Vec<Value> = record["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter(|s| steps.contains(&s["step"].as_str().unwrap_or_default()))
        .cloned()
        .collect();
    assert_eq!(kept.len(), steps.len(), "the steps are there");
    record["steps"] = json!(kept);
    record["status"] = json!("interrupted");
    workspace.put(&format!("warehouse/_runs/{id}.partial.json"), record.to_string());
    workspace.remove(&format!("warehouse/_runs/{id}.json"));
}

fn clean() -> String {
    let workspace = Workspace::tiny();
    workspace.run(RUN).ends_with(0);
    workspace.rows()
}

#[test]
fn after_a_failure_only_what_did_not_succeed_is_done_again() {
    let workspace = failed();
    assert_snapshot!(retry(&workspace).steps(), @"
    exit 0
    done by_channel, 4 rows, taken over
    done contacts, 13 rows, taken over
    done member, 10 rows, taken over
    done touchpoints, 13 rows, taken over
    done instance, 6 rows, published
      again: it failed
    done by_status, 5 rows, published
      again: `instance` runs again
    ");
    assert_eq!(workspace.rows(), clean());
    let record = workspace.newest_record("warehouse");
    assert_eq!(record["status"], "done");
    let member = record["steps"].as_array().expect("steps").iter().find(|step| step["step"] == "member");
    let member = member.expect("it has a record");
    assert!(member["reused_from"].is_string() && member["conservation"].is_array(), "{member}");
    // Everything holds, so nothing is left to do.
    let nothing = retry(&workspace).ends_with(0);
    assert!(nothing.stderr.contains("nothing is left to do"), "{nothing}");
    assert_eq!(workspace.rows(), clean());
}

#[test]
fn after_a_kill_it_goes_on_from_the_progress_that_was_stored() {
    let workspace = Workspace::tiny();
    workspace.run(RUN).ends_with(0);
    as_if_killed(&workspace, &["contacts", "touchpoints", "member"]);
    assert!(workspace.query("SELECT 1 AS one").ends_with(2).stderr.contains("nothing is published yet"));
    assert_snapshot!(again(&retry(&workspace).ends_with(0)), @"
    instance: the last run did not reach it
    by_status: `instance` runs again
    by_channel: the last run did not reach it
    ");
    assert_eq!(workspace.rows(), clean());
    assert_eq!(workspace.leftovers("warehouse"), [""; 0]);
}

#[test]
fn a_step_is_stale_when_anything_that_it_was_made_from_differs() {
    // Its own definition, and so what reads it.
    let workspace = failed();
    workspace.edit(BY_STATUS, "count(*) AS instances", "count(*) + 0 AS instances");
    workspace.put("sql/by_channel.sql", "SELECT channel, count(*) + 0 AS members FROM member GROUP BY channel\n");
    assert_snapshot!(again(&retry(&workspace).ends_with(0)), @"
    instance: it failed
    by_status: `instance` runs again
    by_channel: its definition changed
    ");

    // A new file of the source.
    let workspace = failed();
    workspace.put("data/contacts/news.csv", format!("{HEADER}n1,eve,2024-02-09T00:00:00Z,web,ask,\n"));
    let renewed = retry(&workspace).ends_with(0);
    assert!(again(&renewed).contains("member: the files of `contacts` changed"), "{renewed}");
    assert!(!renewed.steps().contains("taken over"), "{renewed}");
    let whole = Workspace::tiny();
    whole.put("data/contacts/news.csv", format!("{HEADER}n1,eve,2024-02-09T00:00:00Z,web,ask,\n"));
    whole.run(RUN).ends_with(0);
    assert_eq!(workspace.rows(), whole.rows());

    // Another cut.
    let workspace = failed();
    let later = workspace.run("run --as-of 2024-02-11 --threads 1 --log-format json --retry").ends_with(0);
    assert!(again(&later).contains("member: it was made as of 2024-02-10T00:00:00Z"), "{later}");

    // A table that somebody else published since.
    let workspace = failed();
    workspace.run("run --as-of 2024-02-10 --select member --log-format json").ends_with(0);
    let since = workspace.run(RUN).ends_with(0);
    assert!(!since.steps().contains("taken over"), "only --retry takes over: {since}");
    let workspace = Workspace::tiny();
    workspace.run(RUN).ends_with(0);
    as_if_killed(&workspace, &["contacts", "touchpoints", "member", "instance"]);
    let id = "00000000000000000001.json";
    let entry = std::fs::read_to_string(workspace.path().join("warehouse/member/_delta_log/00000000000000000000.json"));
    let entry: Vec<String> = entry
        .expect("the entry is there")
        .lines()
        .filter(|line| line.contains("commitInfo"))
        .map(str::to_owned)
        .collect();
    workspace.put(&format!("warehouse/member/_delta_log/{id}"), entry.join("\n"));
    assert_snapshot!(again(&retry(&workspace).ends_with(0)), @"
    contacts: it is read again
    touchpoints: it is read again
    member: version 1 of `member` was published since
    instance: `member` runs again
    by_status: `instance` runs again
    by_channel: `member` runs again
    ");
    assert_eq!(workspace.rows(), clean());

    // A test that the table was not held against.
    let workspace = failed();
    workspace.edit(
        PIPELINE,
        "    match: touchpoints\n    grain: [journey_id, step]",
        "    match: touchpoints\n    grain: [journey_id, step]\n    tests:\n      - row_count: { min: 1000 }",
    );
    let tested = retry(&workspace).ends_with(3);
    assert!(again(&tested).contains("member: its definition changed"), "{tested}");
}
