//! The part of JSON Schema 2020-12 that the schema of Ossie uses; a keyword that is not known here fails the test.

use serde_json::Value;

/// What of `value` does not keep `schema`, a line each.
pub(crate) fn problems(value: &Value, schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    validate(value, schema, schema, "", &mut found);
    found
}

fn validate(value: &Value, schema: &Value, root: &Value, at: &str, problems: &mut Vec<String>) {
    for (keyword, argument) in schema.as_object().expect("a schema is an object") {
        let holds = match keyword.as_str() {
            "$schema" | "$id" | "title" | "description" | "examples" | "$defs" => true,
            "$ref" => {
                let path = argument.as_str().and_then(|text| text.strip_prefix('#')).expect("a local reference");
                validate(value, root.pointer(path).expect("what is referred to"), root, at, problems);
                true
            }
            "type" => match argument.as_str() {
                Some("object") => value.is_object(),
                Some("array") => value.is_array(),
                Some("string") => value.is_string(),
                Some("boolean") => value.is_boolean(),
                other => panic!("no type {other:?}"),
            },
            "const" => value == argument,
            "enum" => argument.as_array().expect("values").contains(value),
            "minItems" => {
                let least = argument.as_u64().expect("a number");
                value.as_array().is_none_or(|items| items.len() as u64 >= least)
            }
            "required" => {
                let names = argument.as_array().expect("names").iter().filter_map(Value::as_str);
                names.into_iter().all(|name| value.get(name).is_some())
            }
            "items" => {
                for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                    validate(item, argument, root, &format!("{at}[{place}]"), problems);
                }
                true
            }
            "properties" => {
                for (name, property) in argument.as_object().expect("properties") {
                    if let Some(inner) = value.get(name) {
                        validate(inner, property, root, &format!("{at}.{name}"), problems);
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = |name: &String| schema["properties"].get(name).is_some();
                argument == &Value::Bool(true) || value.as_object().is_none_or(|all| all.keys().all(known))
            }
            "oneOf" => {
                let one = |schema: &&Value| {
                    let mut found = Vec::new();
                    validate(value, schema, root, at, &mut found);
                    found.is_empty()
                };
                argument.as_array().expect("schemas").iter().filter(one).count() == 1
            }
            other => panic!("the schema uses `{other}`, which this test does not know"),
        };
        if !holds {
            problems.push(format!("{at}: {keyword} {argument} does not hold"));
        }
    }
}
