use std::collections::BTreeSet;

use serde_json::Value;
use throughline_semantics::Format;

use crate::hostile_model::{NAME, TEXT};
use crate::{file, written};

fn cube(table: &str) -> Value {
    let text = file(Format::Cube, &format!("model/cubes/{table}.yml"));
    let all: Value = serde_yaml::from_str(&text).expect("the file is YAML");
    all["cubes"][0].clone()
}

/// What Cube's reader of f-strings makes of a text: an escaped brace is a brace, a bare one begins a reference.
fn read(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => out.push('\n'),
                Some(escaped @ ('\\' | '{' | '}')) => out.push(escaped),
                other => return Err(format!("\\{other:?}")),
            },
            '{' | '}' => return Err(format!("a bare {letter}")),
            letter => out.push(letter),
        }
    }
    Ok(out)
}

#[test]
fn what_the_documentation_requires_is_there() {
    for table in ["fct_sales", "fct_line", "dim_item", "fct_visit"] {
        let cube = cube(table);
        assert_eq!(cube["name"], table);
        assert_eq!(cube["sql_table"], format!("main.{table}"));
        let mut names = BTreeSet::new();
        for kind in ["dimensions", "measures"] {
            for member in cube[kind].as_array().into_iter().flatten() {
                let name = member["name"].as_str().expect("a name");
                assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{name}");
                assert!(names.insert(name.to_owned()), "{name} stands twice in {table}");
                let types: &[&str] = match kind {
                    "dimensions" => &["string", "number", "boolean", "time"],
                    _ => &["count", "count_distinct", "sum", "number"],
                };
                assert!(types.contains(&member["type"].as_str().expect("a type")), "{member}");
                assert!(member["sql"].is_string() || member["type"] == "count", "{member}");
            }
        }
        assert!(cube["dimensions"].as_array().expect("dimensions").iter().any(|one| one["primary_key"] == true));
    }
    let join = &cube("fct_line")["joins"][1];
    assert_eq!(join["name"], "fct_sales");
    assert_eq!(join["relationship"], "many_to_one");
    assert_eq!(join["sql"], "{CUBE}.sale = {fct_sales}.sale");
}

/// Cube refuses a join of a table without a key.
#[test]
fn a_table_without_a_key_has_one_of_its_unique_columns() {
    let visit = cube("fct_visit");
    assert_eq!(visit["joins"][0]["name"], "dim_item");
    let key = visit["dimensions"].as_array().and_then(|all| all.last()).expect("a dimension");
    assert_eq!((key["primary_key"].as_bool(), key["public"].as_bool()), (Some(true), Some(false)));
    let sql = key["sql"].as_str().expect("an expression");
    assert!(sql.starts_with("COALESCE(CAST({CUBE}.item AS VARCHAR), '') || '|' || COALESCE(CAST({CUBE}.\""), "{sql}");
}

#[test]
fn measures_are_made_of_measures_that_are_there() {
    let cube = cube("fct_sales");
    let measures = cube["measures"].as_array().expect("measures");
    let names: BTreeSet<&str> = measures.iter().filter_map(|one| one["name"].as_str()).collect();
    let mut references = 0;
    for measure in measures {
        let sql = measure["sql"].as_str().unwrap_or_default();
        for rest in sql.split("{CUBE.").skip(1) {
            let (name, _) = rest.split_once('}').expect("the reference ends");
            assert!(names.contains(name), "{name} of {sql}");
            references += 1;
        }
    }
    assert!(references >= 8, "{references}");
    let of = |name: &str| measures.iter().find(|one| one["name"] == name).expect("the measure")["sql"].clone();
    assert_eq!(of("peak"), "CASE WHEN {CUBE.rows__base} = 1 THEN MAX({CUBE}.\"Open\") END");
    assert_eq!(of("open"), "CASE WHEN {CUBE.values_of_column_7__base} <= 1 THEN {CUBE.open__base} END");
}

#[test]
fn names_and_texts_stay_data() {
    for file in written(Format::Cube) {
        for brackets in ["{{", "}}", "{%", "%}", "{#"] {
            assert!(!file.text.contains(brackets), "{} has {brackets}, which Jinja reads", file.path);
        }
    }
    let cube = cube("fct_sales");
    let without_tabs = TEXT.replace('\t', " ");
    assert_eq!(read(cube["description"].as_str().expect("a text")), Ok(without_tabs.clone()));
    let dimension = &cube["dimensions"][1];
    assert_eq!(read(dimension["title"].as_str().expect("a text")), Ok(NAME.to_owned()));
    assert_eq!(read(dimension["meta"]["synonyms"][0].as_str().expect("a text")), Ok(without_tabs));
    let sql = dimension["sql"].as_str().and_then(|sql| sql.strip_prefix("{CUBE}.")).expect("a reference");
    assert_eq!(read(sql), Ok(format!("\"{}\"", NAME.replace('"', "\"\""))));
    assert_eq!(read("{x}"), Err("a bare {".to_owned()), "this reader can refuse");
}
