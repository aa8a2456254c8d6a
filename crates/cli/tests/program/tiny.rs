//! The smallest complete workspace: three customers' contacts in CSV, two journeys, four models.

use crate::workspace::Workspace;

pub(crate) const PIPELINE: &str = "pipelines/tiny.yaml";
pub(crate) const JOURNEYS: &str = "pipelines/journeys/all.yaml";
pub(crate) const INSTANCE: &str = "sql/instance.sql";
pub(crate) const BY_STATUS: &str = "sql/by_status.sql";
pub(crate) const HEADER: &str = "contact_id,customer,at,channel,event,satisfaction\n";
/// The instant at which the tests look: day 40 of the worked example.
pub(crate) const RUN: &str = "run --as-of 2024-02-10 --threads 1 --log-format json";

/// Ann's contacts are the worked example of SEMANTICS 2, day `n` being January 1st plus `n` days.
const ANN: &str = "\
t01,ann,2024-01-02T00:00:00Z,web,o,
t02,ann,2024-01-03T00:00:00Z,web,x,
t05,ann,2024-01-06T00:00:00Z,phone,x,0.75
t10,ann,2024-01-11T00:00:00Z,web,x,
t12,ann,2024-01-13T00:00:00Z,web,o,
t13,ann,2024-01-14T00:00:00Z,web,c,1
t14,ann,2024-01-15T00:00:00Z,web,x,
t20,ann,2024-01-21T00:00:00Z,web,o,
t31,ann,2024-02-01T00:00:00Z,web,x,
t38,ann,2024-02-08T00:00:00Z,web,o,
";

const BOB_AND_CYD: &str = "\
a1,bob,2024-01-03T09:00:00Z,phone,ask,0.5
a2,bob,2024-01-03T10:00:00Z,email,answer,1
a3,cyd,2024-02-09T09:30:00Z,chat,ask,
";

const PIPELINE_TEXT: &str = "\
name: tiny
owner: tests
start: 2024-01-01
warehouse: ${WAREHOUSE:-warehouse}
sources:
  contacts:
    path: data/contacts/
    format: csv
    columns:
      contact_id: string
      customer: string
      at: timestamp
      channel: string
      event: string
      satisfaction: float64
    time_column: at
    key: [contact_id]
    contract:
      - not_null: [customer]
      - range: { satisfaction: { min: 0, max: 1 } }
journeys: journeys/*.yaml
models:
  touchpoints:
    sql: sql/touchpoints.sql
    grain: [touchpoint_id]
    tags: [staging]
  member:
    match: touchpoints
    grain: [journey_id, step]
    tags: [facts]
  instance:
    sql: sql/instance.sql
    materialized: table
    grain: [journey_id]
    description: One row an instance
    tags: [facts]
    columns: { touchpoints: Members of the instance }
    tests:
      - accepted_values: { status: [completed, abandoned, expired, restarted, open] }
      - row_count: { min: 1 }
  by_status:
    sql: sql/by_status.sql
    materialized: table
    grain: [journey, status]
    tags: [marts]
  by_channel:
    sql: sql/by_channel.sql
    materialized: table
    grain: [channel]
    tags: [marts]
";

const JOURNEYS_TEXT: &str = "\
worked:
  label: The worked example
  starts: event = 'o'
  ends: event = 'c'
  within: 10 days
  idle: 4 days
asking:
  starts: event = 'ask'
  ends: event = 'answer'
  includes: event IN ('ask', 'answer')
";

const TOUCHPOINTS_SQL: &str = "\
-- One row a contact.
SELECT
    contact_id AS touchpoint_id,
    customer AS customer_id,
    at AS occurred_at,
    channel,
    event,
    satisfaction
FROM contacts
";

const INSTANCE_SQL: &str = "\
-- One row an instance.
SELECT
    journey_id,
    min(journey) AS journey,
    min(customer_id) AS customer_id,
    min(occurred_at) AS started_at,
    max(occurred_at) AS last_at,
    max(ended_at) AS ended_at,
    min(status) AS status,
    count(*) AS touchpoints,
    avg(satisfaction) AS satisfaction
FROM member
GROUP BY journey_id
";

impl Workspace {
    /// The tiny workspace, nothing run yet.
    pub(crate) fn tiny() -> Self {
        let workspace = Self::empty();
        workspace.put(PIPELINE, PIPELINE_TEXT);
        workspace.put(JOURNEYS, JOURNEYS_TEXT);
        workspace.put("sql/touchpoints.sql", TOUCHPOINTS_SQL);
        workspace.put(INSTANCE, INSTANCE_SQL);
        workspace
            .put(BY_STATUS, "SELECT journey, status, count(*) AS instances FROM instance GROUP BY journey, status\n");
        workspace.put("sql/by_channel.sql", "SELECT channel, count(*) AS members FROM member GROUP BY channel\n");
        workspace.put("data/contacts/ann.csv", format!("{HEADER}{ANN}"));
        workspace.put("data/contacts/others.csv", format!("{HEADER}{BOB_AND_CYD}"));
        workspace
    }

    /// The tiny workspace with its contacts in one Parquet file, types taken from it.
    pub(crate) fn tiny_in_parquet() -> Self {
        let workspace = Self::tiny();
        workspace.run("show contacts --limit all --format parquet --output contacts.parquet").ends_with(0);
        workspace.remove("data/contacts");
        let parquet = std::fs::read(workspace.path().join("contacts.parquet")).expect("the file was written");
        workspace.put("data/contacts/a.parquet", parquet);
        let (before, after) = PIPELINE_TEXT.split_once("    columns:\n").expect("the source declares columns");
        let (_, after) = after.split_once("    time_column").expect("the time column follows");
        workspace.put(PIPELINE, format!("{before}    time_column{after}").replace("format: csv", "format: parquet"));
        workspace
    }

    /// Every row of the tiny workspace's tables, as published.
    pub(crate) fn rows(&self) -> String {
        let tables = ["member", "instance", "by_status", "by_channel"];
        let rows = tables.map(|table| self.query(&format!("SELECT * FROM {table} ORDER BY 1, 2")).to_string());
        rows.join("\n")
    }
}
