//! `discover` on the sample company: the planted journeys are found without their definitions, and nothing else is.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::workspace::Workspace;

const DISCOVER: &str = "discover --as-of 2026-10-01";

/// The planted journeys: what opens, completes and abandons them.
const PLANTED: [(&str, &str, &str, Option<&str>); 11] = [
    ("billing_dispute", "bill_questioned", "dispute_settled", None),
    ("channel_changes", "lineup_announced", "lineup_changed", None),
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
    assert!(checked.stderr.contains("12 journeys"), "{checked}");
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
    assert!(touchpoints(found) > 0.97 * touchpoints(today), "{discovery}");
    let everyday: BTreeSet<&str> =
        list(&discovery, "everyday").iter().filter_map(|topics| topics["topics"][0].as_str()).collect();
    assert_eq!(everyday, BTreeSet::from(["(question_answered, no topic)", "account", "offers", "programme"]));

    let table = workspace.run(&format!("{DISCOVER} --top 2")).ends_with(0);
    assert!(table.stdout.contains("like today's"), "{table}");
    assert_eq!(list(&discovered(&workspace, " --top 2"), "candidates").len(), 2);
    let part = discovered(&workspace, " --customers 500");
    assert_eq!(part["searched_all"], false);
    assert_eq!(part["touchpoints"], discovery["touchpoints"], "figures are those of all customers");
}

#[test]
fn what_discover_cannot_do_is_refused() {
    let workspace = Workspace::tiny();
    insta::assert_snapshot!(workspace.run("discover"), @"
    exit 2
    --- stderr
    error: the pipeline `tiny` has no relation `customers`
      = help: discover reads the two standard relations: touchpoints (one row an interaction) and customers (one row a membership spell)
    ");
    let workspace = company();
    insta::assert_snapshot!(workspace.run("discover --key order"), @"
    exit 2
    --- stderr
    error: `touchpoints` has no column `order`
      = help: `throughline show touchpoints --limit 0` lists its columns
    ");
}
