//! The JSON Schema and the loader know the same keys, and the files of this repository keep the schema.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::{inputs, journeys, libraries, models, rules, semantics, sources, top, triggers, unit_tests};
use crate::schema::{FileKind, json_schema};

fn schema(of: FileKind) -> Value {
    serde_yaml::from_str(&json_schema(of)).expect("JSON is YAML")
}

fn keys_of(definition: &str) -> BTreeSet<String> {
    let schema = schema(FileKind::Pipeline);
    let properties = schema["$defs"][definition]["properties"].as_mapping().expect("properties").clone();
    properties.keys().map(|key| key.as_str().expect("a text").to_owned()).collect()
}

#[test]
fn the_schema_has_the_loaders_keys_and_no_others() {
    let severity = [rules::RULES.as_slice(), &["severity"]].concat();
    let known: [(&str, &[&str]); 22] = [
        ("pipeline", &top::KEYS),
        ("library", &libraries::KEYS),
        ("input", &inputs::KEYS),
        ("input_column", &inputs::COLUMN_KEYS),
        ("source", &sources::SOURCE_KEYS),
        ("seed", &sources::SEED_KEYS),
        ("column", &sources::COLUMN_KEYS),
        ("freshness", &sources::FRESHNESS_KEYS),
        ("rejected", &sources::REJECTED_KEYS),
        ("row_limits", &sources::ROWS_KEYS),
        ("bounds", &rules::BOUND_KEYS),
        ("contract_rule", &rules::ROW_RULES),
        ("test_rule", &severity),
        ("model", &models::KEYS),
        ("trigger", &triggers::KEYS),
        ("semantics", &semantics::KEYS),
        ("table_semantics", &semantics::TABLE_KEYS),
        ("measure", &semantics::MEASURE_KEYS),
        ("journey", &journeys::KEYS),
        ("unit_test", &unit_tests::KEYS),
        ("given", &unit_tests::GIVEN_KEYS),
        ("expect", &unit_tests::EXPECT_KEYS),
    ];
    for (definition, keys) in known {
        let keys: BTreeSet<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(keys_of(definition), keys, "{definition}");
    }
    let schema = schema(FileKind::Pipeline);
    let definitions = schema["$defs"].as_mapping().expect("definitions");
    for (name, definition) in definitions {
        let properties = definition.get("properties").and_then(Value::as_mapping);
        let name = name.as_str().expect("a text");
        assert_eq!(
            properties.is_some(),
            known.iter().any(|(known, _)| *known == name),
            "{name} is held against no keys"
        );
        for (key, property) in properties.into_iter().flatten() {
            let described = property.get("description").is_some() || property.get("$ref").is_some();
            assert!(described, "{name}.{key:?} has no description");
        }
    }
    let types = schema["$defs"]["column_type"]["anyOf"][0]["enum"].as_sequence().expect("types");
    let types: Vec<&str> = types.iter().filter_map(Value::as_str).collect();
    assert_eq!(types, sources::COLUMN_TYPES.map(|(name, _)| name));
}

#[test]
fn the_repositorys_files_keep_the_schema() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let new_workspace = "crates/cli/src/command/init/workspace/pipelines";
    let mut checked = 0;
    for (folder, kind) in [
        ("pipelines", FileKind::Pipeline),
        ("pipelines/sources", FileKind::Sources),
        ("pipelines/journeys", FileKind::Journeys),
        ("pipelines/retail/journeys", FileKind::Journeys),
        ("pipelines/tests", FileKind::UnitTests),
        ("pipelines/retail/tests", FileKind::UnitTests),
        (new_workspace, FileKind::Pipeline),
        (&format!("{new_workspace}/journeys"), FileKind::Journeys),
    ] {
        let schema = schema(kind);
        for file in yaml_files(&repository.join(folder)) {
            let text = std::fs::read_to_string(&file).expect("readable");
            let value: Value = serde_yaml::from_str(&text).expect("YAML");
            let mut problems = Vec::new();
            validate(&value, &schema, &schema, "", &mut problems);
            assert!(problems.is_empty(), "{}: {problems:#?}", file.display());
            checked += 1;
        }
    }
    assert!(checked > 15, "only {checked} files were found");
    let schema = schema(FileKind::Library);
    let text = std::fs::read_to_string(repository.join("sql/library.yaml")).expect("readable");
    let mut problems = Vec::new();
    validate(&serde_yaml::from_str(&text).expect("YAML"), &schema, &schema, "", &mut problems);
    assert!(problems.is_empty(), "the library: {problems:#?}");
    let text = std::fs::read_to_string(repository.join("sql/semantics.yaml")).expect("readable");
    validate(&serde_yaml::from_str(&text).expect("YAML"), &schema["$defs"]["semantics"], &schema, "", &mut problems);
    assert!(problems.is_empty(), "the library's semantics: {problems:#?}");
}

