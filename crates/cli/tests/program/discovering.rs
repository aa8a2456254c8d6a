//! `discover` on the sample company: the planted journeys are found without their definitions, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::workspace::Workspace;

const DISCOVER: &str = "discover --as-of 2026-10-01";

/// The planted journeys: what opens, completes and abandons them. The eleventh, channel_changes, is none to discover:
/// nearly everybody is on it nearly all the time, so no silence tells one of its episodes from the next ([`EVERYDAY`]).
const PLANTED: [(&str, &str, &str, Option<&str>); 10] = [
    ("billing_dispute", "bill_questioned", "dispute_settled", None),
    ("contract_questions", "contract_asked", "contract_explained", None),
    ("contract_renewal", "renewal_offered", "renewed", Some("renewal_declined")),
    ("equipment_exchange", "exchange_ordered", "box_returned", None),
    ("finding_help", "help_searched", "help_found", None),
    ("moving_house", "move_announced", "move_completed", Some("move_cancelled")),
    ("onboarding", "order_placed", "first_bill_paid", Some("order_cancelled")),
    ("paying_a_bill", "bill_issued", "bill_paid", None),
    ("plan_upgrade", "upgrade_requested", "upgrade_active", None),
    ("technical_repair", "fault_reported", "repair_confirmed", None),
];

/// What is told to be no journey.
const EVERYDAY: [&str; 5] = ["(question_answered, no topic)", "account", "lineup", "offers", "programme"];

fn company() -> Workspace {
    let workspace = Workspace::of_the_repository();
    workspace.run("sample --customers 2000 --out data/lake").ends_with(0);
    workspace
}

/// Takes all definitions away; a pipeline that matches needs one, so one that never starts is put there.
fn forget_definitions(workspace: &Workspace) {
    workspace.remove("pipelines/journeys");
    workspace.put("pipelines/journeys/none.yaml", "none:\n  starts: event = 'nothing of the kind'\n");
}

/// The workspace that `init` makes: three hundred customers, three journeys, one row a customer.
fn small_company() -> Workspace {
    let workspace = Workspace::empty();
    workspace.run("init .").ends_with(0);
    workspace
}

/// Of the small company, whose data end in June 2026.
const FEW: &str = " --minimum-episodes 10";

/// The candidate that ends with an event.
fn ending_with<'a>(discovery: &'a Value, event: &str) -> &'a Value {
    let found = list(discovery, "candidates").iter().find(|journey| journey["end_event"] == event);
    found.unwrap_or_else(|| panic!("no candidate ends with {event}: {discovery}"))
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_else(|| panic!("no number `{name}` in {value}"))
}

fn discovered(workspace: &Workspace, arguments: &str) -> Value {
    let outcome = workspace.run(&format!("{DISCOVER} --format json{arguments}")).ends_with(0);
    serde_json::from_str(&outcome.stdout).expect("one JSON object")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// (opening, end, abandoning) of each candidate.
fn outlines(discovery: &Value) -> BTreeSet<(String, String, Option<String>)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let outline = |journey: &Value| {
        assert_eq!(list(journey, "start_events").len(), 1, "{journey}");
        let abandons = list(journey, "abandon_events");
        assert!(abandons.len() <= 1, "{journey}");
        (text(&journey["start_events"][0]), text(&journey["end_event"]), abandons.first().map(text))
    };
    list(discovery, "candidates").iter().map(outline).collect()
}

/// Holds the candidates against what is planted. A seldom abandonment may be too rare in a small sample to be told
/// from chance, but none is made up.
fn assert_planted(discovery: &Value) {
    let found = outlines(discovery);
    let ends: BTreeSet<(&str, &str)> = found.iter().map(|(start, end, _)| (start.as_str(), end.as_str())).collect();
    let planted: BTreeSet<(&str, &str)> = PLANTED.into_iter().map(|(_, start, end, _)| (start, end)).collect();
    assert_eq!(ends, planted, "all of them, none invented");
    let abandons: Vec<(&str, &str)> =
        found.iter().filter_map(|(start, _, abandon)| Some((start.as_str(), abandon.as_deref()?))).collect();
    let known: Vec<(&str, &str)> =
        PLANTED.into_iter().filter_map(|(_, start, _, abandon)| Some((start, abandon?))).collect();
    assert!(abandons.len() >= 2 && abandons.iter().all(|abandon| known.contains(abandon)), "{abandons:?}");
}

#[test]
fn the_planted_journeys_are_found_without_their_definitions() {
    let workspace = company();
    forget_definitions(&workspace);
    let discovery = discovered(&workspace, "");
    assert_planted(&discovery);
    assert_eq!(discovery["by_definitions"]["touchpoints"], 0);

    let yaml = workspace.run(&format!("{DISCOVER} --yaml")).ends_with(0);
    workspace.put("pipelines/journeys/found.yaml", &yaml.stdout);
    let checked = workspace.run("check").ends_with(0);
    assert!(checked.stderr.contains("11 journeys"), "{checked}");
}

