//! Plans small workspaces: the graph read off the SQL, selection, and findings that point into the files.

#[path = "planning/eligible.rs"]
mod eligible;
#[path = "planning/strangers.rs"]
mod strangers;
#[path = "planning/libraries.rs"]
mod libraries;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use indexmap::IndexMap;
use throughline_config::{BuiltInLibrary, Diagnostics, JourneyDefinition, LoadOptions, MatchRows, load_pipeline};
use throughline_plan::{JOURNEY_DEFINITIONS, JourneyMatching, Parameters, Plan, Selection, StepKind, plan};

/// Passes touchpoints through: what the matcher adds is no matter here.
struct NoMatching;

impl JourneyMatching for NoMatching {
    fn matching(
        &self,
        input: LogicalPlan,
        _rows: MatchRows,
        _definitions: &IndexMap<String, JourneyDefinition>,
        _parameters: &Parameters,
        _state: &SessionState,
    ) -> Result<LogicalPlan, Diagnostics> {
        Ok(input)
    }
}

const HEAD: &str = "\
name: small
start: 2026-01-01
warehouse: wh
variables: { horizon: 90 days, floor: 10 }
sources:
  orders:
    path: orders/
    format: parquet
    time_column: ordered_at
    key: [order_id]
    contract: [ range: { amount: { min: 0 } } ]
models:
";

/// Writes a workspace of `models` (YAML) and SQL files, and plans it over one source `orders`.
fn plan_workspace(models: &str, sql: &[(&str, &str)]) -> Result<Plan, String> {
    plan_pipeline(&format!("{HEAD}{models}"), sql)
}

/// The same of a whole pipeline file.
fn plan_pipeline(pipeline: &str, sql: &[(&str, &str)]) -> Result<Plan, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in sql {
        write(folder.path(), &format!("sql/{name}.sql"), text);
    }
    plan_text(folder.path(), pipeline, &[])
}

/// Plans a pipeline over the source `orders`; `yaml` is all of it but its head.
fn plan_in(folder: &Path, yaml: &str, libraries: &'static [BuiltInLibrary]) -> Result<Plan, String> {
    let head = "name: small\nstart: 2026-01-01\nwarehouse: wh\n";
    let sources = "sources: { orders: { path: orders/, format: parquet, time_column: ordered_at } }\n";
    let sources = if yaml.contains("sources:") { "" } else { sources };
    plan_text(folder, &format!("{head}{yaml}{sources}"), libraries)
}

fn plan_text(folder: &Path, yaml: &str, libraries: &'static [BuiltInLibrary]) -> Result<Plan, String> {
    write(folder, "pipelines/small.yaml", yaml);
    let options =
        LoadOptions { project: folder.to_owned(), environment: HashMap::new(), libraries, ..LoadOptions::default() };
    let (pipeline, _) = load_pipeline(&options).map_err(|found| found.to_string())?;
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.collect_spans = true;
    let session = SessionContext::new_with_config(config);
    for source in pipeline.sources.keys() {
        session.register_table(source.as_str(), Arc::new(EmptyTable::new(orders()))).expect("a free name");
    }
    let none = Arc::new(EmptyTable::new(Arc::new(Schema::empty())));
    session.register_table(JOURNEY_DEFINITIONS, none).expect("a free name");
    let parameters = Parameters::new(&pipeline, 1_790_000_000_000_000);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime
        .block_on(plan(Arc::new(pipeline), parameters, &session, Arc::new(NoMatching)))
        .map_err(|found| found.to_string())
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
    std::fs::write(path, text).expect("writable");
}

fn orders() -> Arc<Schema> {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("order_id", DataType::Utf8, true),
        Field::new("customer_id", DataType::Utf8, true),
        Field::new("amount", DataType::Float64, true),
        Field::new("ordered_at", time, true),
    ]))
}

/// Three models: a view over the source, a table over the view, and one over both that names a CTE like a model.
fn three_models() -> Plan {
    plan_workspace(
        "
  summary: { sql: sql/summary.sql, materialized: table, grain: [customer_id], tags: [nightly] }
  paid: { sql: sql/paid.sql }
  loyal: { sql: sql/loyal.sql, materialized: table }
",
        &[
            ("paid", "SELECT * FROM orders WHERE amount > 0 AND ordered_at >= $as_of - $horizon"),
            ("summary", "SELECT customer_id, count(*) AS orders FROM \"paid\" GROUP BY customer_id"),
            (
                "loyal",
                "WITH summary AS (SELECT * FROM summary), orders AS (SELECT 1 AS x)
                 SELECT customer_id FROM summary WHERE summary.orders > (SELECT min(x) FROM orders)
                 AND customer_id NOT IN (SELECT customer_id FROM paid WHERE amount > $floor)",
            ),
        ],
    )
    .expect("a good workspace")
}

