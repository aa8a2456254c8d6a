//! Pipelines that use a library: its inputs held against their columns, models replaced and left out.

use throughline_config::BuiltInLibrary;
use throughline_plan::{Plan, ejected};

use super::{plan_in, write};

const SHOP: BuiltInLibrary = BuiltInLibrary {
    name: "shop",
    files: &[
        (
            "library.yaml",
            "\
name: shop
inputs:
  purchases:
    required: true
    columns:
      purchase_id: { type: string, required: true }
      amount: { type: float64, required: true, description: What was paid }
      bought_at: { type: timestamp, required: true }
      known_at: { type: timestamp, default: bought_at }
      channel: { type: string, without: channels are not shown }
models:
  fct_purchase:
    sql: fct_purchase.sql
    materialized: table
    grain: [purchase_id]
    tests: [ not_null: [amount] ]
  mart_sales: { sql: mart_sales.sql, materialized: table }
  mart_channels: { sql: mart_channels.sql, materialized: table }
triggers:
  large: { table: mart_sales, condition: amount > 10, route: sales, key: [amount] }
",
        ),
        ("fct_purchase.sql", "SELECT purchase_id, amount, known_at, channel FROM purchases\n"),
        ("mart_sales.sql", "SELECT sum(amount) AS amount, min(known_at) AS since FROM fct_purchase\n"),
        ("mart_channels.sql", "SELECT fact.channel, count(*) AS n FROM fct_purchase AS fact GROUP BY fact.channel\n"),
    ],
};
const LIBRARIES: &[BuiltInLibrary] = &[SHOP];

const PURCHASES: &str = "\
SELECT
    order_id AS purchase_id,
    CAST(amount AS BIGINT) AS amount,
    ordered_at AS bought_at,
    customer_id
FROM orders
";

/// Plans a pipeline that uses the shop, over the source `orders`.
fn planned(models: &str, sql: &[(&str, &str)]) -> Result<Plan, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in sql {
        write(folder.path(), &format!("sql/{name}.sql"), text);
    }
    write(
        folder.path(),
        "sql/purchases.sql",
        sql.iter().find(|(name, _)| *name == "purchases").map_or(PURCHASES, |(_, text)| text),
    );
    let yaml = format!("models:\n  purchases: {{ sql: sql/purchases.sql }}\n{models}");
    plan_in(folder.path(), &format!("uses: shop\n{yaml}"), LIBRARIES)
}

fn refused(models: &str, sql: &[(&str, &str)]) -> String {
    planned(models, sql).expect_err("must be refused")
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn what_an_input_holds_nothing_of_is_not_shown() {
    let not_shown = |models: &str, sql: &[(&str, &str)]| {
        planned(models, sql).unwrap_or_else(|refusal| panic!("{refusal}")).not_shown()
    };
    let told = ["no channel of purchases: channels are not shown"];
    assert_eq!(not_shown("", &[]), told, "a column that is left out");
    let with = |channel: &str| PURCHASES.replace("    customer_id\n", &format!("    {channel} AS channel\n"));
    assert_eq!(not_shown("", &[("purchases", &with("CAST(NULL AS VARCHAR)"))]), told, "a column without a value");
    assert!(not_shown("", &[("purchases", &with("customer_id"))]).is_empty());
    let parts =
        |channel: &str| format!("WITH all_of_them AS ({PURCHASES})\nSELECT *, {channel} AS channel FROM all_of_them");
    let of = |first: &str, second: &str| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "sql/first.sql", &parts(first));
        write(folder.path(), "sql/second.sql", &parts(second));
        let models = "models:\n  purchases: { union: [sql/first.sql, sql/second.sql] }\n";
        let plan = plan_in(folder.path(), &format!("uses: shop\n{models}"), LIBRARIES);
        plan.unwrap_or_else(|refusal| panic!("{refusal}")).not_shown()
    };
    assert_eq!(of("CAST(NULL AS VARCHAR)", "CAST(NULL AS VARCHAR)"), told);
    assert!(of("CAST(NULL AS VARCHAR)", "customer_id").is_empty(), "one part has it");
}

#[test]
fn optional_columns_are_added_and_narrower_types_are_cast() {
    let plan = planned("", &[]).unwrap_or_else(|refusal| panic!("{refusal}"));
    let columns = |step: &str| {
        let schema = &plan.step(step).expect("a step").schema;
        schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect::<Vec<_>>()
    };
    let time = r#"Timestamp(µs, "UTC")"#;
    let expected = [
        "purchase_id Utf8".to_owned(),
        "amount Float64".to_owned(),
        format!("bought_at {time}"),
        "customer_id Utf8".to_owned(),
        format!("known_at {time}"),
        "channel Utf8".to_owned(),
    ];
    assert_eq!(columns("purchases"), expected, "what nobody asks for passes through");
    assert_eq!(columns("fct_purchase")[1], "amount Float64");
    assert!(plan.warnings.is_empty(), "{}", plan.warnings);
}

