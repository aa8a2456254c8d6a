//! `discover` on an event log: touchpoints alone, without topics, channels or customers, with or without cases.

use std::fmt::Write as _;

use serde_json::Value;

use crate::workspace::Workspace;

const PIPELINE: &str = "\
name: desk
start: 2024-01-01
warehouse: warehouse
sources:
  log:
    path: data/log.csv
    format: csv
    columns: { row_id: int64, client: string, ticket: string, event: string, at: timestamp }
    time_column: at
models:
  touchpoints: { sql: sql/touchpoints.sql, grain: [touchpoint_id] }
";
const TOUCHPOINTS: &str = "\
SELECT row_id AS touchpoint_id, client AS customer_id, ticket, at AS occurred_at, event FROM log
";
const DAY: i64 = 24 * 60;

/// A workspace with one source and one model.
fn desk(log: &str) -> Workspace {
    let workspace = Workspace::empty();
    workspace.put("pipelines/desk.yaml", PIPELINE);
    workspace.put("sql/touchpoints.sql", TOUCHPOINTS);
    workspace.put("data/log.csv", log);
    workspace
}

/// Rows (client, ticket, minutes since 2024-01-01, event) as the log's CSV.
fn csv<'a>(rows: impl IntoIterator<Item = (usize, String, i64, &'a str)>) -> String {
    let mut text = "row_id,client,ticket,event,at\n".to_owned();
    for (number, (client, ticket, minutes, event)) in rows.into_iter().enumerate() {
        let at = chrono::DateTime::from_timestamp(1_704_067_200 + minutes * 60, 0).expect("an instant");
        let _ = writeln!(text, "{number},c{client},{ticket},{event},{}", at.format("%Y-%m-%dT%H:%M:%SZ"));
    }
    text
}

/// Sixty clients with three tickets each, a hundred days apart. A ticket is opened, answered within minutes, looked at
/// again after a night, and solved after up to twelve days; every eighth is closed for want of an answer.
fn tickets() -> String {
    let mut rows = Vec::new();
    for client in 0..60 {
        for number in 0..3 {
            let ticket = format!("t{client}_{number}");
            let place = (client * 3 + number) as i64;
            let mut at = place * 17 % 100 * DAY / 4 + number as i64 * 110 * DAY;
            let last = if place % 8 == 5 { "closed_unanswered" } else { "solved" };
            let waits = [0, 2 + place % 50, DAY / 2 + place * 31 % DAY, DAY + place * 977 % (11 * DAY)];
            for (event, wait) in ["opened", "answered", "looked_at", last].into_iter().zip(waits) {
                at += wait;
                rows.push((client, ticket.clone(), at, event));
            }
        }
    }
    csv(rows)
}

const AS_OF: &str = "discover --as-of 2025-06-01";

fn discovered(workspace: &Workspace, arguments: &str) -> Value {
    let outcome = workspace.run(&format!("{AS_OF} --format json{arguments}")).ends_with(0);
    serde_json::from_str(&outcome.stdout).expect("one JSON object")
}

fn only(discovery: &Value) -> &Value {
    assert_eq!(discovery["candidates"].as_array().map(Vec::len), Some(1), "{discovery}");
    &discovery["candidates"][0]
}

/// A text whose lines end where the terminal does, in one line.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn first_tried(discovery: &Value) -> &str {
    discovery["tried"][0].as_str().expect("a sentence")
}

fn assert_tickets(discovery: &Value) {
    let ticket = only(discovery);
    assert_eq!(ticket["start_events"], serde_json::json!(["opened"]), "{discovery}");
    assert_eq!(ticket["end_events"], serde_json::json!(["solved"]), "{discovery}");
    assert_eq!(ticket["abandon_events"], serde_json::json!(["closed_unanswered"]), "{discovery}");
    assert_eq!((&ticket["episodes"], &ticket["customers"]), (&180.into(), &60.into()));
    // All 720 touchpoints, and all clients.
    let (found, whole) = (&discovery["by_candidates"], discovery);
    assert_eq!((&found["touchpoints"], &whole["touchpoints"]), (&720.into(), &720.into()));
    assert_eq!((&found["customers"], &whole["customers"]), (&60.into(), &60.into()));
}

