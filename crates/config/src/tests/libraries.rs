//! Pipelines that use libraries: what they bring, what a pipeline changes of them, and what is refused.

use std::fs;

use insta::assert_snapshot;
use tempfile::TempDir;

use super::{workspace, write};
use crate::{
    BuiltInLibrary, Diagnostics, LoadOptions, Materialization, ModelKind, Pipeline, Severity, TestKind, Variable,
    built_in_library, load_pipeline,
};

const SHOP: BuiltInLibrary = BuiltInLibrary {
    name: "shop",
    files: &[
        (
            "library.yaml",
            "\
name: shop
description: What a shop sells
inputs:
  orders:
    description: One row an order
    required: true
    grain: [order_id]
    tags: [staging]
    columns: { order_id: { type: string, required: true }, amount: { type: float64, required: true } }
    tests:
      - not_null: [order_id]
  refunds:
    without: what was given back is not shown
    columns: { order_id: string, amount: float64, at: timestamp }
variables: { floor: 10, window: 90 days }
models: facts.yaml
triggers:
  large_order: { table: fct_order, condition: amount > $floor, route: sales, key: [order_id] }
dictionary: words.yaml
",
        ),
        (
            "facts.yaml",
            "\
fct_order:
  sql: facts/fct_order.sql
  materialized: incremental
  reach: 7 days
  time_column: at
  grain: [order_id]
  tags: [facts]
  columns: { amount: Paid, net: Paid without refunds }
  tests:
    - range: { amount: { min: 0 } }
mart_sales:
  sql: facts/mart_sales.sql
  owner: sales
  description: What was sold
",
        ),
        ("facts/fct_order.sql", "SELECT order_id, amount FROM orders\n"),
        ("facts/mart_sales.sql", "SELECT count(*) AS orders FROM fct_order\n"),
        ("words.yaml", "order_id: Identifies the order\namount: Of the order\n"),
    ],
};
/// Defines a model that the shop has too.
const RIVAL: BuiltInLibrary = BuiltInLibrary {
    name: "rival",
    files: &[
        ("library.yaml", "name: rival\nmodels: { mart_sales: { sql: sales.sql } }\n"),
        ("sales.sql", "SELECT 1 AS orders\n"),
    ],
};
const LIBRARIES: &[BuiltInLibrary] = &[SHOP, RIVAL];

const HEAD: &str = "name: main\nowner: us\nstart: 2024-10-01\nwarehouse: w\nuses: shop\n";
const ORDERS: &str = "models:\n  orders: { sql: sql/touchpoints.sql }\n";

fn load(folder: &TempDir) -> Result<(Pipeline, Diagnostics), Diagnostics> {
    let options = LoadOptions { project: folder.path().to_owned(), libraries: LIBRARIES, ..LoadOptions::default() };
    load_pipeline(&options)
}

fn with(yaml: &str) -> TempDir {
    workspace(&[("pipelines/main.yaml", yaml.as_bytes())])
}

fn loaded(yaml: &str) -> Pipeline {
    load(&with(yaml)).unwrap_or_else(|findings| panic!("{findings}")).0
}

fn refused(yaml: &str) -> String {
    load(&with(yaml)).expect_err("must be refused").to_string()
}

fn names<V>(map: &indexmap::IndexMap<String, V>) -> Vec<&str> {
    map.keys().map(String::as_str).collect()
}

#[test]
fn a_library_brings_models_variables_triggers_and_comments() {
    let pipeline = loaded(&format!("{HEAD}variables: {{ floor: 20, own: 1 }}\n{ORDERS}"));
    assert_eq!(names(&pipeline.models), ["orders", "refunds", "fct_order", "mart_sales"]);
    let order = &pipeline.models["fct_order"];
    let ModelKind::Sql(file) = &order.kind else { panic!("{:?}", order.kind) };
    assert_eq!(file.path.to_str(), Some("library:facts/fct_order.sql"));
    assert_eq!((order.owner.as_deref(), pipeline.models["mart_sales"].owner.as_deref()), (Some("us"), Some("sales")));
    assert_eq!(pipeline.variables["floor"].value, Variable::Integer(20), "the pipeline's value");
    assert_eq!(names(&pipeline.variables), ["floor", "window", "own"]);
    assert_eq!(names(&pipeline.triggers), ["large_order"]);
    assert_eq!(pipeline.dictionary["order_id"], "Identifies the order");
    assert_eq!(pipeline.library_of("fct_order").map(|library| library.name.value.as_str()), Some("shop"));
    assert!(pipeline.library_of("orders").is_none());
}