#[test]
fn an_input_without_a_column_is_refused_in_the_staging_sql() {
    let refusal = refused(
        "",
        &[("purchases", "-- Bought\nSELECT order_id AS purchase_id, ordered_at AS bought_at\nFROM orders\n")],
    );
    has(
        &refusal,
        &[
            "error[input-column]: `purchases` has no column `amount`, which the library shop asks for",
            "--> sql/purchases.sql:2:1",
            "`… AS amount`, a number (double), is missing",
            "= help: amount: What was paid",
            "= help: where nobody knows it: `CAST(NULL AS DOUBLE) AS amount`",
        ],
    );
    assert!(!refusal.contains("fct_purchase"), "what reads it is passed over:\n{refusal}");
}

#[test]
fn a_mistyped_column_is_refused_where_it_is_made() {
    let text = "SELECT order_id AS purchase_id, customer_id AS amount,\n    CAST(ordered_at AS DATE) AS bought_at\nFROM orders\n";
    let refusal = refused("", &[("purchases", text)]);
    has(
        &refusal,
        &[
            "error[input-type]: column `amount` of `purchases` is Utf8; the library shop asks for a number (double)",
            "--> sql/purchases.sql:1:48",
            "= help: amount: What was paid",
            "write e.g. `CAST(… AS DOUBLE) AS amount`",
            "column `bought_at` of `purchases` is Date32; the library shop asks for a timestamp",
            "--> sql/purchases.sql:2:33",
            r#"arrow_cast(…, 'Timestamp(Microsecond, Some("UTC"))') AS bought_at"#,
        ],
    );
}

#[test]
fn each_part_of_a_union_is_held_against_the_input_by_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "sql/a.sql", PURCHASES);
    write(
        folder.path(),
        "sql/b.sql",
        "SELECT 'b' AS purchase_id, 2.5 AS amount, ordered_at AS bought_at, 'web' AS channel FROM orders\n",
    );
    let yaml = "uses: shop\nmodels:\n  purchases: { union: [sql/a.sql, sql/b.sql] }\n";
    let plan = plan_in(folder.path(), yaml, LIBRARIES).unwrap_or_else(|refusal| panic!("{refusal}"));
    let schema = &plan.step("purchases").expect("a step").schema;
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["purchase_id", "amount", "bought_at", "customer_id", "known_at", "channel"]);
    write(
        folder.path(),
        "sql/b.sql",
        "SELECT 'b' AS purchase_id, ordered_at AS bought_at, 1 AS customer_id FROM orders\n",
    );
    let refusal = plan_in(folder.path(), yaml, LIBRARIES).expect_err("a part lacks a column");
    has(&refusal, &["no column `amount`", "--> sql/b.sql:1:1"]);
    write(
        folder.path(),
        "sql/b.sql",
        "SELECT 'b' AS purchase_id, 1 AS amount, ordered_at AS bought_at,\n  1 AS customer_id FROM orders\n",
    );
    let refusal = plan_in(folder.path(), yaml, LIBRARIES).expect_err("two types");
    has(
        &refusal,
        &["error[union-type]: column `customer_id` is Int64 here and Utf8 in sql/a.sql", "--> sql/b.sql:2:8"],
    );
}

#[test]
fn a_source_that_is_an_input_has_all_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let yaml = "uses: shop\nsources: { purchases: { path: p, format: parquet, time_column: ordered_at } }\n";
    let refusal = plan_in(folder.path(), yaml, LIBRARIES).expect_err("it has other columns");
    has(&refusal, &["`purchases` has no column `purchase_id`", "--> pipelines/small.yaml", "or make a model of it"]);
}

#[test]
fn a_replaced_model_that_lacks_columns_names_its_readers() {
    let models = "  fct_purchase: { sql: sql/own.sql }\n";
    let own = ("own", "-- Ours\nSELECT purchase_id, amount FROM purchases\n");
    let refusal = refused(models, &[own]);
    has(
        &refusal,
        &[
            "error[replaced-model]: `fct_purchase` lacks columns that are read of it: `channel` (`mart_channels`), `known_at` (`mart_sales`)",
            "--> sql/own.sql:2:1",
            "`throughline library show fct_purchase` prints the library's SQL",
        ],
    );
    assert!(!refusal.contains("library:mart"), "the readers are not to blame:\n{refusal}");
    let refusal = refused(models, &[("own", "-- Ours\nSELECT channel FROM purchases\n")]);
    has(
        &refusal,
        &[
            "`fct_purchase` lacks columns that are read of it: `purchase_id` (its grain and tests in the library)",
            "--> sql/own.sql:2:1",
        ],
    );
    assert_eq!(refusal.matches("error[").count(), 1, "one mistake, one error:\n{refusal}");
    let refusal = refused("  mart_sales: { sql: sql/own.sql }\n", &[("own", "SELECT 1 AS total FROM purchases\n")]);
    has(
        &refusal,
        &["`mart_sales` lacks columns that are read of it: `amount` (the trigger `large`)", "--> sql/own.sql:1:1"],
    );
    let own = ("own", "SELECT purchase_id, amount, known_at, channel, 1 AS more FROM purchases\n");
    let plan = planned(models, &[own]).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert!(plan.warnings.is_empty(), "{}", plan.warnings);
}

