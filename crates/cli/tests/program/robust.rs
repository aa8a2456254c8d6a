//! `explain --robust`: a small workspace's journey under other limits and horizons.

use serde_json::Value;

use crate::workspace::Workspace;

const LIMITS: &str = "  within: 45 days\n  idle: 21 days\n";

fn facts(workspace: &Workspace, arguments: &str) -> Value {
    let printed = workspace.run(&format!("explain {arguments} --robust --format json")).ends_with(0).stdout;
    serde_json::from_str(&printed).expect("one JSON object")
}

/// What is published of a journey in the period of `facts`.
fn published(workspace: &Workspace, facts: &Value) -> Value {
    let sql = format!(
        "SELECT status, tier, rank, exposed_customers, exposed_leavers, excess_churners, excess_churners_lower, \
         excess_churners_upper, mutual_rate_ratio, q_value FROM fct_key_journeys \
         WHERE segment = 'all' AND journey = '{}' AND period = '{}'",
        facts["journey"].as_str().expect("a journey"),
        facts["period"].as_str().expect("a period")
    );
    let row = workspace.run_with(&["query", &sql, "--format", "json"], &[]).ends_with(0).stdout;
    serde_json::from_str(row.trim()).expect("one row")
}

/// The variant that is the definition itself is what is published; gives how many variants there are.
#[track_caller]
fn assert_its_own_variant_is_published(workspace: &Workspace, facts: &Value) -> usize {
    let row = published(workspace, facts);
    let variants = facts["variants"].as_array().expect("variants");
    let own: Vec<&Value> = variants.iter().filter(|variant| variant["is_published"] == true).collect();
    assert_eq!(own.len(), 1, "{facts:#}");
    let figure = |name: &str| row.get(name).cloned().unwrap_or(Value::Null);
    for name in ["status", "tier", "rank", "exposed_customers", "exposed_leavers", "q_value"] {
        assert_eq!(own[0][name], figure(name), "{name} of {row}");
    }
    let excess = &own[0]["excess_churners"];
    for (part, name) in
        [("value", "excess_churners"), ("lower", "excess_churners_lower"), ("upper", "excess_churners_upper")]
    {
        assert_eq!(excess[part], figure(name), "{name} of {row}");
    }
    assert_eq!(own[0]["mutual_rate_ratio"]["value"], figure("mutual_rate_ratio"), "{row}");
    assert_eq!((&facts["tier"], &facts["rank"]), (&figure("tier"), &figure("rank")));
    let kept = variants.iter().filter(|variant| variant["keeps_tier"] == true).count();
    assert_eq!(facts["keeps_tier"], kept);
    variants.len()
}

#[test]
fn a_definition_is_tried_with_other_limits_and_horizons() {
    let workspace = Workspace::empty();
    workspace.run("init .").ends_with(0);
    workspace.run("run").ends_with(0);
    let fault = facts(&workspace, "fault");
    assert_eq!(assert_its_own_variant_is_published(&workspace, &fault), 36);
    // A longer horizon holds all the days of a shorter one, and so do longer limits.
    let customers = |within: f64, idle: f64, horizon: f64| {
        let variants = fault["variants"].as_array().expect("variants").iter();
        let mut found = variants.filter(|variant| {
            (&variant["within_days"], &variant["idle_days"], &variant["exposure_horizon_days"])
                == (&Value::from(within), &Value::from(idle), &Value::from(horizon))
        });
        found.next().expect("the variant")["exposed_customers"].as_i64().expect("customers")
    };
    assert!(customers(45.0, 21.0, 30.0) < customers(45.0, 21.0, 90.0));
    assert!(customers(45.0, 21.0, 90.0) < customers(45.0, 21.0, 180.0));
    assert!(customers(22.5, 10.5, 30.0) <= customers(90.0, 42.0, 30.0));
    assert_eq!(assert_its_own_variant_is_published(&workspace, &facts(&workspace, "connecting")), 36);
    assert_eq!(assert_its_own_variant_is_published(&workspace, &facts(&workspace, "fault --period 2026-05")), 36);

    // The published figures are those of the old definition until the tables are made again.
    workspace.edit("pipelines/journeys/fault.yaml", LIMITS, "");
    let refused = workspace.run("explain fault --robust").ends_with(2);
    assert!(refused.stderr.contains("by other definitions than today's"), "{refused}");
    assert!(refused.stderr.contains("throughline run"), "{refused}");
    workspace.run("run").ends_with(0);
    let without = facts(&workspace, "fault");
    assert_eq!(assert_its_own_variant_is_published(&workspace, &without), 4);
    let said = workspace.run("explain fault --robust").ends_with(0).stdout;
    assert!(said.contains("The definition has neither `within` nor `idle`"), "{said}");
}

#[test]
fn what_cannot_be_tried_is_refused_with_the_way_out() {
    let workspace = Workspace::empty();
    workspace.run("init .").ends_with(0);
    let refused = workspace.run("explain fault --robust").ends_with(2);
    assert!(refused.stderr.contains("throughline run"), "{refused}");
    workspace.run("run --as-of 2026-06-15").ends_with(0);
    let refused = workspace.run("explain faul --robust").ends_with(2);
    assert!(refused.stderr.contains("did you mean `fault`?"), "{refused}");
    workspace.run("explain fault --robust --snapshot 2026-Q2").ends_with(2);
    let refused = workspace.run("explain fault --robust --period 2026-Q2").ends_with(2);
    assert!(refused.stderr.contains("not all days of 2026-Q2 are counted"), "{refused}");
    // The data begins in October: of the first days of January nobody knows who was on it 180 days before.
    let first = facts(&workspace, "fault");
    assert_eq!((&first["period"], &first["judged"]), (&Value::from("2026-Q1"), &Value::from(27)));
    assert_eq!(assert_its_own_variant_is_published(&workspace, &first), 36);
    let workspace = Workspace::hand_made(true);
    workspace.run("run --as-of 2026-10-11").ends_with(0);
    let refused = workspace.run("explain helping --robust").ends_with(2);
    assert!(refused.stderr.contains("has no model `journey_state`"), "{refused}");
}
