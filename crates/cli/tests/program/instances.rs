//! `rows: instances`: measured instances straight from the touchpoints, sorted by the matcher or by the source.

use insta::assert_snapshot;

use crate::tiny::{PIPELINE, RUN};
use crate::workspace::Workspace;

/// The tiny workspace with a model of instances; its contacts have a topic for a department and no costs.
fn measured() -> Workspace {
    let workspace = Workspace::tiny_in_parquet();
    workspace.edit(
        PIPELINE,
        "  member:\n",
        "  measured:\n    match: touchpoints\n    rows: instances\n    grain: [journey_id]\n  member:\n",
    );
    workspace.edit(
        "sql/touchpoints.sql",
        "    satisfaction\n",
        "    satisfaction,\n    'care' AS \"function\",\n    CAST(NULL AS VARCHAR) AS topic,\n    event <> 'x' AS resolved,\n    CAST(NULL AS DOUBLE) AS cost\n",
    );
    workspace
}

const ROWS: &str = "SELECT journey_id, customer_id, status, duration_s, touchpoints, channels, channel_switches, \
                    contacts, unresolved, cost, touchpoint_satisfaction, all_satisfied FROM measured ORDER BY 1";

#[test]
fn an_instance_comes_with_its_measures() {
    let workspace = measured();
    workspace.run(RUN).ends_with(0);
    assert_snapshot!(workspace.query(ROWS), @r#"
    exit 0
    --- stdout
    journey_id,customer_id,status,duration_s,touchpoints,channels,channel_switches,contacts,unresolved,cost,touchpoint_satisfaction,all_satisfied
    asking/a1,bob,completed,3600.0,2,2,1,1,0,,0.75,false
    asking/a3,cyd,open,0.0,1,1,0,1,0,,,
    worked/t01,ann,expired,345600.0,3,2,1,1,2,,0.75,true
    worked/t12,ann,completed,86400.0,2,1,0,0,0,,1.0,true
    worked/t20,ann,expired,0.0,1,1,0,0,0,,,
    worked/t38,ann,open,0.0,1,1,0,0,0,,,
    "#);
}

#[test]
fn a_sorted_source_is_not_sorted_again_and_gives_the_same() {
    let workspace = measured();
    let plan = workspace.run("plan").ends_with(0).stdout;
    assert!(plan.contains("sorted by customer") && !plan.contains("not sorted"), "{plan}");
    workspace.run(RUN).ends_with(0);
    let rows = workspace.query(ROWS).to_string();

    workspace.edit(
        PIPELINE,
        "  member:\n",
        "  in_order:\n    sql: sql/in_order.sql\n    materialized: table\n    grain: [contact_id]\n  member:\n",
    );
    workspace.put("sql/in_order.sql", "SELECT * FROM contacts ORDER BY customer, at, contact_id\n");
    workspace.run(RUN).ends_with(0);
    workspace.run("show in_order --limit all --format parquet --output data/contacts/a.parquet").ends_with(0);
    workspace.edit(PIPELINE, "    key: [contact_id]\n", "    sorted_by: [customer, at, contact_id]\n");
    let plan = workspace.run("plan").ends_with(0).stdout.replace('\n', " ");
    let words: Vec<&str> = plan.split_whitespace().collect();
    assert!(words.join(" ").contains("not sorted"), "{plan}");
    workspace.run(RUN).ends_with(0);
    assert_eq!(workspace.query(ROWS).to_string(), rows);
}

#[test]
fn an_order_that_the_rows_do_not_have_is_reported_and_nothing_is_published() {
    let workspace = measured();
    let backwards = "SELECT * FROM contacts ORDER BY customer DESC, at, contact_id\n";
    workspace.edit(
        PIPELINE,
        "  member:\n",
        "  backwards:\n    sql: sql/backwards.sql\n    materialized: table\n    grain: [contact_id]\n  member:\n",
    );
    workspace.put("sql/backwards.sql", backwards);
    workspace.run(RUN).ends_with(0);
    workspace.run("show backwards --limit all --format parquet --output data/contacts/a.parquet").ends_with(0);
    workspace.edit(PIPELINE, "    key: [contact_id]\n", "    sorted_by: [customer, at, contact_id]\n");
    let refused = workspace.run("run --as-of 2024-02-10 --threads 1 --select measured").ends_with(1);
    assert!(
        refused.stderr.contains("are not in the order of customer_id although their source declares so"),
        "{refused}"
    );
}

#[test]
fn what_measures_are_made_of_has_to_be_there() {
    let workspace = measured();
    workspace.edit("sql/touchpoints.sql", ",\n    CAST(NULL AS DOUBLE) AS cost\n", "\n");
    assert_snapshot!(workspace.run("check").ends_with(2), @r#"
    exit 2
    --- stderr
    error[matcher-input]: the touchpoints have no column `cost`, of which measures are made
      --> pipelines/tiny.yaml:21:12
       |
    21 |     match: touchpoints
       |            ^^^^^^^^^^^
       |
       = help: instances are measured by channel, function and topic (text), resolved (boolean), satisfaction and cost (numbers), states by channel, topic and resolved; a source that has none of them says so, as in `CAST(NULL AS DOUBLE) AS cost`
    "#);
    workspace.edit(PIPELINE, "    rows: instances\n", "    rows: instance\n");
    assert_snapshot!(workspace.run("check").ends_with(2), @r#"
    exit 2
    --- stderr
    error[bad-value]: `rows` cannot be `instance`
      --> pipelines/tiny.yaml:22:11
       |
    22 |     rows: instance
       |           ^^^^^^^^ did you mean `instances`?
       |
       = help: one of: members, instances, states
    "#);
}