#[test]
fn the_graph_comes_from_the_sql() {
    let plan = three_models();
    let inputs: BTreeMap<&str, Vec<&str>> =
        plan.steps.iter().map(|step| (step.name.as_str(), step.inputs.iter().map(String::as_str).collect())).collect();
    assert_eq!(inputs["summary"], ["paid"], "a quoted name is a name");
    assert_eq!(inputs["loyal"], ["paid", "summary"], "a CTE hides the relation of its name, but not from itself");
    let order: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(order, ["orders", "paid", "summary", "loyal"]);
    let kinds: Vec<StepKind> = plan.steps.iter().map(|step| step.kind).collect();
    assert_eq!(kinds, [StepKind::Source, StepKind::View, StepKind::Table, StepKind::Table]);
    assert_eq!(plan.warnings.0, [], "everything is read by something");
}

#[test]
fn what_a_test_looks_up_is_there_before_the_tested_model() {
    let models = "
  sums:
    sql: sql/sums.sql
    grain: [customer_id]
    tests: [ sql: sql/lost_orders.sql ]
  kept:
    sql: sql/kept.sql
    grain: [order_id]
";
    let sql = [
        ("sums", "SELECT customer_id, sum(amount) AS amount FROM orders GROUP BY customer_id"),
        ("kept", "SELECT order_id, customer_id, amount FROM orders"),
        (
            "lost_orders",
            "SELECT kept.* FROM kept LEFT ANTI JOIN sums ON kept.customer_id = sums.customer_id
             WHERE kept.amount > (SELECT max(value) FROM generate_series(1, 2))",
        ),
    ];
    let plan = plan_workspace(models, &sql).expect("a plan");
    let order: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(order, ["orders", "kept", "sums"]);
}

#[test]
fn selectors_follow_the_graph() {
    let plan = three_models();
    let selected = |select: &[&str], exclude: &[&str]| {
        let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Selection { select: strings(select), exclude: strings(exclude) }
            .models(&plan.pipeline, &plan.graph)
            .map(|models| models.into_iter().collect::<Vec<_>>().join(" "))
            .map_err(|found| found.to_string())
    };
    assert_eq!(selected(&[], &[]), Ok("loyal paid summary".to_owned()));
    assert_eq!(selected(&["summary"], &[]), Ok("summary".to_owned()));
    assert_eq!(selected(&["+summary"], &[]), Ok("paid summary".to_owned()));
    assert_eq!(selected(&["orders+"], &["paid"]), Ok("loyal summary".to_owned()));
    assert_eq!(selected(&["tag:nightly"], &[]), Ok("summary".to_owned()));
    assert_eq!(selected(&["path:sql"], &["loyal"]), Ok("paid summary".to_owned()));
    let refused = selected(&["sumary"], &[]).expect_err("a misspelt selector selects nothing");
    assert!(refused.contains("`sumary` fits no model") && refused.contains("did you mean `summary`?"), "{refused}");
}

#[test]
fn a_fingerprint_follows_what_a_model_reads() {
    let with = |paid: &str| {
        let plan = plan_workspace(
            "
  paid: { sql: sql/paid.sql }
  total: { sql: sql/total.sql, materialized: table }
  other: { sql: sql/other.sql, materialized: table }
",
            &[
                ("paid", paid),
                ("total", "SELECT sum(amount) AS total FROM paid"),
                ("other", "SELECT customer_id FROM orders WHERE ordered_at > $as_of - $horizon AND amount > $floor"),
            ],
        )
        .expect("a good workspace");
        let of = |name: &str| plan.step(name).expect("a step").fingerprint.clone();
        (of("total"), of("other"))
    };
    let plain = with("SELECT * FROM orders WHERE amount > 0");
    assert_eq!(plain, with("-- A comment and\nSELECT *   FROM orders\nWHERE amount > 0"), "only the statement counts");
    let changed = with("SELECT * FROM orders WHERE amount > 1");
    assert_ne!(plain.0, changed.0);
    assert_eq!(plain.1, changed.1);
}

/// Whatever decides which rows a source has decides what is made from it; where it is written and who keeps it do not.
#[test]
fn a_fingerprint_follows_how_a_source_is_read() {
    const COLUMNS: &str = "
    columns:
      order_id: string
      customer_id: string
      amount: float64
      ordered_at: { type: timestamp, format: '%d/%m/%Y' }";
    let with = |before: &str, after: &str| {
        let head = HEAD.replace("format: parquet", &format!("format: csv{COLUMNS}"));
        assert!(head.contains(before), "`{before}` stands in the pipeline");
        let pipeline = format!("{}  total: {{ sql: sql/total.sql }}\n", head.replace(before, after));
        let plan = plan_pipeline(&pipeline, &[("total", "SELECT sum(amount) AS total FROM orders")]);
        plan.expect("a good workspace").step("total").expect("a step").fingerprint.clone()
    };
    let plain = with("", "");
    for (before, after) in [
        ("%d/%m/%Y", "%m/%d/%Y"),
        ("amount: float64", "amount: int64"),
        ("    time_column: ordered_at\n", ""),
        ("key: [order_id]", "key: [order_id, customer_id]"),
        ("min: 0", "min: 1"),
        ("path: orders/", "path: corrected/"),
    ] {
        assert_ne!(with(before, after), plain, "`{after}` for `{before}`");
    }
    assert_eq!(with("    path: orders/\n", "    description: Orders\n    owner: sales\n\n    path: orders/\n"), plain);
}