#[test]
fn a_model_that_is_an_input_has_what_the_library_declares_of_it() {
    let own = "models:\n  orders: { sql: sql/touchpoints.sql, tests: [ row_count: { min: 1 } ] }\n";
    let pipeline = loaded(&format!("{HEAD}{own}"));
    let orders = &pipeline.models["orders"];
    assert_eq!(orders.grain[0].value, "order_id");
    assert_eq!((orders.tags.as_slice(), orders.tests.len()), (["staging".to_owned()].as_slice(), 2));
    assert!(pipeline.inputs["orders"].given);
}

#[test]
fn an_optional_input_that_is_not_given_is_empty_and_says_what_is_not_shown() {
    let pipeline = loaded(&format!("{HEAD}{ORDERS}"));
    let ModelKind::Sql(file) = &pipeline.models["refunds"].kind else { panic!("an SQL model") };
    assert_snapshot!(file.text, @r#"
    -- refunds is not given: an empty relation of the columns that the library shop asks for.
    SELECT
        CAST(NULL AS VARCHAR) AS "order_id",
        CAST(NULL AS DOUBLE) AS "amount",
        arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS "at"
    WHERE FALSE
    "#);
    let sentences: Vec<String> = pipeline.not_shown().collect();
    assert_eq!(sentences, ["no refunds: what was given back is not shown"]);
    let seed = "seeds: { refunds: { path: sql/touchpoints.sql, columns: { order_id: string } } }\n";
    assert_eq!(loaded(&format!("{HEAD}{seed}{ORDERS}")).not_shown().count(), 0, "a seed is an input, too");
}

#[test]
fn a_pipeline_changes_a_model_key_by_key() {
    let own = "  fct_order: { reach: 30 days, columns: { net: Ours }, tests: [ not_null: [amount] ] }\n";
    let pipeline = loaded(&format!("{HEAD}{ORDERS}{own}"));
    let order = &pipeline.models["fct_order"];
    let Materialization::Incremental(increment) = order.materialized else { panic!("{:?}", order.materialized) };
    assert_eq!(increment.reach.0, 30 * 86_400_000_000);
    assert_eq!((order.columns["amount"].as_str(), order.columns["net"].as_str()), ("Paid", "Ours"));
    let keys: Vec<&str> = order.tests.iter().map(|test| test.kind.key()).collect();
    assert_eq!(keys, ["range", "not_null"]);
    assert!(pipeline.library_of("fct_order").is_some(), "it is still the library's SQL");
    let view = loaded(&format!("{HEAD}{ORDERS}  fct_order: {{ materialized: view }}\n"));
    assert_eq!(view.models["fct_order"].materialized, Materialization::View, "a view has no reach to keep");
}

#[test]
fn a_model_of_own_sql_keeps_all_that_is_not_about_how_it_was_made() {
    let own = "  fct_order: { sql: sql/touchpoints.sql, tests: [ not_null: [order_id] ], severity: 1 }\n";
    assert!(refused(&format!("{HEAD}{ORDERS}{own}")).contains("no key `severity`"));
    let own = "  fct_order: { sql: sql/touchpoints.sql, tests: [ not_null: [order_id] ] }\n";
    let pipeline = loaded(&format!("{HEAD}{ORDERS}{own}"));
    let order = &pipeline.models["fct_order"];
    assert_eq!((order.grain.len(), order.tags.len(), order.tests.len()), (1, 1, 1), "tests are of the SQL");
    assert!(matches!(order.tests[0].kind, TestKind::Rows(_)));
    assert!(pipeline.replaced.contains_key("fct_order") && pipeline.library_of("fct_order").is_none());
    let ModelKind::Sql(file) = &pipeline.libraries[0].models["fct_order"].kind else { panic!("an SQL model") };
    assert!(file.text.contains("FROM orders"), "the library's own is still known");
    assert_eq!(names(&pipeline.models), ["orders", "refunds", "fct_order", "mart_sales"], "at its place");
}

#[test]
fn what_is_turned_off_takes_its_triggers_with_it() {
    let pipeline = loaded(&format!("{HEAD}{ORDERS}  fct_order: off\n  mart_sales: off\n"));
    assert_eq!(names(&pipeline.models), ["orders", "refunds"]);
    assert_eq!(pipeline.off["fct_order"].triggers, ["large_order"]);
    assert!(pipeline.triggers.is_empty());
    let pipeline = loaded(&format!("{HEAD}{ORDERS}triggers: {{ large_order: {{ route: finance }} }}\n"));
    assert!(format!("{:?}", pipeline.triggers["large_order"].route).contains("finance"), "changed key by key");
    let pipeline = loaded(&format!("{HEAD}{ORDERS}triggers: {{ large_order: off }}\n"));
    assert!(pipeline.triggers.is_empty() && pipeline.models.contains_key("fct_order"));
}

#[test]
fn a_library_may_be_a_folder_beside_the_workspace() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, text) in SHOP.files {
        write(folder.path(), &format!("company/{path}"), text.as_bytes());
    }
    let yaml = format!("{}{ORDERS}", HEAD.replace("uses: shop", "uses: ../company"));
    write(folder.path(), "ours/pipelines/main.yaml", yaml.as_bytes());
    write(folder.path(), "ours/sql/touchpoints.sql", b"SELECT 1 AS order_id\n");
    let options = LoadOptions { project: folder.path().join("ours"), ..LoadOptions::default() };
    let (pipeline, _) = load_pipeline(&options).unwrap_or_else(|findings| panic!("{findings}"));
    let ModelKind::Sql(file) = &pipeline.models["fct_order"].kind else { panic!("an SQL model") };
    assert_eq!(file.path.to_str(), Some("../company/facts/fct_order.sql"));
    // What is wrong in it is shown where it stands, and nothing outside of it is read.
    let facts = folder.path().join("company/facts.yaml");
    let text =
        fs::read_to_string(&facts).expect("readable").replace("facts/fct_order.sql", "../ours/sql/touchpoints.sql");
    fs::write(facts, text).expect("writable");
    let refusal = load_pipeline(&options).expect_err("it leaves the library").to_string();
    assert!(refusal.contains("--> ../company/facts.yaml:2:8"), "{refusal}");
    assert!(refusal.contains("lies outside"), "{refusal}");
}