#[test]
fn a_circle_by_way_of_a_replacement_is_shown_in_the_replacement() {
    let refusal = refused("  fct_purchase: { sql: sql/own.sql }\n", &[("own", "SELECT 1 AS one\nFROM mart_sales\n")]);
    has(
        &refusal,
        &[
            "error[cycle]: models read each other in a circle: fct_purchase → mart_sales → fct_purchase",
            "--> sql/own.sql:2:6",
            "`fct_purchase` is the pipeline's own here, in the place of the library's",
        ],
    );
}

#[test]
fn what_needs_a_model_that_is_turned_off_is_named() {
    let refusal = refused("  fct_purchase: off\n", &[]);
    has(
        &refusal,
        &[
            "error[turned-off]: `fct_purchase` is turned off, but `mart_sales`, `mart_channels` read it",
            "--> pipelines/small.yaml",
            "turn these off too",
        ],
    );
    let plan = planned("  mart_sales: off\n", &[]).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert!(plan.step("mart_sales").is_none() && plan.step("mart_channels").is_some());
}

#[test]
fn a_mistake_in_a_library_is_shown_in_its_file() {
    const BROKEN: &[BuiltInLibrary] = &[BuiltInLibrary {
        name: "shop",
        files: &[
            ("library.yaml", "name: shop\nmodels: { fct_order: { sql: facts/fct_order.sql } }\n"),
            ("facts/fct_order.sql", "SELECT order_id, amout\nFROM orders\n"),
        ],
    }];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let refusal = plan_in(folder.path(), "uses: shop\n", BROKEN).expect_err("no such column");
    has(&refusal, &["no column `amout`", "--> library:facts/fct_order.sql:1:18", "did you mean `amount`?"]);
}

#[test]
fn a_copy_tells_when_its_original_has_changed() {
    let plan = planned("", &[]).unwrap_or_else(|refusal| panic!("{refusal}"));
    let library = &plan.pipeline.libraries[0];
    let throughline_config::ModelKind::Sql(original) = &library.models["mart_sales"].kind else { panic!("SQL") };
    let copy = ejected(library, original, "throughline 1.0.0");
    let first = copy.lines().next().expect("a note");
    assert!(
        first.starts_with("-- Ejected from the library shop of throughline 1.0.0: library:mart_sales.sql, "),
        "{first}"
    );
    let models = "  mart_sales: { sql: sql/own.sql }\n";
    let plan = planned(models, &[("own", &copy)]).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert!(plan.warnings.is_empty(), "{}", plan.warnings);
    let digest = first.trim_end_matches('.').rsplit(' ').next().expect("a digest");
    let older = copy.replace(digest, "0123456789abcdef");
    let plan = planned(models, &[("own", &older)]).unwrap_or_else(|refusal| panic!("{refusal}"));
    let warning = plan.warnings.to_string();
    has(&warning, &["the library's `mart_sales` has changed since it was copied", "--> sql/own.sql:1:", digest]);
}

#[test]
fn only_variables_that_a_model_mentions_make_it_another_one() {
    let fingerprint = |variables: &str, model: &str| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "sql/purchases.sql", PURCHASES);
        write(folder.path(), "sql/own.sql", "SELECT count(*) AS n FROM fct_purchase WHERE amount > $floor\n");
        let models =
            "models: { purchases: { sql: sql/purchases.sql }, own: { sql: sql/own.sql, materialized: table } }\n";
        let yaml = format!("uses: shop\nvariables: {variables}\n{models}");
        let plan = plan_in(folder.path(), &yaml, LIBRARIES).unwrap_or_else(|refusal| panic!("{refusal}"));
        plan.step(model).expect("a step").fingerprint.clone()
    };
    let (before, other) = ("{ floor: 1, floor_of_all: 2 }", "{ floor_of_all: 3, floor: 1 }");
    assert_eq!(fingerprint(before, "own"), fingerprint(other, "own"));
    assert_ne!(fingerprint(before, "own"), fingerprint("{ floor: 2, floor_of_all: 2 }", "own"));
    assert_eq!(fingerprint(before, "fct_purchase"), fingerprint("{ floor: 2 }", "fct_purchase"));
}
