use std::collections::BTreeSet;

use serde_json::{Value, json};
use throughline_semantics::Format;

use crate::file;
use crate::hostile_model::{NAME, TEXT, VALUE};
use crate::json_schema::problems;

fn schema() -> Value {
    serde_json::from_str(include_str!("../schemas/osi-schema.json")).expect("the schema is JSON")
}

fn written() -> Value {
    serde_yaml::from_str(&file(Format::Ossie, "shop.ossie.yaml")).expect("the file is YAML")
}

#[test]
fn it_keeps_the_published_schema() {
    let mut written = written();
    assert_eq!(problems(&written, &schema()), Vec::<String>::new());
    // The schema can refuse.
    written["semantic_model"][0]["datasets"][0]["fields"][0]["datatype"] = json!("Number");
    written["semantic_model"][0]["metrics"][0]["aggregation"] = json!("sum");
    written["version"] = json!("0.1");
    assert_eq!(problems(&written, &schema()).len(), 3);
}

#[test]
fn names_are_unique_and_joins_lead_to_keys() {
    let written = written();
    let model = &written["semantic_model"][0];
    let unique = |list: &Value| {
        let names: Vec<&str> = list.as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        assert!(!names.is_empty());
    };
    for list in ["datasets", "relationships", "metrics"] {
        unique(&model[list]);
    }
    let dataset = |name: &Value| {
        model["datasets"].as_array().expect("datasets").iter().find(|one| one["name"] == *name).expect("a dataset")
    };
    for join in model["relationships"].as_array().expect("relationships") {
        assert_eq!(dataset(&join["to"])["primary_key"], join["to_columns"]);
        let fields = dataset(&join["from"])["fields"].as_array().expect("fields");
        for column in join["from_columns"].as_array().expect("columns") {
            assert!(fields.iter().any(|field| field["name"] == *column), "{column}");
        }
    }
}

#[test]
fn names_and_texts_stay_data() {
    let written = written();
    let model = &written["semantic_model"][0];
    assert_eq!(model["description"], TEXT);
    let field = &model["datasets"][0]["fields"][1];
    assert_eq!((field["name"].as_str(), field["description"].as_str()), (Some(NAME), Some(TEXT)));
    assert_eq!(field["ai_context"]["synonyms"][0], TEXT);
    let quoted = format!("\"{}\"", NAME.replace('"', "\"\""));
    assert_eq!(field["expression"]["dialects"][0]["expression"], quoted.as_str());
    let chosen = model["metrics"][1]["expression"]["dialects"][0]["expression"].as_str().expect("an expression");
    let value = VALUE.replace('\'', "''");
    assert_eq!(chosen, format!("COUNT(CASE WHEN fct_sales.{quoted} = '{value}' THEN 1 END)"));
    assert_eq!(model["datasets"][0]["source"], "\"through \"\"line\"\"\".main.fct_sales");
}

#[test]
fn a_ratio_names_its_parts_and_what_must_not_be_added_says_so() {
    let written = written();
    let metrics = written["semantic_model"][0]["metrics"].as_array().expect("metrics").clone();
    let data = |name: &str| -> Value {
        let metric = metrics.iter().find(|metric| metric["name"] == name).expect("the metric");
        serde_json::from_str(metric["custom_extensions"][0]["data"].as_str().expect("a text")).expect("JSON")
    };
    let share = data("fct_sales__share");
    assert_eq!(share["numerator"], "fct_sales__chosen");
    assert_eq!(share["denominator"], "fct_sales__rows");
    assert_eq!(share["one_of"], json!([NAME]));
    for part in ["numerator", "denominator"] {
        assert!(metrics.iter().any(|metric| metric["name"] == share[part]), "{part}");
    }
    assert_eq!(data("fct_sales__peak")["additive"], false);
    let expression = |name: &str| {
        let metric = metrics.iter().find(|metric| metric["name"] == name).expect("the metric");
        metric["expression"]["dialects"][0]["expression"].as_str().expect("a text").to_owned()
    };
    // An average of rates is nowhere.
    assert!(metrics.iter().all(|metric| !metric["expression"].to_string().contains("AVG(")));
    assert_eq!(expression("fct_sales__peak"), "CASE WHEN COUNT(*) = 1 THEN MAX(fct_sales.\"Open\") END");
    assert_eq!(
        expression("fct_sales__open"),
        "CASE WHEN COUNT(DISTINCT fct_sales.item) <= 1 THEN SUM(fct_sales.\"open\") END"
    );
    assert!(expression("fct_sales__share_lower").contains("lower_limit(wilson("), "{metrics:?}");
    assert!(expression("fct_sales__share_lower").ends_with("COUNT(*), 0.9)) END"));
}
