//! A stranger's SQL that plans well and cannot be computed: the file and the line that are to blame.

use crate::tiny::PIPELINE;
use crate::workspace::Workspace;

#[test]
fn a_cast_that_fails_is_blamed_on_the_staging_that_casts() {
    let workspace = Workspace::empty();
    workspace.put("data/orders.csv", "order_id,customer_id,at,amount\no1,c1,2026-01-02,12.5\no2,c1,2026-01-03,many\n");
    workspace.put(
        "pipelines/shop.yaml",
        "name: shop\nstart: 2026-01-01\nwarehouse: wh\nsources:\n  orders:\n    path: data/orders.csv\n    \
         format: csv\n    \
         columns: { order_id: string, customer_id: string, at: timestamp, amount: string }\n    time_column: at\n    \
         key: [order_id]\nmodels:\n  billing: { sql: sql/billing.sql }\n  paid: { sql: sql/paid.sql }\n  \
         revenue: { sql: sql/revenue.sql, materialized: table, grain: [customer_id] }\n",
    );
    workspace.put(
        "sql/billing.sql",
        "-- One row: a bill.\nSELECT\n    order_id,\n    customer_id,\n    CAST(amount AS DOUBLE) AS amount\n\
         FROM orders\n",
    );
    workspace.put("sql/paid.sql", "SELECT customer_id, amount FROM billing WHERE amount > 0\n");
    workspace.put("sql/revenue.sql", "SELECT customer_id, sum(amount) AS revenue FROM paid GROUP BY customer_id\n");
    workspace.run("check").ends_with(0);
    let ran = workspace.run("run --as-of 2026-02-01").ends_with(1);
    assert!(ran.stderr.contains("FAILED table revenue"), "{ran}");
    assert!(
        ran.stderr.contains("`billing` (sql/billing.sql:5): Cannot cast string 'many' to value of Float64 type"),
        "{ran}"
    );
    assert!(ran.stderr.contains("TRY_CAST"), "{ran}");
    workspace.edit("sql/billing.sql", "CAST(amount", "TRY_CAST(amount");
    workspace.run("run --as-of 2026-02-01").ends_with(0);
}

#[test]
fn a_time_of_another_type_is_refused_once_with_the_way_out() {
    let workspace = Workspace::tiny();
    workspace.edit("sql/touchpoints.sql", "at AS occurred_at", "CAST(at AS TIMESTAMP) AS occurred_at");
    workspace.edit(PIPELINE, "  member:\n", "  again: { match: touchpoints }\n  member:\n");
    let found = workspace.run("check").ends_with(2);
    assert_eq!(found.stderr.matches("error[").count(), 1, "{found}");
    assert!(found.stderr.contains("arrow_cast(the_time, 'Timestamp(Microsecond, Some(\"UTC\"))')"), "{found}");
}

/// Three models match touchpoints by the same definitions.
#[test]
fn a_mistake_in_a_definition_is_said_once() {
    let workspace = Workspace::empty();
    workspace.run("init .").ends_with(0);
    workspace.edit("pipelines/journeys/fault.yaml", "starts: event =", "starts: evnt =");
    let refused = workspace.run("check").ends_with(2);
    assert_eq!(refused.stderr.matches("error[").count(), 1, "{refused}");
    assert!(refused.stderr.contains("did you mean `event`?"), "{refused}");
}