#[test]
fn each_candidate_is_told_which_definition_of_today_it_is_like() {
    let workspace = company();
    let discovery = discovered(&workspace, "");
    assert_planted(&discovery);
    for journey in list(&discovery, "candidates") {
        let like = &journey["like"];
        let (name, ..) = PLANTED.into_iter().find(|planted| journey["end_event"] == planted.2).expect("a planted end");
        assert_eq!(like["journey"], name);
        assert!(like["overlap"].as_f64().is_some_and(|overlap| overlap > 0.95), "{journey}");
    }
    let (found, today) = (&discovery["by_candidates"], &discovery["by_definitions"]);
    let touchpoints = |side: &Value| side["touchpoints"].as_f64().expect("a number");
    let everyday: BTreeMap<&str, f64> = list(&discovery, "everyday")
        .iter()
        .map(|topics| (topics["topics"][0].as_str().expect("a topic"), touchpoints(topics)))
        .collect();
    assert_eq!(everyday.keys().copied().collect::<Vec<_>>(), EVERYDAY);
    assert!(touchpoints(found) + everyday["lineup"] > 0.97 * touchpoints(today), "{discovery}");

    let table = workspace.run(&format!("{DISCOVER} --top 2")).ends_with(0);
    assert!(table.stdout.contains("like today's"), "{table}");
    assert_eq!(list(&discovered(&workspace, " --top 2"), "candidates").len(), 2);
    let part = discovered(&workspace, " --customers 500");
    assert_eq!(part["searched_all"], false);
    assert_eq!(part["touchpoints"], discovery["touchpoints"], "figures are those of all customers");
}

/// A spell whose attributes changed is one spell: its days and its leaving count once.
#[test]
fn spells_are_counted_and_not_the_versions_of_their_attributes() {
    let workspace = small_company();
    let before = discovered(&workspace, FEW);
    let fault = &ending_with(&before, "fault_repaired")["churn"];
    assert!(number(fault, "exposed_customers") >= 20.0 && number(fault, "exposed_leavers") >= 5.0, "{fault}");

    let versions = "    joined_at + age AS valid_from,\n    segment\nFROM register\n\
                    CROSS JOIN (VALUES (INTERVAL '0 days'), (INTERVAL '100 days')) AS version (age)\n";
    workspace.edit("sql/staging/customers.sql", "    segment\nFROM register\n", versions);
    let after = discovered(&workspace, FEW);
    assert_eq!(list(&after, "candidates").len(), list(&before, "candidates").len());
    for journey in list(&before, "candidates") {
        let again = list(&after, "candidates").iter().find(|other| other["name"] == journey["name"]);
        assert_eq!(again.map(|again| &again["churn"]), Some(&journey["churn"]));
    }
    assert_eq!(after["by_definitions"]["any"], before["by_definitions"]["any"]);
}

/// Who joined half a year ago cannot be on `connecting` any more, so their days are not compared with.
#[test]
fn a_candidate_takes_who_could_have_been_on_it_from_the_definition_it_resembles() {
    let workspace = small_company();
    let limited = discovered(&workspace, FEW);
    let connecting = ending_with(&limited, "line_working");
    assert_eq!(connecting["eligible_as"], "connecting");
    let yaml = connecting["yaml"].as_str().expect("a definition");
    assert!(yaml.contains("\n  eligible_until: joined_at + INTERVAL '180 days'\n"), "{yaml}");
    let fault = ending_with(&limited, "fault_repaired");
    assert_eq!(fault["eligible_as"], Value::Null);

    let until =
        "  eligible_until: joined_at + INTERVAL '180 days'   # on which days a customer could have been on it at all";
    workspace.edit("pipelines/journeys/connecting.yaml", until, "");
    let everybody = discovered(&workspace, FEW);
    let without = ending_with(&everybody, "line_working");
    assert_eq!(without["eligible_as"], Value::Null);
    let days =
        |journey: &Value| number(&journey["churn"], "unexposed_days") + number(&journey["churn"], "exposed_days");
    assert!(days(without) > 1.5 * days(connecting), "{without}\n{connecting}");
    assert_eq!(ending_with(&everybody, "fault_repaired")["churn"]["exposed_days"], fault["churn"]["exposed_days"]);
}

