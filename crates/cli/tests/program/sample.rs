//! The repository's own pipeline on the sample company, held against what was planted in it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::workspace::Workspace;

const RUN: &str = "run --as-of 2026-10-01";

fn company() -> (Workspace, Value) {
    let workspace = Workspace::of_the_repository();
    workspace.run("sample --customers 2000 --out data/lake").ends_with(0);
    let truth = std::fs::read_to_string(workspace.path().join("data/lake/_truth.json")).expect("the truth is written");
    (workspace, serde_json::from_str(&truth).expect("the truth is JSON"))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("`{name}` is no text in {value}"))
}

fn whole(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("`{name}` is no whole number in {value}"))
}

fn sum(value: &Value) -> u64 {
    value.as_object().into_iter().flatten().filter_map(|(_, number)| number.as_u64()).sum()
}

fn step<'a>(record: &'a Value, name: &str) -> &'a Value {
    let found = list(record, "steps").iter().find(|step| step["step"] == name);
    found.unwrap_or_else(|| panic!("no step `{name}`"))
}

#[test]
fn the_planted_truths_are_recovered() {
    let (workspace, truth) = company();
    workspace.run(RUN).ends_with(0);
    let record = workspace.newest_record("data/warehouse");
    every_raw_row_is_accounted_for(&record, &truth);
    every_touchpoint_is_accounted_for(&record, &truth);
    let columns = "CAST(CAST(landmark AS DATE) AS VARCHAR) AS landmark, journey, status, a, b, c, d, carried_over, censored, \
                   adjusted_odds_ratio_lower AS lower, adjusted_odds_ratio_upper AS upper";
    let rows = rows(&workspace, &format!("SELECT {columns} FROM fct_key_journeys WHERE segment = 'all'"));
    let found: BTreeMap<(&str, &str), &Value> =
        rows.iter().map(|row| ((text(row, "journey"), text(row, "landmark")), row)).collect();
    cells_are_those_of_the_truth(&found, &truth);
    intervals_cover_as_often_as_they_say(&found, &truth);
    segments_are_those_of_the_landmark(&workspace, &truth);
}

