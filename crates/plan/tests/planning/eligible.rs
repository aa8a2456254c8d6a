//! Plans `eligible` models: limits of journeys over the customer's columns, and what is refused where it is written.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit, TimestampMicrosecondType};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use throughline_config::{LoadOptions, Pipeline, load_pipeline};
use throughline_plan::{JOURNEY_DEFINITIONS, Parameters, plan, relation};

use super::{NoMatching, write};

const PIPELINE: &str = "\
name: small
start: 2026-01-01
warehouse: wh
variables: { first: 90 days }
sources:
  stretch: { path: stretch/, format: parquet }
  instants: { path: instants/, format: parquet }
models:
  days: { eligible: RELATION, materialized: table }
journeys: journeys/*.yaml
";

const STRETCH: &str = "
    SELECT 'ann' AS customer_id, 'home' AS segment, TIMESTAMP '2026-01-01T10:00:00Z' AS joined_at,
        TIMESTAMP '2026-01-02T00:00:00Z' AS from_day, TIMESTAMP '2026-06-01T00:00:00Z' AS until_day
    UNION ALL
    SELECT 'bob', 'business', NULL, TIMESTAMP '2026-01-02T00:00:00Z', TIMESTAMP '2026-06-01T00:00:00Z'";

fn load(relation: &str, journeys: &str) -> Pipeline {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "pipelines/small.yaml", &PIPELINE.replace("RELATION", relation));
    write(folder.path(), "pipelines/journeys/j.yaml", journeys);
    let options =
        LoadOptions { project: folder.path().to_owned(), environment: HashMap::new(), ..LoadOptions::default() };
    load_pipeline(&options).unwrap_or_else(|found| panic!("{found}")).0
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

fn session() -> SessionContext {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.collect_spans = true;
    SessionContext::new_with_config(config)
}

/// The findings of a pipeline whose `days` are over `relation`.
fn refusal(relation: &str, journeys: &str) -> String {
    let pipeline = load(relation, journeys);
    let session = session();
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, true);
    let customer =
        || vec![field("customer_id", DataType::Utf8), field("segment", DataType::Utf8), field("joined_at", time())];
    let mut stretch = customer();
    stretch.extend(["left_at", "from_day", "until_day"].map(|name| field(name, time())));
    let mut instants = customer();
    instants.push(field("from_day", DataType::Int64));
    for (name, fields) in [("stretch", stretch), ("instants", instants), (JOURNEY_DEFINITIONS, Vec::new())] {
        session.register_table(name, Arc::new(EmptyTable::new(Arc::new(Schema::new(fields))))).expect("a free name");
    }
    let parameters = Parameters::new(&pipeline, 1_790_000_000_000_000);
    let planned = runtime().block_on(plan(Arc::new(pipeline), parameters, &session, Arc::new(NoMatching)));
    planned.map(|plan| format!("{:?}", plan.steps)).expect_err("refused").to_string()
}

/// One line a row: journey, customer, days from and until.
fn days(journeys: &str) -> Vec<String> {
    let pipeline = load("stretch", journeys);
    let parameters = Parameters::new(&pipeline, 1_790_000_000_000_000);
    let session = session();
    runtime().block_on(async {
        let in_utc =
            |column: &str| format!("arrow_cast({column}, 'Timestamp(Microsecond, Some(\"UTC\"))') AS {column}");
        let times = ["joined_at", "from_day", "until_day"].map(in_utc).join(", ");
        let rows = session.sql(&format!("SELECT customer_id, segment, {times} FROM ({STRETCH})")).await.expect("rows");
        session.register_table("stretch", rows.into_view()).expect("a free name");
        let model = &pipeline.models["days"];
        let rows = relation(model, None, &pipeline, &parameters, &session, &NoMatching).await;
        let rows = rows.unwrap_or_else(|found| panic!("{found}"));
        let rows = session.execute_logical_plan(rows).await.expect("planned").collect().await.expect("ran");
        let mut lines = Vec::new();
        for batch in rows {
            let text = |name: &str, row: usize| {
                array_value_to_string(batch.column_by_name(name).expect(name), row).expect("text")
            };
            for row in 0..batch.num_rows() {
                let day = |name: &str| {
                    let times = batch.column_by_name(name).expect(name).as_primitive::<TimestampMicrosecondType>();
                    let day = times.value(row);
                    assert_eq!(day % 86_400_000_000, 0, "days begin at midnight");
                    text(name, row)[..10].to_owned()
                };
                let days = format!("{} {}", day("from_day"), day("until_day"));
                lines.push(format!("{} {} {days}", text("journey", row), text("customer_id", row)));
            }
        }
        lines.sort();
        lines
    })
}

#[test]
fn a_journey_without_limits_takes_every_day() {
    let found = days("open: { starts: 'true' }\n");
    assert_eq!(found, ["open ann 2026-01-02 2026-06-01", "open bob 2026-01-02 2026-06-01"]);
}

#[test]
fn the_condition_decides_and_the_limits_cut_at_midnight() {
    let found = days(
        "
only_home: { starts: 'true', eligible: segment <> 'business' }
new: { starts: 'true', eligible_until: joined_at + $first }
loyal: { starts: 'true', eligible_from: joined_at + INTERVAL '30 days' }
both: { starts: 'true', eligible: segment = 'home', eligible_from: joined_at, eligible_until: DATE '2026-02-01' }
never: { starts: 'true', eligible_from: TIMESTAMP '2027-01-01T00:00:00Z' }
",
    );
    assert_eq!(
        found,
        [
            // Joined at ten o'clock: the first midnight at or after is the next day's.
            "both ann 2026-01-02 2026-02-01",
            // Whose joining nobody knows has never been long enough a customer.
            "loyal ann 2026-02-01 2026-06-01",
            // ... and is no longer a new one at no instant that anybody knows.
            "new ann 2026-01-02 2026-04-02",
            "new bob 2026-01-02 2026-06-01",
            "only_home ann 2026-01-02 2026-06-01",
        ]
    );
}

#[test]
fn a_comment_does_not_swallow_what_follows() {
    let found = days("new:\n  starts: 'true'\n  eligible_until: |\n    joined_at + INTERVAL '1 day' -- one day\n");
    assert_eq!(found, ["new ann 2026-01-02 2026-01-03", "new bob 2026-01-02 2026-06-01"]);
}

#[test]
fn what_is_not_known_then_is_refused_where_it_is_written() {
    insta::assert_snapshot!(refusal(
        "stretch",
        "
onboarding: { starts: 'true', eligible: joined_at >= landmark - INTERVAL '90 days' }
winback: { starts: 'true', eligible: segment = 'home' AND stretch.left_at IS NULL }
renewal: { starts: 'true', eligible_from: joined_at, eligible_until: Churned_At }
first_days: { starts: 'true', eligible: from_day < TIMESTAMP '2026-02-01' }
"
    ));
}

#[test]
fn limits_are_instants_over_columns_that_exist() {
    insta::assert_snapshot!(refusal(
        "stretch",
        "
a: { starts: 'true', eligible: segmnt = 'home' }
b: { starts: 'true', eligible: segment }
c: { starts: 'true', eligible_until: 210 }
d: { starts: 'true', eligible_from: joind_at + INTERVAL '1 day' }
e: { starts: 'true', eligible_from: joined_at + }
"
    ));
}

#[test]
fn the_relation_says_of_which_days_its_rows_are() {
    insta::assert_snapshot!(refusal("instants", "a: { starts: 'true' }\n"));
}