/// Of a pasted candidate the tables tell the same as discover did: same days, same leavers, same tier.
#[test]
fn what_is_told_of_a_candidate_is_what_a_run_tells_of_it_as_a_definition() {
    let workspace = small_company();
    let discovery = discovered(&workspace, FEW);
    assert_eq!(discovery["period"]["period"], "2026-Q2");
    assert_eq!(discovery["period"]["status"], "whole");
    let yaml = workspace.run(&format!("{DISCOVER} --yaml{FEW}")).ends_with(0);
    workspace.remove("pipelines/journeys");
    workspace.put("pipelines/journeys/found.yaml", &yaml.stdout);
    workspace.run("run --as-of 2026-10-01").ends_with(0);

    let figures = [
        "exposed_customers",
        "exposed_days",
        "unexposed_days",
        "exposed_leavers",
        "unexposed_leavers",
        "leavers",
        "left_out_days",
    ];
    let estimates =
        ["exposed_churn_rate", "like_churn_rate", "adjusted_rate_ratio", "mutual_rate_ratio", "excess_churners"];
    let columns: Vec<String> = figures
        .iter()
        .map(|name| (*name).to_owned())
        .chain(estimates.iter().flat_map(|name| [(*name).to_owned(), format!("{name}_lower"), format!("{name}_upper")]))
        .chain(["p_value".to_owned(), "q_value".to_owned()])
        .collect();
    let told = workspace.query(&format!(
        "SELECT journey, tier, {} FROM fct_key_journeys WHERE period = '2026-Q2' AND segment = 'all' ORDER BY rank",
        columns.join(", ")
    ));
    let told = told.ends_with(0);
    let rows: Vec<Vec<&str>> = told.stdout.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), list(&discovery, "candidates").len(), "{told}");
    assert!(rows.iter().any(|row| row[1] == "harmful"), "{told}");
    for (row, journey) in rows.iter().zip(list(&discovery, "candidates")) {
        let churn = &journey["churn"];
        // Without a tier where the figures are withheld.
        let tier = Some(row[1]).filter(|tier| !tier.is_empty());
        assert_eq!((row[0], tier), (journey["name"].as_str().expect("a name"), churn["tier"].as_str()));
        for (column, text) in columns.iter().zip(&row[2..]) {
            let found = match column.strip_suffix("_lower").or_else(|| column.strip_suffix("_upper")) {
                Some(name) => &churn[name][&column[name.len() + 1..]],
                None if estimates.contains(&column.as_str()) => &churn[column]["value"],
                None => &churn[column],
            };
            let (found, table) = (found.as_f64(), text.parse::<f64>().ok());
            let agree = match (found, table) {
                (Some(found), Some(table)) => (found - table).abs() <= 1e-9 * table.abs().max(1.0),
                (found, table) => found == table,
            };
            assert!(agree, "{column} of {}: {found:?}, in the table {table:?}", row[0]);
        }
    }
}

/// A company that tells neither notice nor loss, and since when no attribute holds.
#[test]
fn customers_need_no_more_than_when_they_joined_and_left() {
    let workspace = small_company();
    let whole = discovered(&workspace, FEW);
    workspace.put(
        "pipelines/plain.yaml",
        "name: plain
start: 2025-10-01
warehouse: data/warehouse
variables: { minimum_exposed: 30, minimum_churners: 5, minimum_compared: 5 }
sources:
  contacts:
    path: data/lake/contacts.csv
    format: csv
    columns:
      contact_id: string
      customer_id: string
      at: timestamp
      channel: string
      department: string
      event: string
      topic: string
      score: int64
    time_column: at
  customers:
    path: data/lake/customers.csv
    format: csv
    columns: { customer_id: string, joined_at: timestamp, churned_at: timestamp, segment: string }
    time_column: joined_at
models:
  touchpoints: { sql: sql/staging/touchpoints.sql, grain: [touchpoint_id] }
",
    );
    let plain = workspace.run(&format!("--pipeline plain discover --as-of 2026-07-01 --format json{FEW}")).ends_with(0);
    let plain: Value = serde_json::from_str(&plain.stdout).expect("one JSON object");
    let (told, alone) = (ending_with(&whole, "fault_repaired"), ending_with(&plain, "fault_repaired"));
    for figure in ["exposed_customers", "exposed_days", "exposed_leavers", "leavers", "excess_churners"] {
        assert_eq!(alone["churn"][figure], told["churn"][figure], "{figure}");
    }
}

#[test]
fn what_discover_cannot_do_is_refused() {
    let workspace = company();
    insta::assert_snapshot!(workspace.run("discover --key order"), @"
    exit 2
    --- stderr
    error: `touchpoints` has no column `order`
      = help: `throughline show touchpoints --limit 0` lists its columns
    ");
    let workspace = small_company();
    workspace.edit("pipelines/key_journeys.yaml", "\nvariables:\n", "\nvariables:\n  exposure_horizon: 0 days\n");
    insta::assert_snapshot!(workspace.run("discover"), @"
    exit 2
    --- stderr
    error[bad-value]: the variable `exposure_horizon` is no length of time above zero
      --> library:facts/days_at_risk.yaml:41:10
       |
    41 |   match: touchpoints
       |          ^^^^^^^^^^^
       |
       = help: write e.g. `exposure_horizon: 90 days` under `variables:`
    ");
    workspace.edit("pipelines/key_journeys.yaml", "  exposure_horizon: 0 days\n", "");
    workspace.edit(
        "pipelines/journeys/fault.yaml",
        "  idle: 21 days",
        "  idle: 21 days\n  eligible: churned_at IS NULL",
    );
    insta::assert_snapshot!(workspace.run("discover"), @"
    exit 2
    --- stderr
    error[not-known-then]: `churned_at` is not known while the customer is there
      --> pipelines/journeys/fault.yaml:10:13
       |
    10 |   eligible: churned_at IS NULL
       |             ^^^^^^^^^^
       |
       = help: how a membership ends must not decide who could have been on a journey; use what was known before
    ");
}