/// The rows of a query, as JSON objects.
fn rows(workspace: &Workspace, sql: &str) -> Vec<Value> {
    let answer = workspace.run_with(&["query", sql, "--format", "json"], &[]).ends_with(0).stdout;
    answer.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

/// Some customers change their segment; each counts to the one known before the landmark.
fn segments_are_those_of_the_landmark(workspace: &Workspace, truth: &Value) {
    assert!(whole(truth, "moved_segments") > 30, "few segments change: {}", truth["moved_segments"]);
    let columns = "CAST(CAST(landmark AS DATE) AS VARCHAR) AS landmark, journey, segment, a, b, c, d";
    let rows = rows(workspace, &format!("SELECT {columns} FROM fct_key_journeys WHERE a IS NOT NULL"));
    let mut compared = 0;
    for journey in list(truth, "journeys") {
        for planted in list(journey, "landmarks") {
            for (segment, cells) in planted["by_segment"].as_object().into_iter().flatten() {
                let found = rows.iter().find(|row| {
                    (&row["journey"], &row["landmark"]) == (&journey["journey"], &planted["landmark"])
                        && row["segment"] == segment.as_str()
                });
                let found = found.map_or([0; 4], |row| ["a", "b", "c", "d"].map(|cell| whole(row, cell)));
                assert_eq!(serde_json::json!(found), *cells, "{segment} of {} in {planted}", journey["journey"]);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 8 * 7 * 5, "eight journeys at seven landmarks in five segments");
}

/// Each defect was planted in a known number of rows, so each is set aside in that number.
fn every_raw_row_is_accounted_for(record: &Value, truth: &Value) {
    let planted = truth["tables"].as_object().expect("the truth names the tables");
    let mut held = 0;
    for (table, planted) in planted {
        let name = if table == "customers" { "customer_register" } else { table };
        let intake = &step(record, name)["intake"];
        assert_eq!(whole(intake, "read"), whole(planted, "rows"), "{table}");
        assert_eq!(whole(intake, "kept"), whole(planted, "kept"), "{table}");
        assert_eq!(whole(intake, "collapsed"), whole(planted, "identical_copies"), "{table}");
        assert_eq!(whole(intake, "after_as_of"), 0, "{table}: the lake ends at as_of");
        let contradicting: u64 = intake["rejected"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(reason, _)| reason.starts_with("contradicts"))
            .filter_map(|(_, rows)| rows.as_u64())
            .sum();
        assert_eq!(contradicting, 2 * whole(planted, "contradicting_ids"), "{table}: two rows an id");
        assert_eq!(sum(&intake["rejected"]) - contradicting, sum(&planted["malformed"]), "{table}");
        held += 1;
    }
    assert_eq!(held, 10, "every table is read");
}

/// Read = members + others + set aside + later (SEMANTICS 2), for each definition, and no touchpoint is a member twice.
fn every_touchpoint_is_accounted_for(record: &Value, truth: &Value) {
    let matched = step(record, "fct_journey_touchpoint");
    let rows = list(matched, "conservation");
    assert_eq!(rows.len(), list(truth, "journeys").len());
    for row in rows {
        let (read, later) = (whole(row, "read"), whole(row, "after_as_of"));
        assert_eq!(read, whole(truth, "touchpoints"), "{row}");
        assert_eq!(read, whole(row, "members") + whole(row, "non_members") + sum(&row["set_aside"]) + later, "{row}");
        let planted = list(truth, "journeys").iter().find(|journey| journey["journey"] == row["journey"]);
        assert_eq!(sum(&row["instances"]), whole(planted.expect("a planted journey"), "instances"), "{row}");
    }
    assert_eq!(rows.iter().map(|row| whole(row, "members")).sum::<u64>(), whole(matched, "rows"));
    let instances: u64 = rows.iter().map(|row| sum(&row["instances"])).sum();
    assert_eq!(instances, whole(step(record, "fct_journey"), "rows"));
}

fn cells_are_those_of_the_truth(found: &BTreeMap<(&str, &str), &Value>, truth: &Value) {
    let mut compared = 0;
    for journey in list(truth, "journeys") {
        for planted in list(journey, "landmarks") {
            let row = found[&(text(journey, "journey"), text(planted, "landmark"))];
            for cell in ["a", "b", "c", "d", "carried_over", "censored"] {
                assert_eq!(whole(row, cell), whole(planted, cell), "`{cell}` of {row} against {planted}");
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 8 * 7, "eight journeys at seven matured landmarks");
}

/// The truth holds the adjusted odds ratio expected from the probabilities with which each customer was made to churn.
/// A 95 % interval misses it one time in twenty, so the number covered is binomial; fewer than its 1 % point would say
/// that the intervals are too narrow or in the wrong place. The seed is fixed, so the outcome is too.
fn intervals_cover_as_often_as_they_say(found: &BTreeMap<(&str, &str), &Value>, truth: &Value) {
    let (mut intervals, mut covered) = (0_u32, 0_u32);
    for journey in list(truth, "journeys") {
        for planted in list(journey, "landmarks") {
            let row = found[&(text(journey, "journey"), text(planted, "landmark"))];
            let figures =
                (row["lower"].as_f64(), row["upper"].as_f64(), planted["expected_adjusted_odds_ratio"].as_f64());
            let (Some(lower), Some(upper), Some(expected)) = figures else { continue };
            intervals += 1;
            covered += u32::from(lower <= expected && expected <= upper);
        }
    }
    assert!(intervals >= 50, "only {intervals} intervals");
    let least = lower_point_of_binomial(intervals, 0.95, 0.01);
    assert!(covered >= least, "{covered} of {intervals} intervals cover the planted ratio; expected at least {least}");
}

/// The smallest k with P(X ≤ k) ≥ `level`.
fn lower_point_of_binomial(trials: u32, p: f64, level: f64) -> u32 {
    let mut probability = (1.0 - p).powi(i32::try_from(trials).unwrap_or(i32::MAX));
    let mut cumulated = probability;
    let mut k = 0;
    while cumulated < level && k < trials {
        probability *= f64::from(trials - k) / f64::from(k + 1) * p / (1.0 - p);
        cumulated += probability;
        k += 1;
    }
    k
}

#[test]
fn equal_inputs_give_equal_rows_however_they_are_worked_on() {
    let (workspace, _) = company();
    let run = |arguments: &str, warehouse: &str| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        workspace.run_with(&arguments, &[("WAREHOUSE", warehouse)]).ends_with(0);
        workspace.fingerprints(warehouse)
    };
    let first = run(RUN, "data/warehouse");
    let published = workspace.newest_record("data/warehouse")["tables"].as_object().map_or(0, serde_json::Map::len);
    assert!(published >= 30, "only {published} tables are published");
    assert_eq!(first.len(), published, "every published table is compared");
    assert_eq!(run(RUN, "data/warehouse"), first, "a second run");
    for (arguments, warehouse) in [
        ("--partitions 1 --threads 1", "one"),
        ("--partitions 4 --threads 4", "four"),
        ("--memory-limit 128MiB", "little"),
    ] {
        assert_eq!(run(&format!("{RUN} {arguments}"), warehouse), first, "{arguments}");
    }
}