#[test]
fn a_library_of_the_program_is_known_without_a_pipeline() {
    let library = built_in_library(&SHOP).unwrap_or_else(|findings| panic!("{findings}"));
    assert_eq!(names(&library.models), ["fct_order", "mart_sales"]);
    assert_eq!(
        (names(&library.inputs), names(&library.variables)),
        (vec!["orders", "refunds"], vec!["floor", "window"])
    );
}

#[test]
fn a_required_input_that_is_missing() {
    assert_snapshot!(refused(&format!("{HEAD}models: {{}}\n")), @"
    error[missing-input]: the library `shop` needs `orders`: One row an order
     --> pipelines/main.yaml:5:7
      |
    5 | uses: shop
      |       ^^^^ no model, source or seed is called `orders`
      |
      = help: it has to have the columns order_id (string), amount (float64)
      = help: declare it under `models:`, e.g. `orders: { sql: sql/staging/orders.sql }`
      = help: `throughline library show orders` says what each column means, and which are optional
    ");
}

#[test]
fn libraries_that_are_not_there() {
    assert_snapshot!(refused(&HEAD.replace("uses: shop", "uses: shopp")), @"
    error[unknown-library]: the program has no library `shopp`
     --> pipelines/main.yaml:5:7
      |
    5 | uses: shopp
      |       ^^^^^ did you mean `shop`?
      |
      = help: it has: shop, rival
      = help: a folder that holds a `library.yaml` is written with a slash: `./shopp`
    ");
    let refusal = refused(&HEAD.replace("uses: shop", "uses: ../nowhere"));
    assert!(refusal.contains("there is no folder `../nowhere`"), "{refusal}");
    let refusal = refused(&HEAD.replace("uses: shop", "uses: ./sql"));
    assert!(refusal.contains("cannot read `sql/library.yaml`"), "{refusal}");
    assert!(refusal.contains("--> pipelines/main.yaml:5:7"), "{refusal}");
}

#[test]
fn two_libraries_that_define_one_name() {
    assert_snapshot!(refused(&format!("{}{ORDERS}", HEAD.replace("uses: shop", "uses: [shop, rival]"))), @"
    error[name-clash]: two libraries define the relation `mart_sales`: `shop` and `rival`
     --> library:library.yaml:2:11
      |
    2 | models: { mart_sales: { sql: sales.sql } }
      |           ^^^^^^^^^^ first defined in library:facts.yaml:11
      |
      = help: use one of the two libraries, or rename it in one that is yours
    ");
}

#[test]
fn what_is_said_of_a_library_has_to_fit_it() {
    let refusal = refused(&format!("{HEAD}{ORDERS}  mart_sale: off\n"));
    assert!(refusal.contains("`mart_sale` is turned off, but no library has a model of that name"), "{refusal}");
    assert!(refusal.contains("did you mean `mart_sales`?"), "{refusal}");
    let refusal = refused(&format!("{HEAD}variables: {{ floor: much }}\n{ORDERS}"));
    assert!(refusal.contains("the variable `floor` is a whole number"), "{refusal}");
    let refusal =
        refused(&format!("{HEAD}sources: {{ fct_order: {{ path: p, format: parquet, time_column: t }} }}\n{ORDERS}"));
    assert!(refusal.contains("the model `fct_order` has the name of a source or seed"), "{refusal}");
}

#[test]
fn the_rows_of_several_files_are_one_model() {
    let folder = workspace(&[("sql/web.sql", b"SELECT 2 AS order_id\n")]);
    let own = "models:\n  orders: { union: [sql/touchpoints.sql, sql/web.sql] }\n";
    write(folder.path(), "pipelines/main.yaml", format!("{HEAD}{own}").as_bytes());
    let (pipeline, _) = load(&folder).unwrap_or_else(|findings| panic!("{findings}"));
    let ModelKind::Union(files) = &pipeline.models["orders"].kind else { panic!("a union") };
    assert_eq!(
        files.iter().map(|file| file.path.to_str()).collect::<Vec<_>>(),
        [Some("sql/touchpoints.sql"), Some("sql/web.sql")]
    );
    let refusal = refused(&format!("{HEAD}models:\n  orders: {{ union: [], sql: sql/touchpoints.sql }}\n"));
    assert!(refusal.contains("made in more than one way"), "{refusal}");
}

#[test]
fn sources_may_stand_in_files_of_their_own() {
    let folder = workspace(&[
        (
            "pipelines/sources/web.yaml",
            b"clicks: { path: \"${LAKE:-lake}/clicks\", format: parquet, time_column: at }\n",
        ),
        ("pipelines/sources/shop.yaml", b"bills: { path: bills, format: parquet, time_column: at, ownr: me }\n"),
        ("pipelines/main.yaml", format!("{HEAD}sources: sources/*.yaml\n{ORDERS}").as_bytes()),
    ]);
    let findings = load(&folder).expect_err("a key is misspelt");
    assert_eq!(findings.iter().filter(|finding| finding.severity == Severity::Error).count(), 1, "{findings}");
    assert!(findings.to_string().contains("--> pipelines/sources/shop.yaml:1:57"), "{findings}");
    write(folder.path(), "pipelines/sources/shop.yaml", b"bills: { path: bills, format: parquet, time_column: at }\n");
    let (pipeline, _) = load(&folder).unwrap_or_else(|findings| panic!("{findings}"));
    assert_eq!(names(&pipeline.sources), ["bills", "clicks"], "in the order of the files' names");
    assert_eq!(pipeline.sources["clicks"].path.value, "lake/clicks");
    write(folder.path(), "pipelines/sources/shop.yaml", b"clicks: { path: p, format: parquet, time_column: at }\n");
    assert!(load(&folder).expect_err("twice").to_string().contains("a second source or seed is named `clicks`"));
}

#[test]
fn channels_with_a_person_at_the_other_end_are_configuration() {
    assert_eq!(loaded(&format!("{HEAD}{ORDERS}")).assisted_channels, ["phone", "chat", "field", "store"]);
    let own = loaded(&format!("{HEAD}assisted_channels: [branch]\n{ORDERS}"));
    assert_eq!(own.assisted_channels, ["branch"]);
    assert!(
        refused(&format!("{HEAD}assisted_channels: []\n{ORDERS}")).contains("`assisted_channels` is an empty list")
    );
}
