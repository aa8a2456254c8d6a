//! Person-time (SEMANTICS 5) against a reference that counts every spell on every day, on random companies through the
//! pipeline's own models: at once, by increments, and by nights on which something arrives late.

mod company;
mod nights;
mod reference;

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde_json::Value;

use crate::dice::Dice;
use crate::workspace::Workspace;
use company::{Company, DAY, HOUR, NEW_YEAR, time};
use reference::{JointRow, RiskCounts, RiskRow, expected};

const PIPELINE: &str = "pipelines/key_journeys.yaml";

const SOURCES: &str = r#"raw_customers:
  path: data/raw/customers
  format: json
  columns: {
      customer_id: string, joined_at: timestamp, valid_from: timestamp, notice_at: timestamp, churned_at: timestamp,
      lost_at: timestamp, segment: string, region: string, promised_at: timestamp
  }
  time_column: valid_from
  key: [customer_id, joined_at, valid_from]
raw_touchpoints:
  path: data/raw/touchpoints
  format: json
  columns: {
      touchpoint_id: string, customer_id: string, order_id: string, occurred_at: timestamp, known_at: timestamp,
      channel: string, event: string, topic: string, resolved: boolean
  }
  time_column: occurred_at
  active_at: [occurred_at, known_at]
  key: [touchpoint_id]
"#;

const CUSTOMERS: &str = "SELECT
    customer_id,
    joined_at,
    CASE WHEN notice_at < $as_of THEN notice_at END AS notice_at,
    CASE WHEN churned_at < $as_of THEN churned_at END AS churned_at,
    CASE WHEN lost_at < $as_of THEN lost_at END AS lost_at,
    valid_from,
    coalesce(segment, 'unknown') AS segment,
    region,
    CAST(NULL AS VARCHAR) AS acquisition_channel,
    CAST(NULL AS BIGINT) AS birth_year,
    promised_at
FROM raw_customers
";

const TOUCHPOINTS: &str = "SELECT
    touchpoint_id,
    customer_id,
    occurred_at,
    known_at,
    channel,
    event,
    topic,
    CAST(NULL AS VARCHAR) AS function,
    CAST(NULL AS DOUBLE) AS satisfaction,
    resolved,
    CAST(NULL AS DOUBLE) AS duration_s,
    CAST(NULL AS DOUBLE) AS cost,
    'raw' AS source,
    order_id
FROM raw_touchpoints
";

/// The repository's pipeline with the company's customers and touchpoints in place of its staging models. Where
/// `hides_unknown` is set, a touchpoint is in no table until it is known whose it is, as with web events.
fn workspace(company: &Company, hides_unknown: bool) -> Workspace {
    let workspace = Workspace::of_the_repository();
    workspace.edit(PIPELINE, "start: 2024-10-01\n", &format!("start: {}\n", time(company.start)));
    workspace.put("pipelines/sources/raw.yaml", SOURCES);
    workspace.edit(PIPELINE, "unit_tests: tests/*.yaml\n", "");
    if company.delay_days > 0 {
        reach_back(&workspace, company.delay_days);
    }
    workspace.remove("pipelines/journeys");
    workspace.put("pipelines/journeys/random.yaml", company.definitions_yaml());
    workspace.put("sql/staging/customers.sql", CUSTOMERS);
    let hidden = if hides_unknown { "WHERE known_at < $as_of\n" } else { "" };
    workspace.put("sql/staging/touchpoints.sql", format!("{TOUCHPOINTS}{hidden}"));
    // The pipeline's own sources are read by nothing that runs; they declare their columns, so empty folders do.
    for file in std::fs::read_dir(workspace.path().join("pipelines/sources")).expect("sources have files") {
        let text = std::fs::read_to_string(file.expect("it can be listed").path()).expect("it can be read");
        for (folder, _) in text.split("${LAKE:-data/lake}/").skip(1).filter_map(|rest| rest.split_once('/')) {
            std::fs::create_dir_all(workspace.path().join("data/lake").join(folder)).expect("a folder can be made");
        }
    }
    workspace.put("data/raw/customers/all.json", company.customer_lines());
    workspace.put("data/raw/touchpoints/all.json", company.touchpoint_lines());
    workspace
}