#[test]
fn touchpoints_alone_are_enough_with_cases_and_without() {
    let workspace = desk(&tickets());
    let in_cases = discovered(&workspace, " --key ticket");
    assert_tickets(&in_cases);
    assert_eq!(in_cases["searched_cases"], 180);
    assert_eq!(in_cases["without_leaving"], "the pipeline has no relation `customers`");
    assert_eq!(only(&in_cases)["churn"], Value::Null);
    let yaml = only(&in_cases)["yaml"].as_str().expect("a definition");
    assert!(yaml.contains("  key: [customer_id, ticket]\n") && !yaml.contains("idle:"), "{yaml}");

    let by_silence = discovered(&workspace, "");
    assert_tickets(&by_silence);
    assert!(first_tried(&by_silence).contains("mixture of two log-normal distributions"), "{by_silence}");

    let table = unwrapped(&workspace.run(&format!("{AS_OF} --key ticket")).ends_with(0).stdout);
    for told in
        ["Nothing on who left: the pipeline has no relation `customers`.", "720 of 720 (100 %)", "60 of 60 (100 %)"]
    {
        assert!(table.contains(told), "`{told}` is not in {table}");
    }
}

#[test]
fn a_definition_of_a_log_can_be_pasted_and_run() {
    let workspace = desk(&tickets());
    let yaml = workspace.run(&format!("{AS_OF} --key ticket --yaml")).ends_with(0);
    workspace.put("pipelines/journeys/found.yaml", &yaml.stdout);
    workspace.edit(
        "pipelines/desk.yaml",
        "models:\n",
        "journeys: journeys/*.yaml\nmodels:\n  member: { match: touchpoints, grain: [journey_id, step], materialized: table }\n",
    );
    workspace.run("run --as-of 2025-06-01").ends_with(0);
    let counted =
        workspace.query("SELECT status, count(*) AS n FROM member WHERE step = 1 GROUP BY status ORDER BY status");
    insta::assert_snapshot!(counted, @"
    exit 0
    --- stdout
    status,n
    abandoned,22
    completed,158
    ");
}

#[test]
fn a_silence_can_be_given() {
    let workspace = desk(&tickets());
    for words in [" --silence 30 days", " --silence 30days"] {
        let given = discovered(&workspace, words);
        assert_tickets(&given);
        assert!(first_tried(&given).contains("30.0 days as one episode (as given)"), "{given}");
    }
    let too_short = discovered(&workspace, " --silence 1 hour");
    let ends = |journey: &Value| journey["end_events"] == serde_json::json!(["solved"]);
    assert!(!too_short["candidates"].as_array().into_iter().flatten().any(ends), "{too_short}");
}

#[test]
fn it_looks_as_of_the_newest_run() {
    let workspace = desk(&tickets());
    workspace.edit("pipelines/desk.yaml", "grain: [touchpoint_id] }", "grain: [touchpoint_id], materialized: table }");
    workspace.run("run --as-of 2024-07-01").ends_with(0);
    let seen = workspace.run("discover --key ticket --format json").ends_with(0);
    let seen: Value = serde_json::from_str(&seen.stdout).expect("one JSON object");
    assert_eq!(seen["as_of"], "2024-07-01T00:00:00Z");
    assert!(seen["touchpoints"].as_u64().is_some_and(|number| number < 720), "{seen}");
}

/// The same four events in any order: nothing is made up, and what was tried is said.
#[test]
fn what_was_tried_is_said_when_nothing_is_found() {
    let events = ["bought", "looked", "asked", "returned"];
    let rows = (0..400_usize).map(|number| {
        let place = number.wrapping_mul(2_654_435_761) >> 7;
        (
            number / 8,
            format!("t{}", number / 4),
            (number % 8) as i64 * 3 * DAY + (place % 2_000) as i64,
            events[place % 4],
        )
    });
    let workspace = desk(&csv(rows));
    let nothing = workspace.run(&format!("{AS_OF} --key ticket --minimum-episodes 20")).ends_with(0).stdout;
    let nothing = unwrapped(&nothing);
    for told in
        ["No candidate", "What was tried:", "- each case as one episode", "if they came in any order", "0 of 50"]
    {
        assert!(nothing.contains(told), "`{told}` is not in {nothing}");
    }
}

#[test]
fn what_no_journey_can_be_in_is_refused() {
    let workspace = desk(&tickets());
    insta::assert_snapshot!(workspace.run(&format!("{AS_OF} --key tickets")), @"
    exit 2
    --- stderr
    error: `touchpoints` has no column `tickets`
      = help: did you mean `ticket`? `throughline show touchpoints --limit 0` lists its columns
    ");
    insta::assert_snapshot!(workspace.run(&format!("{AS_OF} --silence soon")), @"
    exit 2
    --- stderr
    error: `--silence`: `soon` is not a length of time
      = help: write e.g. `90 days`, `12 hours`, `30 minutes`, `45 seconds` or `2 weeks`
    ");
    insta::assert_snapshot!(workspace.run(&format!("{AS_OF} --silence 2 months")), @"
    exit 2
    --- stderr
    error: `--silence`: `2 months` has no fixed length: months vary
      = help: say it in days, e.g. `90 days`
    ");
    insta::assert_snapshot!(workspace.run(&format!("{AS_OF} --silence 0 days")), @"
    exit 2
    --- stderr
    error: `--silence 0 days` would end an episode at once
      = help: write a number and a unit, e.g. `--silence 14 days`
    ");
    let both = workspace.run(&format!("{AS_OF} --silence 3 days --key ticket")).ends_with(2);
    assert!(both.stderr.contains("cannot be used with '--key <COLUMN>'"), "{both}");
    insta::assert_snapshot!(workspace.run("discover --as-of 2020-01-01"), @"
    exit 2
    --- stderr
    error: `touchpoints` has no touchpoint of a customer before 2020-01-01T00:00:00Z
      = help: look at `throughline show touchpoints`, and say as of when to look with `--as-of` where they are later
    ");

    workspace.put("data/log.csv", csv((0..200).map(|number| (number / 4, String::new(), number as i64 * 60, "seen"))));
    insta::assert_snapshot!(workspace.run(AS_OF), @"
    exit 2
    --- stderr
    error: all touchpoints of `touchpoints` are one event, `seen`
      = help: a journey leads from one event to another; put what tells touchpoints apart into `event`
    ");
    insta::assert_snapshot!(workspace.run(&format!("{AS_OF} --key ticket")), @"
    exit 2
    --- stderr
    error: no touchpoint of `touchpoints` has an event and a `ticket`
      = help: name the column that separates a customer's cases, or leave out `--key`
    ");

    workspace.edit("pipelines/desk.yaml", "  touchpoints: {", "  contacts: {");
    insta::assert_snapshot!(workspace.run(AS_OF), @"
    exit 2
    --- stderr
    error: the pipeline `desk` has no relation `touchpoints`
      = help: discover reads the relation touchpoints (one row an interaction), and customers (one row a membership spell) where there is one
    ");
    workspace.edit("pipelines/desk.yaml", "  contacts: {", "  touchpoints: {");

    let texts: Vec<String> = (0..1_000_000).map(|number| format!("order {number} came")).collect();
    workspace.put(
        "data/log.csv",
        csv(texts
            .iter()
            .enumerate()
            .map(|(number, text)| (number / 4, String::new(), number as i64 % 90_000, text.as_str()))),
    );
    // Which of the names is told depends on the order in which rows are read.
    let names = workspace.run(AS_OF).ends_with(2).stderr;
    assert!(names.contains("more than 20000 different pairs of event and topic, such as `order "), "{names}");
    assert!(names.contains("event and topic are codes of what can happen"), "{names}");
}