fn refusal(models: &str, sql: &[(&str, &str)]) -> String {
    plan_workspace(models, sql).expect_err("a bad workspace")
}

#[test]
fn an_unknown_column_is_shown_in_its_sql_file() {
    let found = refusal("  m: { sql: sql/m.sql }\n", &[("m", "SELECT\n    custmer_id\nFROM orders")]);
    insta::assert_snapshot!(found);
}

#[test]
fn an_unknown_relation_is_shown_where_it_is_read() {
    let found = refusal("  m: { sql: sql/m.sql }\n", &[("m", "SELECT 1 AS one\nFROM ordrs AS o")]);
    insta::assert_snapshot!(found);
}

#[test]
fn a_circle_is_named_in_full() {
    let found = refusal(
        "  a: { sql: sql/a.sql }\n  b: { sql: sql/b.sql }\n  c: { sql: sql/c.sql }\n",
        &[("a", "SELECT x FROM c"), ("b", "SELECT x FROM a"), ("c", "SELECT x FROM b")],
    );
    insta::assert_snapshot!(found);
}

#[test]
fn an_unknown_parameter_is_shown_with_those_there_are() {
    let found = refusal("  m: { sql: sql/m.sql }\n", &[("m", "SELECT amount > $flor AS big FROM orders")]);
    insta::assert_snapshot!(found);
}

#[test]
fn types_that_do_not_fit_are_refused() {
    let found = refusal("  m: { sql: sql/m.sql }\n", &[("m", "SELECT ordered_at + amount AS sum FROM orders")]);
    insta::assert_snapshot!(found);
}

#[test]
fn only_one_query_makes_a_model() {
    for (text, what) in [
        ("SELECT 1 AS a; SELECT 2 AS b", "several statements"),
        ("-- nothing", "no statement"),
        ("DROP TABLE orders", "not a query"),
        ("INSERT INTO orders SELECT * FROM orders", "not a query"),
        ("COPY orders TO 'file.csv'", "not a query"),
    ] {
        let found = refusal("  m: { sql: sql/m.sql }\n", &[("m", text)]);
        assert!(found.contains(what) && found.contains("sql/m.sql:"), "{text}: {found}");
    }
}

#[test]
fn text_that_is_no_sql_is_shown_where_it_breaks() {
    let found = refusal("  m: { sql: sql/m.sql }\n", &[("m", "SELECT a,\n  FROM (orders")]);
    insta::assert_snapshot!(found);
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let text = format!("SELECT {}1{} AS one", "(".repeat(5_000), ")".repeat(5_000));
    let found = refusal("  m: { sql: sql/m.sql }\n", &[("m", &text)]);
    assert!(found.to_lowercase().contains("recursion"), "{}", &found[..found.len().min(400)]);
}

#[test]
fn a_statement_no_hand_wrote_is_refused() {
    let text = format!("SELECT amount IN (1{}) AS listed FROM orders", ", 1".repeat(20_000));
    let found = refusal("  m: { sql: sql/m.sql }\n", &[("m", &text)]);
    assert!(found.contains("error[too-long]") && found.contains("20000 at most"), "{}", &found[..found.len().min(400)]);
}

#[test]
fn grain_tests_and_contracts_name_columns_that_exist() {
    let found = refusal(
        "
  m:
    sql: sql/m.sql
    materialized: table
    grain: [custmer_id]
  n:
    sql: sql/m.sql
    materialized: table
    tests:
      - not_null: [amout]
      - expression: amount
      - relationships: { customer_id: orders.customr_id }
",
        &[("m", "SELECT customer_id, amount FROM orders")],
    );
    insta::assert_snapshot!(found);
}

#[test]
fn what_a_relationship_refers_to_has_to_be_there() {
    let found = refusal(
        "  m: { sql: sql/m.sql, materialized: table, tests: [relationships: { customer_id: ordrs.customer_id }] }\n",
        &[("m", "SELECT customer_id FROM orders")],
    );
    assert!(found.contains("unknown-relation") && found.contains("did you mean `orders`?"), "{found}");
}

#[test]
fn a_stored_column_needs_a_name_and_a_type() {
    let found = refusal(
        "  m: { sql: sql/m.sql, materialized: table }\n",
        &[("m", "SELECT amount + 1, NULL AS nothing FROM orders")],
    );
    insta::assert_snapshot!(found);
}
