//! Pipelines that load, every field checked.

use super::{SMALLEST, loaded, options, workspace};
use crate::{
    Duration, Format, Located, Materialization, ModelKind, OnRestart, RowRule, Severity, SourceKind, TestKind,
    Variable, load_pipeline, pipeline_names,
};

const DAY: i64 = 86_400_000_000;

const PIPELINE: &str = r#"# What a person would write
name: key_journeys
owner: cx-analytics
description: >
  Journeys of the customers
  of one company.
start: 2024-10-01
warehouse: ${WAREHOUSE:-data/warehouse}
variables: { churn_horizon: 90 days, since: 2024-10-01T02:00:00+02:00, level: 0.95, rounds: 3, strict: true, currency: EUR }
sources:
  calls:
    path: "${LAKE:-data/lake}/calls/"
    format: parquet
    time_column: started_at
    key: [call_id]
    freshness: { warn_after: 2 days, error_after: 1 week }
    rejected: { warn: 0.02, error: 50 % }
    rows: { min: 10 }
    contract:
      - not_null: [call_id, customer_id]
      - accepted_values: { queue: [sales, billing], level: [1, 2] }
      - range: { rating: { min: 1, max: 5 }, cost: { min: 0 } }
      - expression: ended_at >= started_at
    description: One row a call.
    owner: contact-centre
  tickets:
    path: data/tickets/*.csv
    format: csv
    delimiter: ";"
    time_column: opened_at
    columns:
      ticket_id: string
      opened_at: { type: timestamp, format: "%d.%m.%Y %H:%M" }
  log: { path: s3://lake/log, format: delta, time_column: at }
seeds:
  goals: { path: data/seeds/goals.csv, columns: { journey: string, goal: float64 }, description: Targets }
journeys: journeys/*.yaml
models:
  touchpoints: { sql: sql/touchpoints.sql, grain: [touchpoint_id], time_column: occurred_at }
  fct_journey_touchpoint: { match: touchpoints }
  population: { eligible: touchpoints }
  fct_journey:
    sql: sql/touchpoints.sql
    materialized: table
    grain: [journey_id]
    owner: cx
    description: One row a journey.
    tags: [daily, core]
    columns: { journey_id: "Prefix and first touchpoint" }
    tests:
      - not_null: [journey, customer_id]
        severity: warn
      - unique: [journey_id]
      - relationships: { customer_id: customers.customer_id }
      - row_count: { min: 1, max: 10 }
      - sql: sql/touchpoints.sql
      - { expression: "touchpoints >= 1", severity: error }
dictionary: dictionary.yaml
"#;

const JOURNEYS: &str = r#"onboarding:
  label: New-customer onboarding
  owner: customer-operations
  description: From order to first bill
  starts: event = 'order_placed'   # SQL, not YAML
  ends: event = 'first_bill_paid'
  abandons: event = 'order_cancelled'
  includes: topic IN ('activation', 'installation')
  within: 120 days
  idle: 45 days
  on_restart: split
  key: [customer_id, order_id]
  eligible: segment <> 'business'
  eligible_from: joined_at
  eligible_until: joined_at + INTERVAL '210 days'
  importance: 5
  rationale: The first impression
billing_dispute: { starts: "topic = 'bill'" }
"#;

fn whole() -> crate::Pipeline {
    let folder = workspace(&[
        ("pipelines/key_journeys.yaml", PIPELINE.as_bytes()),
        ("pipelines/other.yaml", SMALLEST.as_bytes()),
        ("pipelines/journeys/b.yaml", JOURNEYS.as_bytes()),
        ("pipelines/journeys/a.yaml", b"move: { starts: true }"),
        ("dictionary.yaml", b"customer_id: Who\njourney_id: Which\n"),
        ("data/seeds/goals.csv", b"journey,goal\n"),
    ]);
    let (pipeline, warnings) = load_pipeline(&options(&folder)).unwrap_or_else(|findings| panic!("{findings}"));
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(pipeline_names(folder.path()).expect("names"), ["key_journeys", "other"]);
    pipeline
}

#[test]
fn top_of_the_pipeline() {
    let pipeline = whole();
    assert_eq!(pipeline.name.value, "key_journeys");
    assert_eq!(pipeline.owner.as_deref(), Some("cx-analytics"));
    assert_eq!(pipeline.description.as_deref(), Some("Journeys of the customers of one company.\n"));
    assert_eq!(pipeline.start.value, 1_727_740_800_000_000);
    assert_eq!(pipeline.warehouse.value, "data/warehouse");
    assert_eq!(pipeline.file.path.to_str(), Some("pipelines/key_journeys.yaml"));
    let variables: Vec<_> =
        pipeline.variables.iter().map(|(name, value)| (name.as_str(), value.value.clone())).collect();
    let expected = [
        ("churn_horizon", Variable::Duration(Duration(90 * DAY))),
        ("since", Variable::Timestamp(1_727_740_800_000_000)),
        ("level", Variable::Float(0.95)),
        ("rounds", Variable::Integer(3)),
        ("strict", Variable::Boolean(true)),
        ("currency", Variable::Text("EUR".to_owned())),
    ];
    assert_eq!(variables, expected);
    assert_eq!(pipeline.dictionary["customer_id"], "Who");
    assert_eq!(pipeline.dictionary["journey_id"], "Which");
}

#[test]
fn sources_and_seeds() {
    let pipeline = whole();
    assert_eq!(pipeline.sources.keys().collect::<Vec<_>>(), ["calls", "tickets", "log", "goals"]);
    let calls = &pipeline.sources["calls"];
    assert_eq!(
        (calls.path.value.as_str(), calls.format, calls.kind),
        ("data/lake/calls/", Format::Parquet, SourceKind::Source)
    );
    assert_eq!(calls.time_column.as_ref().map(|column| column.value.as_str()), Some("started_at"));
    assert_eq!(calls.key[0].value, "call_id");
    assert_eq!(
        (calls.description.as_deref(), calls.owner.as_deref()),
        (Some("One row a call."), Some("contact-centre"))
    );
    let freshness = calls.freshness.as_ref().expect("freshness");
    assert_eq!(freshness.column.value, "started_at", "the time column by default");
    assert_eq!((freshness.warn_after, freshness.error_after), (Some(Duration(2 * DAY)), Some(Duration(7 * DAY))));
    assert_eq!((calls.rejected.warn, calls.rejected.error, calls.rows.min), (0.02, 0.5, 10));
    let [not_null, queue, level, rating, cost, expression] = calls.contract.as_slice() else {
        panic!("{:?}", calls.contract)
    };
    assert!(matches!(not_null, RowRule::NotNull(columns) if columns.len() == 2 && columns[1].value == "customer_id"));
    assert!(
        matches!(queue, RowRule::AcceptedValues { column, values } if column.value == "queue" && values == &["sales", "billing"])
    );
    assert!(
        matches!(level, RowRule::AcceptedValues { column, values } if column.value == "level" && values == &["1", "2"])
    );
    let bound = |bound: &Option<crate::Located<String>>| bound.as_ref().map(|bound| bound.value.clone());
    assert!(
        matches!(rating, RowRule::Range { min, max, .. } if bound(min).as_deref() == Some("1") && bound(max).as_deref() == Some("5"))
    );
    assert!(matches!(cost, RowRule::Range { min, max: None, .. } if bound(min).as_deref() == Some("0")));
    assert!(matches!(expression, RowRule::Expression(sql) if sql.value == "ended_at >= started_at"));

    let tickets = &pipeline.sources["tickets"];
    assert_eq!(tickets.format, Format::Csv { delimiter: b';' });
    assert_eq!(tickets.columns["ticket_id"].format, None);
    assert_eq!(
        tickets.columns["opened_at"].format.as_ref().map(|format| format.value.as_str()),
        Some("%d.%m.%Y %H:%M")
    );
    assert_eq!(tickets.columns["opened_at"].data_type.value, crate::ColumnType::Timestamp);
    let goals = &pipeline.sources["goals"];
    assert_eq!((goals.kind, goals.format, goals.columns.len()), (SourceKind::Seed, Format::Csv { delimiter: b',' }, 2));
}

#[test]
fn models_and_tests() {
    let pipeline = whole();
    let names: Vec<_> = pipeline.models.keys().map(String::as_str).collect();
    assert_eq!(names, ["touchpoints", "fct_journey_touchpoint", "population", "fct_journey"]);
    let touchpoints = &pipeline.models["touchpoints"];
    assert_eq!(touchpoints.materialized, Materialization::View);
    assert_eq!(touchpoints.time_column.as_ref().map(|column| column.value.as_str()), Some("occurred_at"));
    assert!(
        matches!(&touchpoints.kind, ModelKind::Sql(file) if file.text == "SELECT 1 AS touchpoint_id\n" && file.path.to_str() == Some("sql/touchpoints.sql"))
    );
    let matched = &pipeline.models["fct_journey_touchpoint"];
    assert_eq!(matched.materialized, Materialization::Table, "a match is kept by default");
    assert!(matches!(&matched.kind, ModelKind::Match { input, .. } if input.value == "touchpoints"));
    assert!(
        matches!(&pipeline.models["population"].kind, ModelKind::Eligible { input } if input.value == "touchpoints")
    );

    let journey = &pipeline.models["fct_journey"];
    assert_eq!(journey.tags, ["daily", "core"]);
    assert_eq!(journey.columns["journey_id"], "Prefix and first touchpoint");
    let severities: Vec<_> = journey.tests.iter().map(|test| test.severity).collect();
    assert_eq!(
        severities,
        [Severity::Warning, Severity::Error, Severity::Error, Severity::Error, Severity::Error, Severity::Error]
    );
    let [not_null, unique, relationship, row_count, sql, expression] = journey.tests.as_slice() else { panic!() };
    assert!(matches!(&not_null.kind, TestKind::Rows(RowRule::NotNull(columns)) if columns.len() == 2));
    assert_eq!(not_null.place.text(), "not_null");
    assert!(matches!(&unique.kind, TestKind::Unique(columns) if columns[0].value == "journey_id"));
    assert!(
        matches!(&relationship.kind, TestKind::Relationship { column, references } if column.value == "customer_id" && references.value == "customers.customer_id")
    );
    assert!(matches!(row_count.kind, TestKind::RowCount { min: Some(1), max: Some(10) }));
    assert!(matches!(&sql.kind, TestKind::Sql(_)));
    assert!(matches!(&expression.kind, TestKind::Rows(RowRule::Expression(sql)) if sql.value == "touchpoints >= 1"));
}

#[test]
fn journey_definitions() {
    let pipeline = whole();
    let names: Vec<_> = pipeline.journeys.keys().map(String::as_str).collect();
    assert_eq!(names, ["move", "onboarding", "billing_dispute"], "in the order of their files' names");
    let onboarding = &pipeline.journeys["onboarding"];
    assert_eq!(onboarding.label, "New-customer onboarding");
    assert_eq!(onboarding.starts.value, "event = 'order_placed'");
    assert_eq!(onboarding.starts.place.text(), "event = 'order_placed'");
    assert_eq!(onboarding.starts.place.line_and_column(), (5, 11));
    assert_eq!(onboarding.starts.place.file.path.to_str(), Some("pipelines/journeys/b.yaml"));
    assert_eq!(onboarding.ends.as_ref().expect("ends").value, "event = 'first_bill_paid'");
    assert_eq!(onboarding.abandons.as_ref().expect("abandons").value, "event = 'order_cancelled'");
    assert_eq!(onboarding.includes.as_ref().expect("includes").value, "topic IN ('activation', 'installation')");
    assert_eq!((onboarding.within, onboarding.idle), (Some(Duration(120 * DAY)), Some(Duration(45 * DAY))));
    assert_eq!(onboarding.on_restart, OnRestart::Split);
    assert_eq!(
        onboarding.key.iter().map(|column| column.value.as_str()).collect::<Vec<_>>(),
        ["customer_id", "order_id"]
    );
    let text = |located: &Option<Located<String>>| located.as_ref().map(|text| text.value.clone()).unwrap_or_default();
    let limits = [&onboarding.eligible, &onboarding.eligible_from, &onboarding.eligible_until].map(text);
    assert_eq!(limits, ["segment <> 'business'", "joined_at", "joined_at + INTERVAL '210 days'"]);
    assert_eq!((onboarding.importance, onboarding.rationale.as_deref()), (Some(5), Some("The first impression")));

    let dispute = &pipeline.journeys["billing_dispute"];
    assert_eq!(dispute.label, "billing dispute", "the name with spaces");
    assert_eq!((dispute.on_restart, dispute.within, dispute.importance), (OnRestart::Absorb, None, None));
    assert_eq!(dispute.key[0].value, "customer_id");
}

#[test]
fn a_source_without_time_column_is_a_warning() {
    let folder = workspace(&[(
        "pipelines/main.yaml",
        format!("{SMALLEST}sources: {{ calls: {{ path: x, format: parquet }} }}\n").as_bytes(),
    )]);
    let (_, warnings) = load_pipeline(&options(&folder)).expect("loads");
    insta::assert_snapshot!(warnings, @"
    warning[no-time-column]: source `calls` has no `time_column`: `as_of` cannot cut it
     --> pipelines/main.yaml:6:12
      |
    6 | sources: { calls: { path: x, format: parquet } }
      |            ^^^^^
      |
      = help: name the column that says when a row happened; without it a rerun for an earlier day sees later rows
    ");
}

#[test]
fn variables_of_the_command_line() {
    let yaml = format!("{SMALLEST}variables: {{ horizon: 90 days, level: 0.95, currency: EUR }}\n");
    let folder = workspace(&[("pipelines/main.yaml", yaml.as_bytes())]);
    let with = |name: &str, text: &str| {
        let variables = vec![(name.to_owned(), text.to_owned())];
        load_pipeline(&crate::LoadOptions { variables, ..options(&folder) })
            .map(|(pipeline, _)| pipeline.variables[name].value.clone())
    };
    assert_eq!(with("horizon", "60 days"), Ok(Variable::Duration(Duration(60 * DAY))));
    assert_eq!(with("level", "1"), Ok(Variable::Float(1.0)));
    assert_eq!(with("currency", "3 days"), Ok(Variable::Text("3 days".to_owned())), "a text stays a text");
    insta::assert_snapshot!(with("horizon", "soon").expect_err("kind"), @"
    error[bad-value]: the variable `horizon` is a length of time
     --> --vars:1:9
      |
    1 | horizon=soon
      |         ^^^^ expected a length of time
      |
      = help: the pipeline's file declares it; the command line can change the value, not the kind
    ");
    insta::assert_snapshot!(with("horizn", "60 days").expect_err("name"), @"
    error[unknown-variable]: the pipeline has no variable `horizn`
     --> --vars:1:1
      |
    1 | horizn=60 days
      | ^^^^^^ did you mean `horizon`?
      |
      = help: it declares: horizon, level, currency
    ");
    insta::assert_snapshot!(with("horizon", "3 months").expect_err("months"), @"
    error[bad-duration]: `3 months` has no fixed length: months vary
     --> --vars:1:9
      |
    1 | horizon=3 months
      |         ^^^^^^^^
      |
      = help: say it in days, e.g. `90 days`
    ");
}

#[test]
fn quoting_and_blocks_keep_places_on_character_boundaries() {
    let pipeline = loaded("name: main\nowner: 'Zoë Größe'\nstart: \"2024-10-01\"\nwarehouse: |\n  däta\nmodels: { ä_nicht: { sql: sql/touchpoints.sql } }\n".replace("ä_nicht", "touchpoints").as_str());
    assert_eq!(pipeline.owner.as_deref(), Some("Zoë Größe"));
    assert_eq!(pipeline.start.place.text(), "\"2024-10-01\"");
    assert_eq!(pipeline.warehouse.place.line_and_column(), (5, 3), "a block begins with its first line");
    assert_eq!(pipeline.warehouse.place_within(1..3).text(), "ä");
    assert_eq!(pipeline.models["touchpoints"].name.place.text(), "touchpoints");
}

#[test]
fn definitions_are_read_from_a_text_as_from_a_file() {
    let text = "help: { starts: event = 'help_searched', idle: 7 days, label: \"${LABEL:-Finding help}\" }\nmove: { starts: topic = 'move' }\n";
    let journeys = crate::journey_definitions(text).unwrap_or_else(|findings| panic!("{findings}"));
    let names: Vec<&str> = journeys.iter().map(|journey| journey.name.as_str()).collect();
    assert_eq!(names, ["help", "move"], "in the order written");
    assert_eq!(journeys[0].starts.value, "event = 'help_searched'");
    assert_eq!(journeys[0].idle, Some(Duration(7 * DAY)));
    assert_eq!(journeys[0].label, "Finding help");
    let refused = crate::journey_definitions("help: { start: event = 'help_searched' }").expect_err("misspelt");
    insta::assert_snapshot!(refused, @"
    error[missing-key]: journey `help` has no `starts`
     --> journeys.yaml:1:1
      |
    1 | help: { start: event = 'help_searched' }
      | ^^^^
      |
      = help: add `starts: event = 'order_placed'`

    error[unknown-key]: journey `help` has no key `start`
     --> journeys.yaml:1:9
      |
    1 | help: { start: event = 'help_searched' }
      |         ^^^^^ did you mean `starts`?
      |
      = help: its keys: label, owner, description, starts, ends, abandons, includes, within, idle, on_restart, key, eligible, eligible_from, eligible_until, importance, rationale
    ");
}

#[test]
fn the_definition_in_semantics_loads() {
    let semantics = include_str!("../../../SEMANTICS.md");
    let (_, rest) = semantics.split_once("```yaml\n").expect("section 2 has a definition");
    let (yaml, _) = rest.split_once("```").expect("it has an end");
    let journeys = crate::journey_definitions(yaml).unwrap_or_else(|findings| panic!("{findings}"));
    assert_eq!(journeys.len(), 1);
    assert_eq!(journeys[0].within, Some(Duration(120 * DAY)));
    assert!(journeys[0].eligible.is_some() && journeys[0].importance == Some(5));
}