/// Lets a run rebuild the days that did not count yet when the run before it ended, as the pipeline asks of whoever sets
/// `churn_reporting_delay`.
fn reach_back(workspace: &Workspace, days: i64) {
    let reach = format!("{{ reach: {days} days }}");
    let models = format!("\nmodels:\n  fct_journey_risk: {reach}\n  journey_joint_risk: {reach}\n");
    workspace.edit(PIPELINE, "\nmodels:\n", &models);
}

/// The warehouse of the tables that are compared with the reference.
const WAREHOUSE: &str = "data/warehouse";

fn run(workspace: &Workspace, company: &Company, as_of: i64) {
    run_into(WAREHOUSE, workspace, company, as_of);
}

fn run_into(warehouse: &str, workspace: &Workspace, company: &Company, as_of: i64) {
    let horizon = format!("exposure_horizon={} days", company.horizon_days);
    let delay = format!("churn_reporting_delay={} days", company.delay_days);
    let as_of = time(as_of);
    let models = ["+fct_journey_risk", "+journey_joint_risk", "+uncounted_spell"];
    let select: Vec<&str> = models.into_iter().flat_map(|model| ["--select", model]).collect();
    let arguments = [&["run", "--as-of", &as_of, "--vars", &horizon, "--vars", &delay], select.as_slice()].concat();
    workspace.run_with(&arguments, &[("WAREHOUSE", warehouse)]).ends_with(0);
}