#[test]
fn what_the_loader_refuses_the_schema_refuses() {
    let schema = schema(FileKind::Pipeline);
    let head = "name: main\nstart: 2024-10-01\nwarehouse: w\nmodels: { m: { sql: m.sql } }\n";
    let problems = |text: &str| {
        let value: Value = serde_yaml::from_str(text).expect("YAML");
        let mut problems = Vec::new();
        validate(&value, &schema, &schema, "", &mut problems);
        problems
    };
    assert_eq!(problems(head), Vec::<String>::new());
    for wrong in [
        "ownr: me",
        "sources: { s: { path: p } }",
        "sources: { s: { path: p, format: xml } }",
        "sources: { s: { path: p, format: csv } }",
        "sources: { Bad-Name: { path: p, format: parquet } }",
        "sources: { s: { path: p, format: parquet, contract: [ unique: [a] ] } }",
        "sources: { s: { path: p, format: parquet, freshness: { column: c } } }",
        "unit_tests: { t: { model: m } }",
        "unit_tests: { t: { model: m, expect: [1] } }",
        "unit_tests: { t: { model: m, expect: [], journeys: { j: { starts: a, within: 3 months } } } }",
        "triggers: { t: { table: m, condition: a, route: r } }",
        "semantics: { table: {} }",
        "semantics: { tables: { m: { measures: { a: { sums: x } } } } }",
        "semantics: { tables: { m: { joins: { a: b } } } }",
        "sources: { s: { path: p, format: parquet, rejected: { warn: few } } }",
        "sources: { s: { path: p, format: parquet, rejected: {} } }",
        "sources: { s: { path: p, format: parquet, rows: {} } }",
    ] {
        assert!(!problems(&format!("{head}{wrong}\n")).is_empty(), "{wrong}");
    }
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let files = entries.map(|entry| entry.expect("an entry").path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

/// The part of JSON Schema 2020-12 that ours uses; a keyword that is not known here fails the test.
fn validate(value: &Value, schema: &Value, root: &Value, at: &str, problems: &mut Vec<String>) {
    let passes = |value: &Value, schema: &Value| {
        let mut found = Vec::new();
        validate(value, schema, root, at, &mut found);
        found.is_empty()
    };
    let keys = || value.as_mapping().into_iter().flatten().filter_map(|(key, _)| key.as_str());
    for (keyword, argument) in schema.as_mapping().expect("a schema is a mapping") {
        let keyword = keyword.as_str().expect("a text");
        let holds = match keyword {
            "$schema" | "title" | "description" | "$defs" | "then" => true,
            "$ref" => {
                let name = argument.as_str().and_then(|text| text.rsplit('/').next()).expect("a reference");
                validate(value, &root["$defs"][name], root, at, problems);
                true
            }
            "contains" => value.as_sequence().is_none_or(|items| items.iter().any(|item| passes(item, argument))),
            "anyOf" => listed(argument).iter().any(|one| passes(value, one)),
            "allOf" => listed(argument).iter().all(|one| passes(value, one)),
            "oneOf" => listed(argument).iter().filter(|one| passes(value, one)).count() == 1,
            "if" => !passes(value, argument) || passes(value, &schema["then"]),
            "items" => {
                for (place, item) in value.as_sequence().into_iter().flatten().enumerate() {
                    validate(item, argument, root, &format!("{at}[{place}]"), problems);
                }
                true
            }
            "propertyNames" => keys().all(|key| passes(&Value::from(key), argument)),
            "properties" => {
                for (key, property) in argument.as_mapping().expect("properties") {
                    if let Some(inner) = value.get(key) {
                        validate(inner, property, root, &format!("{at}.{}", key.as_str().expect("a text")), problems);
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = |key: &str| schema.get("properties").is_some_and(|known| known.get(key).is_some());
                for key in keys().filter(|key| !known(key)) {
                    match argument {
                        Value::Bool(allowed) if !allowed => problems.push(format!("{at}.{key} is not known")),
                        argument if argument.is_mapping() => {
                            validate(&value[key], argument, root, &format!("{at}.{key}"), problems);
                        }
                        _ => {}
                    }
                }
                true
            }
            keyword => keeps(value, keyword, argument),
        };
        if !holds {
            problems.push(format!("{at}: {keyword} {argument:?} does not hold for {value:?}"));
        }
    }
}

/// Whether a value keeps a keyword that contains no other schema.
fn keeps(value: &Value, keyword: &str, argument: &Value) -> bool {
    let keys = || value.as_mapping().map_or(0, |keys| keys.keys().filter(|key| key.is_string()).count() as u64);
    match keyword {
        "type" => match argument.as_sequence() {
            Some(types) => types.iter().any(|one| has_type(value, one)),
            None => has_type(value, argument),
        },
        "enum" => listed(argument).contains(value),
        "const" => argument == value,
        "pattern" => value.as_str().is_none_or(|text| fits(text, argument.as_str().expect("a pattern"))),
        "minimum" => value.as_f64().is_none_or(|number| number >= argument.as_f64().expect("a number")),
        "maximum" => value.as_f64().is_none_or(|number| number <= argument.as_f64().expect("a number")),
        "required" => !value.is_mapping() || listed(argument).iter().all(|key| value.get(key).is_some()),
        "minProperties" => !value.is_mapping() || keys() >= argument.as_u64().expect("a number"),
        "maxProperties" => !value.is_mapping() || keys() <= argument.as_u64().expect("a number"),
        "minItems" => value.as_sequence().is_none_or(|items| items.len() as u64 >= argument.as_u64().expect("one")),
        "uniqueItems" => value
            .as_sequence()
            .is_none_or(|items| items.iter().enumerate().all(|(place, item)| !items[..place].contains(item))),
        other => panic!("the schema uses `{other}`, which this test does not know"),
    }
}

fn listed(argument: &Value) -> Vec<Value> {
    argument.as_sequence().cloned().unwrap_or_default()
}

fn has_type(value: &Value, name: &Value) -> bool {
    match name.as_str() {
        Some("object") => value.is_mapping(),
        Some("array") => value.is_sequence(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_bool(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("null") => value.is_null(),
        other => panic!("no type {other:?}"),
    }
}

/// The schema's patterns, read by hand: this crate has no regular expressions.
fn fits(text: &str, pattern: &str) -> bool {
    let small = |text: &str| text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    match pattern {
        "\\$\\{" => text.contains("${"),
        "^[a-z][a-z0-9_]{0,62}$" => {
            text.len() <= 63 && small(text) && text.starts_with(|first: char| first.is_ascii_lowercase())
        }
        "^[0-9]+ *(second|minute|hour|day|week)s?$" => super::values::duration(text).is_ok(),
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$" => super::values::timestamp(text).is_some(),
        "^[0-9]+([.][0-9]+)? *%?$" => {
            let number = text.trim_end_matches('%').trim_end();
            number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && number.parse::<f64>().is_ok()
        }
        "^[^.]+\\.[^.]+$|\\$\\{" => text.contains("${") || text.split('.').filter(|part| !part.is_empty()).count() == 2,
        other => panic!("no pattern {other}"),
    }
}