/// The rows of a query, each as a JSON object.
fn rows(workspace: &Workspace, sql: &str) -> Vec<Value> {
    let outcome = workspace.run_with(&["query", sql, "--format", "json"], &[("WAREHOUSE", WAREHOUSE)]).ends_with(0);
    outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

fn text(row: &Value, column: &str) -> String {
    row[column].as_str().unwrap_or_else(|| panic!("`{column}` is no text in {row}")).to_owned()
}

fn number(row: &Value, column: &str) -> i64 {
    row[column].as_i64().unwrap_or_else(|| panic!("`{column}` is no whole number in {row}"))
}

/// Compares the two tables as of an instant with what the reference counts, row for row.
fn assert_as_counted(workspace: &Workspace, company: &Company, as_of: i64, what: &str) {
    let expected = expected(company, as_of);
    let risk = rows(
        workspace,
        "SELECT journey, segment, tenure_band, CAST(CAST(month AS DATE) AS VARCHAR) AS month, exposure, \
         since_touchpoint, run, person_days, churned, lost FROM fct_journey_risk",
    );
    let optional = |row: &Value, column: &str| row[column].as_str().map(str::to_owned);
    let found = risk.iter().map(|row| {
        let key = RiskRow {
            journey: text(row, "journey"),
            segment: text(row, "segment"),
            tenure_band: text(row, "tenure_band"),
            month: text(row, "month"),
            exposure: text(row, "exposure"),
            since_touchpoint: optional(row, "since_touchpoint"),
            run: optional(row, "run"),
        };
        let counts = RiskCounts {
            person_days: number(row, "person_days"),
            churned: number(row, "churned"),
            lost: number(row, "lost"),
        };
        (key, counts)
    });
    assert_same(&unique(found), &expected.risk, &format!("{what}: fct_journey_risk"));
    let joint = rows(
        workspace,
        "SELECT segment, tenure_band, CAST(CAST(month AS DATE) AS VARCHAR) AS month, exposed, not_eligible, \
         person_days, churned FROM journey_joint_risk",
    );
    let found = joint.iter().map(|row| {
        let key = JointRow {
            segment: text(row, "segment"),
            tenure_band: text(row, "tenure_band"),
            month: text(row, "month"),
            exposed: text(row, "exposed"),
            not_eligible: text(row, "not_eligible"),
        };
        (key, (number(row, "person_days"), number(row, "churned")))
    });
    assert_same(&unique(found), &expected.joint, &format!("{what}: journey_joint_risk"));
}

fn unique<K: Ord + Debug, V>(rows: impl Iterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut all = BTreeMap::new();
    for (key, counts) in rows {
        let text = format!("{key:?}");
        assert!(all.insert(key, counts).is_none(), "two rows of {text}");
    }
    all
}

fn assert_same<K: Ord + Debug, V: PartialEq + Debug>(found: &BTreeMap<K, V>, expected: &BTreeMap<K, V>, what: &str) {
    let keys = found.keys().chain(expected.keys()).collect::<std::collections::BTreeSet<_>>();
    let differences: Vec<String> = keys
        .into_iter()
        .filter(|key| found.get(key) != expected.get(key))
        .map(|key| format!("{key:?}: found {:?}, counted {:?}", found.get(key), expected.get(key)))
        .collect();
    let shown = differences.iter().take(12).cloned().collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{what}: {} of {} rows differ\n{shown}", differences.len(), expected.len());
}

/// `PERSON_TIME_SEEDS=200` tries as many companies, `PERSON_TIME_SEEDS=84-84` the one that failed.
fn seeds(few: &str) -> std::ops::RangeInclusive<u64> {
    let asked = std::env::var("PERSON_TIME_SEEDS").unwrap_or_else(|_| few.to_owned());
    let (first, last) = asked.split_once('-').unwrap_or(("1", &asked));
    let seed = |text: &str| text.parse::<u64>().expect("a number of seeds, or a range of them");
    seed(first)..=seed(last)
}

#[test]
fn every_day_of_every_spell_is_counted() {
    for seed in seeds("3") {
        let mut dice = Dice(seed);
        let days = dice.between(150, 240);
        let company = Company::random(&mut dice, 40, days, true);
        let as_of = NEW_YEAR + days * DAY + dice.one_of(&[0, 0, 7 * HOUR, DAY - 1, -20 * DAY]);
        let workspace = workspace(&company, dice.chance(50));
        run(&workspace, &company, as_of);
        assert_as_counted(&workspace, &company, as_of, &format!("seed {seed}"));
    }
}

#[test]
fn any_history_of_increments_is_counted_as_at_once() {
    for seed in seeds("1") {
        let mut dice = Dice(1_000_000 + seed);
        let company = Company::random(&mut dice, 25, 200, false);
        let workspace = workspace(&company, true);
        let mut day = dice.between(90, 130);
        while day <= 205 {
            let as_of = NEW_YEAR + day * DAY;
            run(&workspace, &company, as_of);
            assert_as_counted(&workspace, &company, as_of, &format!("seed {seed}, day {day}"));
            day += dice.one_of(&[1, 1, 7, 31, 45]);
        }
    }
}

/// The worked example of SEMANTICS 2, day `n` being January 1st plus `n` days.
#[test]
fn the_reference_matches_the_worked_example() {
    use company::{Definition, Touchpoint};
    use reference::{Status, instances};
    let example =
        [(1, "o"), (2, "x"), (5, "x"), (10, "x"), (12, "o"), (13, "c"), (14, "x"), (20, "o"), (31, "x"), (38, "o")];
    let touchpoints = example.map(|(day, event)| Touchpoint {
        touchpoint_id: format!("t{day:02}"),
        customer_id: "ann".to_owned(),
        order_id: None,
        occurred_at: day * DAY,
        known_at: day * DAY,
        channel: "web",
        event,
        topic: None,
        resolved: None,
    });
    let definition = Definition {
        name: "worked".to_owned(),
        starts: vec!["o"],
        ends: vec!["c"],
        abandons: Vec::new(),
        includes: None,
        within: Some(10 * DAY),
        idle: Some(4 * DAY),
        splits: false,
        by_order: false,
        eligible: None,
        eligible_from: None,
        eligible_until: None,
    };
    let places: Vec<usize> = (0..touchpoints.len()).collect();
    let found = instances(&definition, &touchpoints, &places, 40 * DAY);
    let found: Vec<(Vec<usize>, Status)> = found.into_iter().map(|one| (one.members, one.status)).collect();
    let expected = [
        (vec![0, 1, 2], Status::Expired),
        (vec![4, 5], Status::Completed),
        (vec![7], Status::Expired),
        (vec![9], Status::Open),
    ];
    assert_eq!(found, expected);
}
